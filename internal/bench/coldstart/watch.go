//go:build linux

package main

import (
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
)

// A look is the CPU time of all processes at a moment, in seconds.
type look struct {
	at  time.Time
	cpu float64
}

// A watch looks at a program and all that descends from it, again and again.
type watch struct {
	pid    int
	looks  []look
	memory int64 // the most, in bytes
	quit   chan struct{}
	done   chan struct{}
}

func newWatch(pid int, began time.Time) *watch {
	w := &watch{pid: pid, looks: []look{{at: began}}, quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *watch) run() {
	defer close(w.done)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for i := 1; ; i++ {
		select {
		case <-w.quit:
			w.look()
			w.memory = max(w.memory, bench.TreePSS(w.pid))
			return
		case <-tick.C:
			w.look()
			if i%weighed == 0 {
				w.memory = max(w.memory, bench.TreePSS(w.pid))
			}
		}
	}
}

func (w *watch) look() {
	w.looks = append(w.looks, look{at: time.Now(), cpu: bench.TreeCPU(w.pid).Seconds()})
}

// stop takes a last look at everything and returns what was seen.
func (w *watch) stop() (looks []look, memory int64) {
	close(w.quit)
	<-w.done
	return w.looks, w.memory
}

// cpuAt is the CPU time at a moment between two looks.
func cpuAt(looks []look, at time.Time) float64 {
	for i := 1; i < len(looks); i++ {
		a, b := looks[i-1], looks[i]
		if b.at.Before(at) {
			continue
		}
		if !b.at.After(a.at) || !at.After(a.at) {
			return a.cpu
		}
		return a.cpu + (b.cpu-a.cpu)*at.Sub(a.at).Seconds()/b.at.Sub(a.at).Seconds()
	}
	return looks[len(looks)-1].cpu
}
