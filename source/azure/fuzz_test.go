package azure_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/azure"
	"github.com/stretchr/testify/require"
)

// Only the range that was asked for, or the whole file, is taken for an answer.
func FuzzAnswer(f *testing.F) {
	srctest.Answers(f, false, func(a srctest.Answer, file source.File, off, n int64) error {
		return azure.CheckAnswer(a.Length, a.Range, a.Coding, file, off, n)
	})
}

func FuzzPause(f *testing.F) {
	srctest.Pauses(f, func(value string, now time.Time) time.Duration { return azure.Pause("", value, now) })
}

// Azure's own header has milliseconds, and comes before the other.
func FuzzPauseMs(f *testing.F) {
	f.Add("1500", "7")
	f.Add("-1", "7")
	f.Add("99999999999999999999", "")
	f.Fuzz(func(t *testing.T, ms, value string) {
		wait := azure.Pause(ms, value, time.Now())
		require.True(t, wait >= 0 && wait <= time.Hour, "%v", wait)
		if n, err := strconv.ParseUint(ms, 10, 62); err == nil && n > 0 {
			require.Equal(t, time.Duration(min(n, 3_600_000))*time.Millisecond, wait)
		}
	})
}
