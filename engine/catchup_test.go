package engine_test

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// preempted stops its reader when it has taken something and has not come back with it.
type preempted struct {
	*os.File
	taken, on chan struct{}
}

func (p preempted) Read(b []byte) (int, error) {
	n, err := p.File.Read(b)
	p.taken <- struct{}{}
	<-p.on
	return n, err
}

func TestWhatIsTakenIsNotYetReadUp(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	p := preempted{r, make(chan struct{}), make(chan struct{})}
	from, behind := engine.Follow(p)
	read := make(chan error, 1)
	next := func() {
		_, failed := from.Read(make([]byte, 64))
		read <- failed
	}
	caughtUp := func() bool { return !behind() }

	for range 3 {
		go next()
		require.Eventually(t, caughtUp, 20*time.Second, time.Millisecond, "it waits")
		_, err = w.WriteString("stage load_weights\n")
		require.NoError(t, err)
		<-p.taken
		require.True(t, behind(), "the line is not parsed")
		p.on <- struct{}{}
		require.NoError(t, <-read)
		require.True(t, behind(), "the line is not parsed")
	}
	go next()
	require.Eventually(t, caughtUp, 20*time.Second, time.Millisecond)
	require.NoError(t, w.Close())
	<-p.taken
	p.on <- struct{}{}
	require.ErrorIs(t, <-read, io.EOF)
}

// A deadline and a file that is closed end a reader that waits, as they do without us.
func TestEndOfAReaderThatWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end func(*os.File) error
		err error
	}{
		"closed":   {(*os.File).Close, os.ErrClosed},
		"deadline": {func(f *os.File) error { return f.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
	} {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		from, behind := engine.Follow(r)
		read := make(chan error, 1)
		go func() {
			_, err := from.Read(make([]byte, 64))
			read <- err
		}()
		require.Eventually(t, func() bool { return !behind() }, 20*time.Second, time.Millisecond)
		require.NoError(t, c.end(r))
		require.ErrorIs(t, <-read, c.err, name)
		_ = r.Close() // once more, where that was the end
		require.NoError(t, w.Close())
	}
}

// A file for which nobody can wait is read as it is: whoever waits for it waits in the read.
func TestAFileWithoutAPollerIsReadAsItIs(t *testing.T) {
	t.Parallel()
	fds := make([]int, 2)
	require.NoError(t, unix.Pipe(fds)) // which block
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	from, behind := engine.Follow(r)
	read := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(from)
		read <- string(text)
	}()
	require.Eventually(t, func() bool { return !behind() }, 20*time.Second, time.Millisecond)
	_, err := w.WriteString("a line\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Equal(t, "a line\n", <-read)
	require.NoError(t, r.Close())
}
