package download

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Progress is a snapshot; all counts are of the whole plan, with what was there before.
type Progress struct {
	Files, FilesDone int
	// Bytes is the size of all files. BytesDone counts those that have arrived, which are
	// verified when their file is done; bytes that prove wrong are taken off again.
	Bytes, BytesDone int64
	Fetched          int64    // bytes that this Run has brought, wrong ones with the rest
	Rate             float64  // bytes per second, over the last few seconds
	Current          []string // paths of the files in flight, sorted
	// Waiting says what is waited for before any byte can come, such as "another download
	// into DIR", whose progress is shown then; "" when nothing is.
	Waiting string
}

// rateWindow is the time in seconds over which the rate is averaged.
const rateWindow = 3

// requestWorth is what a request counts for in the measure of what the link gives, in bytes,
// so that a thousand small files count for something.
const requestWorth = 64 << 10

// A meter gathers what the workers report. It is safe for concurrent use.
type meter struct {
	mu      sync.Mutex
	now     Progress
	current map[string]int

	began    time.Time
	sampled  time.Time
	arrived  int64   // bytes since the last sample
	total    float64 // what arrived since the beginning, counting requests as well
	averaged float64 // as if the rate before the beginning had been 0
}

// fetched is how many bytes the run has brought.
func (t *meter) fetched() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now.Fetched
}

func newMeter(p *Plan) *meter {
	began := time.Now()
	var bytes int64
	files := p.files()
	for _, f := range files {
		bytes += f.Size
	}
	return &meter{
		now: Progress{
			Files: max(p.Files, p.Complete+len(files)), FilesDone: p.Complete,
			Bytes: max(p.Reuse+p.Fetch, bytes), BytesDone: p.Reuse,
		},
		current: map[string]int{},
		began:   began, sampled: began,
	}
}

// resume corrects the counts to what was found on disk.
func (t *meter) resume(missing int64, incomplete int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.BytesDone, t.now.FilesDone = t.now.Bytes-missing, t.now.Files-incomplete
}

// wait notes what is waited for; "" ends it.
func (t *meter) wait(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Waiting = what
}

// add counts bytes that arrived, or with n below 0 were withdrawn.
func (t *meter) add(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.BytesDone += n
	t.now.Fetched += max(n, 0)
	t.arrived += max(n, 0)
	t.total += float64(max(n, 0))
}

// request counts a range that is complete.
func (t *meter) request() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += requestWorth
}

// work is the measure of what the link gives.
func (t *meter) work() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

func (t *meter) fileDone() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.FilesDone++
}

// enter notes that path is in flight until the returned function is called.
func (t *meter) enter(path string) (leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current[path]++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.current[path]--; t.current[path] == 0 {
			delete(t.current, path)
		}
	}
}

func (t *meter) snapshot() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sample(time.Now())
	p := t.now
	if age := t.sampled.Sub(t.began).Seconds(); age > 0 {
		p.Rate = t.averaged / (1 - math.Exp(-age/rateWindow))
	}
	p.Current = slices.Sorted(maps.Keys(t.current))
	return p
}

func (t *meter) sample(now time.Time) {
	seconds := now.Sub(t.sampled).Seconds()
	if seconds <= 0 {
		return
	}
	weight := 1 - math.Exp(-seconds/rateWindow)
	t.averaged += weight * (float64(t.arrived)/seconds - t.averaged)
	t.sampled, t.arrived = now, 0
}
