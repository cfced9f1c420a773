//go:build linux

package main

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

// A breach is a promise that was broken.
type breach struct {
	what  string
	times int
}

// A kind is a sort of fault, with what happened from its faults on.
type kind struct {
	name  string
	times int

	requests, answered, retried, failed, ended, cut int
	unaffected                                      []time.Duration // answered, and not touched by a fault
	recovery                                        []time.Duration // to full strength
	left                                            []string        // processes
}

// A ledger assigns what happens to kinds of faults. It is safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	kinds  []*kind
	now    *kind
	broken []*breach
}

// begin makes what happens from now on belong to a kind.
func (l *ledger) begin(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.kinds, func(k *kind) bool { return k.name == name })
	if i < 0 {
		i = len(l.kinds)
		l.kinds = append(l.kinds, &kind{name: name})
	}
	l.now = l.kinds[i]
	l.now.times++
}

// request notes the end of one.
func (l *ledger) request(o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.now
	k.requests++
	if o.tries > 1 {
		k.retried++
	}
	switch o.end {
	case answered:
		k.answered++
		if !o.touched {
			k.unaffected = append(k.unaffected, o.took)
		}
	case failed:
		k.failed++
		l.breakPromise("%s: a request failed before its first byte: %s", k.name, o.why)
	case ended:
		k.ended++
	case cut:
		k.cut++
		l.breakPromise("%s: an answer was cut without an event: %s", k.name, o.why)
	}
}

// recovered notes how long the way back to full strength took, and what was left behind.
func (l *ledger) recovered(after time.Duration, running []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.recovery = append(l.now.recovery, after)
	l.now.left = append(l.now.left, running...)
	if len(running) > 0 {
		l.breakPromise("%s: processes are left: %v", l.now.name, running)
	}
}

// violated notes another broken promise.
func (l *ledger) violated(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breakPromise(l.now.name+": "+format, args...)
}

// aRequest is what differs in answers that are the same else.
var aRequest = regexp.MustCompile(`,\\"request_id\\":\\"\w*\\"`)

// breakPromise needs the lock. What is broken again in the same way is counted.
func (l *ledger) breakPromise(format string, args ...any) {
	what := aRequest.ReplaceAllString(fmt.Sprintf(format, args...), "")
	for _, b := range l.broken {
		if b.what == what {
			b.times++
			return
		}
	}
	l.broken = append(l.broken, &breach{what, 1})
}
