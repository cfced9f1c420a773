package replica

import "time"

// A meter knows how many requests there are, and how many there were on average: it counts
// request-seconds exactly, so that no sample misses a burst. The zero value is ready to use.
type meter struct {
	ongoing int
	since   time.Time // when ongoing changed last
	seconds float64   // request-seconds until then
	least   int       // since the last read
	most    int       // since the last read
}

// add changes the number of requests at now.
func (m *meter) add(now time.Time, n int) {
	m.advance(now)
	m.ongoing += n
	m.least, m.most = min(m.least, m.ongoing), max(m.most, m.ongoing)
}

func (m *meter) advance(now time.Time) {
	if !m.since.IsZero() {
		m.seconds += float64(m.ongoing) * now.Sub(m.since).Seconds()
	}
	m.since = now
}

// A reading is what a meter showed at a time.
type reading struct {
	at          time.Time
	seconds     float64 // request-seconds so far
	least, most int     // since the reading before
}

func (m *meter) read(now time.Time) reading {
	m.advance(now)
	r := reading{at: now, seconds: m.seconds, least: m.least, most: m.most}
	m.least, m.most = m.ongoing, m.ongoing
	return r
}
