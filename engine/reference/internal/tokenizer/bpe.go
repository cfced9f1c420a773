package tokenizer

import (
	"container/heap"
	"encoding/json"
	"fmt"
)

// bpe merges bytes to tokens.
type bpe struct {
	vocab        map[string]int // by the bytes that a token stands for
	merges       map[[2]int]rule
	bytes        [256]int // the token of each single byte; -1 where there is none
	ignoreMerges bool
}

// rule says what a pair of tokens becomes. The lowest rank is merged first.
type rule struct{ rank, id int }

// newBPE builds the tables. It also returns what each id stands for.
func newBPE(m *bpeModel) (*bpe, map[int]string, error) {
	var entries map[string]int
	if err := json.Unmarshal(m.Vocab, &entries); err != nil {
		return nil, nil, fmt.Errorf("model.vocab: %w", err)
	}
	b := &bpe{vocab: make(map[string]int, len(entries)), ignoreMerges: m.IgnoreMerges}
	texts := make(map[int]string, len(entries))
	for entry, id := range entries {
		if id < 0 || id > maxID {
			return nil, nil, fmt.Errorf("model.vocab: id %d of %.40q", id, entry)
		}
		raw, ok := rawBytes(entry)
		texts[id] = raw
		if ok {
			b.vocab[raw] = id
		}
	}
	for c := range 256 {
		id, ok := b.vocab[string([]byte{byte(c)})]
		if !ok {
			id = -1
			if m.UnkToken != nil {
				return nil, nil, fmt.Errorf("model.unk_token with a vocabulary that lacks byte %#02x", c)
			}
		}
		b.bytes[c] = id
	}
	return b, texts, b.addMerges(m.Merges)
}

func (b *bpe) addMerges(merges []merge) error {
	b.merges = make(map[[2]int]rule, len(merges))
	for rank, m := range merges {
		left, okLeft := rawBytes(m[0])
		right, okRight := rawBytes(m[1])
		l, haveLeft := b.vocab[left]
		r, haveRight := b.vocab[right]
		id, haveBoth := b.vocab[left+right]
		if !okLeft || !okRight || !haveLeft || !haveRight || !haveBoth {
			return fmt.Errorf("merge %d: %.40q and %.40q are not in model.vocab, or their sum is not", rank, m[0], m[1])
		}
		b.merges[[2]int{l, r}] = rule{rank: rank, id: id}
	}
	return nil
}

// encode appends the tokens of one piece. A byte without a token is dropped, as the
// tokenizers library does where there is no unk_token.
func (b *bpe) encode(ids []int, piece string) []int {
	if b.ignoreMerges {
		if id, ok := b.vocab[piece]; ok {
			return append(ids, id)
		}
	}
	w := newWord(b, piece)
	w.mergeAll(b)
	for i := w.first; i >= 0; i = w.symbols[i].next {
		ids = append(ids, w.symbols[i].id)
	}
	return ids
}

// word is a piece being merged: a linked list of symbols, and a queue of merges that were
// possible when they were queued. It takes n log n steps, also for one endless word.
type word struct {
	symbols []symbol
	first   int
	queue   queue
}

type symbol struct{ id, prev, next int } // -1 ends the list; id -1 is a symbol merged away

func newWord(b *bpe, piece string) *word {
	w := &word{first: -1, symbols: make([]symbol, 0, len(piece))}
	for _, c := range []byte(piece) {
		if id := b.bytes[c]; id >= 0 {
			n := len(w.symbols)
			w.symbols = append(w.symbols, symbol{id: id, prev: n - 1, next: n + 1})
		}
	}
	if n := len(w.symbols); n > 0 {
		w.first, w.symbols[n-1].next = 0, -1
	}
	for i := range w.symbols {
		w.offer(b, i)
	}
	heap.Init(&w.queue)
	return w
}

func (w *word) mergeAll(b *bpe) {
	for w.queue.Len() > 0 {
		c := heap.Pop(&w.queue).(candidate) //nolint:forcetypeassert // only ours
		if now, ok := w.candidate(b, c.at); !ok || now != c {
			continue // its symbols were merged otherwise in the meantime
		}
		s := &w.symbols[c.at]
		gone := s.next
		s.id, s.next = c.rule.id, w.symbols[gone].next
		w.symbols[gone].id = -1
		if s.next >= 0 {
			w.symbols[s.next].prev = c.at
		}
		w.push(b, s.prev)
		w.push(b, c.at)
	}
}

// candidate is a merge of the symbol at a place with the one after it.
type candidate struct {
	rule     rule
	at, left int
}

func (w *word) candidate(b *bpe, at int) (candidate, bool) {
	if at < 0 || w.symbols[at].id < 0 || w.symbols[at].next < 0 {
		return candidate{}, false
	}
	s := w.symbols[at]
	r, ok := b.merges[[2]int{s.id, w.symbols[s.next].id}]
	return candidate{rule: r, at: at, left: s.id}, ok
}

func (w *word) offer(b *bpe, at int) {
	if c, ok := w.candidate(b, at); ok {
		w.queue = append(w.queue, c)
	}
}

func (w *word) push(b *bpe, at int) {
	if c, ok := w.candidate(b, at); ok {
		heap.Push(&w.queue, c)
	}
}

// queue orders candidates by rank, then from left to right.
type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].rule.rank != q[j].rule.rank {
		return q[i].rule.rank < q[j].rule.rank
	}
	return q[i].at < q[j].at
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(candidate)) } //nolint:forcetypeassert // only ours
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
