package engine

import "sync"

// A signal is sent once; sending it again does nothing.
type signal struct {
	sent chan struct{}
	once sync.Once
}

func newSignal() *signal { return &signal{sent: make(chan struct{})} }

func (s *signal) send() { s.once.Do(func() { close(s.sent) }) }

func (s *signal) isSent() bool {
	select {
	case <-s.sent:
		return true
	default:
		return false
	}
}
