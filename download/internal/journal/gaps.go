package journal

import "iter"

// Gaps yields, in order, what of [0, size) is in none of the segments, which are sorted
// and disjoint as ReadPartial returns them.
func Gaps(segments []Segment, size int64) iter.Seq2[int64, int64] {
	return func(yield func(off, end int64) bool) {
		at := int64(0)
		for _, s := range segments {
			if at < s.Off && !yield(at, s.Off) {
				return
			}
			at = s.End()
		}
		if at < size {
			yield(at, size)
		}
	}
}
