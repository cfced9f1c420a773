package replica

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
)

// PrefixOptions tune NewPrefixAffinity; nil means the defaults.
type PrefixOptions struct {
	Blocks    int     // of 128 bytes of prompts that are remembered; 0 means 131072, about 10 MB
	MatchRate float64 // the share of a prompt that has to be known; 0 means 0.1
	Imbalance int     // how many more requests than the least loaded the chosen one may have; 0 means 8, negative any
	Other     Picker  // for the rest; nil means LeastOfTwo
	_         struct{}
}

// PrefixAffinity sends a prompt to the replica that has seen its beginning, whose KV cache
// may still hold it. A prompt that leaves a known one in the middle, as all do that share
// no more than a system prompt, goes there only when most of it is known: else one replica
// would get everything. It remembers hashes of prompts, not prompts. Its Pick is a [Picker].
// It is safe for concurrent use; give each Set one of its own.
type PrefixAffinity struct {
	opts PrefixOptions
	seed maphash.Seed

	mu          sync.Mutex
	young, aged map[uint64]seen // by the hash of a block and all before it; aged is forgotten next
	stats       PrefixStats
}

// PrefixStats tell how well the affinity works.
type PrefixStats struct {
	Requests int
	Bytes    int64 // of prompts
	Matched  int64 // bytes of prompts that the chosen replica has seen at their beginning
	Blocks   int   // remembered
}

// seen is what is known of a block.
type seen struct {
	replica string // that saw it last
	beyond  int    // most blocks that were seen after it in one prompt
}

const (
	blockSize = 128 // about two blocks of vLLM's cache
	forkRate  = 0.8 // the share of a prompt that has to be known where it leaves a known one
	atEnd     = 1   // blocks after the messages of a request: its parameters
)

// NewPrefixAffinity returns a picker's state that knows nothing yet.
func NewPrefixAffinity(opts *PrefixOptions) *PrefixAffinity {
	a := &PrefixAffinity{seed: maphash.MakeSeed(), young: map[uint64]seen{}}
	if opts != nil {
		a.opts = *opts
	}
	a.opts.Blocks = cmp.Or(a.opts.Blocks, 1<<17)
	a.opts.MatchRate = cmp.Or(a.opts.MatchRate, 0.1)
	a.opts.Imbalance = cmp.Or(a.opts.Imbalance, 8)
	if a.opts.Other == nil {
		a.opts.Other = LeastOfTwo
	}
	return a
}

// Pick is a Picker.
func (a *PrefixAffinity) Pick(p Pick, from []Replica) int {
	prompt := promptOf(p.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	blocks := a.blocks(prompt)
	i, known, rate := a.longest(blocks, from)
	if known == 0 || float64(known*blockSize) < rate*float64(len(prompt)) || a.crowded(i, from) {
		i = a.opts.Other(p, from)
		known = a.knownTo(blocks, from[i].ID)
	}
	for n, b := range blocks {
		a.remember(b, seen{replica: from[i].ID, beyond: len(blocks) - 1 - n})
	}
	a.stats.Requests++
	a.stats.Bytes += int64(len(prompt))
	a.stats.Matched += int64(known * blockSize)
	return i
}

// Stats returns what it has done so far.
func (a *PrefixAffinity) Stats() PrefixStats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stats
	s.Blocks = len(a.young) + len(a.aged)
	return s
}

// promptOf is the part of a request that grows from turn to turn. What stands before it
// (names, parameters) is left out, so that it need not be equal.
func promptOf(body []byte) []byte {
	for _, key := range []string{`"messages"`, `"prompt"`, `"input"`} {
		if i := bytes.Index(body, []byte(key)); i >= 0 {
			return body[i:]
		}
	}
	return body
}

// blocks hashes each whole block of prompt together with all before it.
func (a *PrefixAffinity) blocks(prompt []byte) []uint64 {
	hashes := make([]uint64, 0, len(prompt)/blockSize)
	var h uint64
	for b := range slices.Chunk(prompt, blockSize) {
		if len(b) == blockSize {
			h = bits.RotateLeft64(h, 29)*0x9e3779b97f4a7c15 ^ maphash.Bytes(a.seed, b)
			hashes = append(hashes, h)
		}
	}
	return hashes
}

// longest finds the replica that has seen most of the blocks, and the share of a prompt
// that has to be known for that to count.
func (a *PrefixAffinity) longest(blocks []uint64, from []Replica) (index, known int, rate float64) {
	rate = a.opts.MatchRate
	for n, b := range blocks {
		was, ok := a.look(b)
		if !ok {
			break
		}
		if i := slices.IndexFunc(from, func(r Replica) bool { return r.ID == was.replica }); i >= 0 {
			index, known, rate = i, n+1, a.opts.MatchRate
			if was.beyond > atEnd {
				rate = max(rate, forkRate)
			}
		}
	}
	return index, known, rate
}

// knownTo is how many of the first blocks replica saw last.
func (a *PrefixAffinity) knownTo(blocks []uint64, replica string) (n int) {
	for _, b := range blocks {
		if was, _ := a.look(b); was.replica != replica {
			break
		}
		n++
	}
	return n
}

func (a *PrefixAffinity) crowded(i int, from []Replica) bool {
	if a.opts.Imbalance < 0 {
		return false
	}
	least := slices.MinFunc(from, func(a, b Replica) int { return a.Inflight - b.Inflight })
	return from[i].Inflight-least.Inflight > a.opts.Imbalance
}

func (a *PrefixAffinity) look(block uint64) (was seen, ok bool) {
	if was, ok = a.young[block]; !ok {
		was, ok = a.aged[block]
	}
	return was, ok
}

// remember forgets, from time to time, what was not seen for long: at least half of Blocks
// are those seen last.
func (a *PrefixAffinity) remember(block uint64, now seen) {
	was, _ := a.look(block)
	now.beyond = max(now.beyond, was.beyond)
	if _, known := a.young[block]; !known && len(a.young) >= max(1, a.opts.Blocks/2) {
		a.aged, a.young = a.young, make(map[uint64]seen, len(a.young))
	}
	a.young[block] = now
}
