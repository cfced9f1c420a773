package download

import (
	"cmp"
	"slices"

	"github.com/spinup-llm/spinup/download/internal/crc"
	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/source"
)

const (
	minPart = 8 * mib
	maxPart = 64 * mib
	// maxOrderedPart bounds the parts of a file whose digest needs the bytes in order, so that
	// what is read back is still in the processor's cache, and little is left to hash when the
	// last of them arrives.
	maxOrderedPart = 8 * mib
	// stripeWidth is the number of large files that are fetched at the same time: one for each
	// range at the beginning, so that what is hashed in order comes in order. More would only leave
	// more files incomplete after a kill.
	stripeWidth = firstAllowed
	// firstLarge are the parts of large files that begin first: most of what is allowed at the
	// beginning.
	firstLarge = firstAllowed - 2
	// usualConnections are enough for most links: there are parts for so many, and for more
	// they are split.
	usualConnections = 16
)

// layout cuts what is missing into ranges. Parts of the largest files go first, and the small
// files lie between the others, so that the many requests of those do not leave the link idle.
func layout(findings []finding, partSize int64, connections int) []Range {
	var total int64
	for _, f := range findings {
		total += f.missing()
	}
	var large [][]Range
	var small []Range
	for _, f := range findings {
		if f.complete {
			continue
		}
		ranges := f.ranges(chooseSize(f.file, partSize, total, connections))
		if len(ranges) > 1 {
			large = append(large, ranges)
		} else {
			small = append(small, ranges...)
		}
	}
	slices.SortStableFunc(large, func(a, b []Range) int { return cmp.Compare(len(b), len(a)) })
	var order []Range
	for group := range slices.Chunk(large, stripeWidth) {
		order = append(order, stripe(group)...)
	}
	return mix(order, small)
}

// mix spreads small evenly over what comes after the first of large.
func mix(large, small []Range) []Range {
	head := min(len(large), firstLarge)
	out, rest := slices.Clone(large[:head]), large[head:]
	for left := len(rest); left >= 0; left-- {
		n := (len(small) + left) / (left + 1)
		out, small = append(out, small[:n]...), small[n:]
		if left > 0 {
			out = append(out, rest[len(rest)-left])
		}
	}
	return out
}

// chooseSize returns the size of f's parts: two for each usual connection, within bounds.
func chooseSize(f source.File, partSize, total int64, connections int) int64 {
	if partSize > 0 {
		return partSize
	}
	most := int64(maxPart)
	if _, combines := crc.Lookup(f.Digest.Algorithm); !combines && f.Digest != (source.Digest{}) {
		most = maxOrderedPart
	}
	return min(max(total/int64(2*min(connections, usualConnections)), minPart), most)
}

// stripe takes one range of each file in turn.
func stripe(files [][]Range) []Range {
	var out []Range
	for round := 0; len(files) > 0 && round < len(files[0]); round++ { // the first is the longest
		for _, ranges := range files {
			if round < len(ranges) {
				out = append(out, ranges[round])
			}
		}
	}
	return out
}

// ranges cuts each gap of the file into parts of the same size, none above limit.
func (f finding) ranges(limit int64) []Range {
	var out []Range
	for off, end := range journal.Gaps(f.have, f.file.Size) {
		size := even(end-off, limit)
		for ; off < end; off += size {
			out = append(out, Range{File: f.file, Off: off, Len: min(size, end-off)})
		}
	}
	if len(out) == 0 {
		out = append(out, Range{File: f.file, Off: f.file.Size})
	}
	return out
}

// even divides n into as few parts of one size as limit allows; large ones end at a MiB.
func even(n, limit int64) int64 {
	parts := (n + limit - 1) / limit
	size := (n + parts - 1) / parts
	if whole := (size + mib - 1) / mib * mib; whole <= limit {
		return whole
	}
	return size
}
