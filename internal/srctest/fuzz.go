package srctest

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// An Answer is what a server says about the bytes that it sends.
type Answer struct {
	Status        int
	Range, Coding string // the headers
	Length        int64  // -1 where it is not told
}

var exact = regexp.MustCompile(`^bytes (\d+)-(\d+)/`)

// Answers fuzzes what checks an answer to the request for the bytes [off, off+n) of a file: one
// that is taken brings these, unpacked, or where whole is set and its status is 200 all of the file.
func Answers(f *testing.F, whole bool, check func(a Answer, file source.File, off, n int64) error) {
	f.Helper()
	f.Add(206, "bytes 10-59/200", "", int64(50), uint8(10), uint8(49))
	f.Add(206, "bytes 11-60/200", "identity", int64(-1), uint8(10), uint8(49))
	f.Add(206, "bytes 3-202/400", "", int64(200), uint8(0), uint8(199))
	f.Add(200, "bytes */200", "GZIP", int64(-1), uint8(0), uint8(199))
	f.Add(200, "", "", int64(200), uint8(0), uint8(199))
	file := source.File{Path: "a", Size: 200}
	f.Fuzz(func(t *testing.T, status int, contentRange, coding string, length int64, at, more uint8) {
		off := int64(at) % file.Size
		n := 1 + int64(more)%(file.Size-off)
		good := "bytes " + strconv.FormatInt(off, 10) + "-" + strconv.FormatInt(off+n-1, 10) + "/200"
		if n < file.Size {
			require.NoError(t, check(Answer{http.StatusPartialContent, good, "", n}, file, off, n))
		} else {
			require.NoError(t, check(Answer{http.StatusOK, "", "", n}, file, off, n))
		}
		a := Answer{status, contentRange, coding, max(length, -1)}
		if check(a, file, off, n) == nil {
			a.require(t, whole, file, off, n)
		}
	})
}

func (a Answer) require(t *testing.T, whole bool, file source.File, off, n int64) {
	t.Helper()
	due := n
	if whole {
		require.Contains(t, []int{http.StatusOK, http.StatusPartialContent}, a.Status)
	}
	if whole && a.Status == http.StatusOK {
		due = file.Size
	} else if n < file.Size || a.Range != "" {
		at := exact.FindStringSubmatch(a.Range)
		require.Len(t, at, 3, a.Range)
		require.Equal(t, []string{strconv.FormatInt(off, 10), strconv.FormatInt(off+n-1, 10)}, at[1:], a.Range)
	}
	require.True(t, a.Length == -1 || a.Length == due, "%d bytes for %d", a.Length, due)
	packed := a.Coding != "" && !strings.EqualFold(a.Coding, "identity")
	require.False(t, packed && a.Length == -1, a.Coding)
}

// Pauses fuzzes what reads Retry-After: in seconds or as a date, and never more than an hour.
func Pauses(f *testing.F, pause func(value string, now time.Time) time.Duration) {
	f.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, value := range []string{
		"7", "-1", "3601", "99999999999999999999", now.Add(time.Minute).Format(http.TimeFormat),
		"Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "soon",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait := pause(value, now)
		require.True(t, wait >= 0 && wait <= time.Hour, "%v", wait)
		if n, err := strconv.ParseUint(value, 10, 62); err == nil {
			require.Equal(t, time.Duration(min(n, 3600))*time.Second, wait)
		} else if at, err := http.ParseTime(value); err == nil {
			require.Equal(t, min(max(at.Sub(now), 0), time.Hour), wait)
		}
	})
}
