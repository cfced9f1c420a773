package guardian

import "os"

// OrderRoundTrip is what a guardian makes of an order.
func OrderRoundTrip(o Order) (Order, error) {
	line, err := o.encode()
	if err != nil {
		return o, err
	}
	var l lines
	for _, b := range line { // byte by byte, as a pipe may
		l.add([]byte{b})
	}
	whole, _ := l.next()
	return decodeOrder(whole)
}

// DecodeOrder is fuzzed.
func DecodeOrder(line []byte) (Order, error) { return decodeOrder(line) }

// ParseStat is fuzzed.
func ParseStat(pid int, line []byte) (parent int, over, ok bool) {
	s, ok := parseStat(pid, line)
	return s.parent, s.over, ok
}

// Parent is read from the system.
func Parent() int {
	s, _ := statOf(os.Getpid())
	return s.parent
}
