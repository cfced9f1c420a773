package generate

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/spinup-llm/spinup/engine/reference/internal/model"
	"github.com/spinup-llm/spinup/engine/reference/internal/tokenizer"
)

// ErrBusy says that too many requests are waiting already.
var ErrBusy = errors.New("too many requests are waiting")

// maxWaiting is how many requests may wait for each place.
const maxWaiting = 64

// promptPiece is how many tokens of a prompt one turn takes.
const promptPiece = 64

// Options of a Generator.
type Options struct {
	MaxSeqs int    // requests that run at once
	MaxLen  int    // tokens of prompt and answer together
	EOS     []int  // tokens that end an answer
	Seed    *int64 // of requests that bring none; nil means another each time
}

// A Generator shares a model among requests. It is safe for concurrent use.
type Generator struct {
	opts    Options
	model   *model.Model
	tok     *tokenizer.Tokenizer
	turn    chan struct{}     // holds an element while the model computes
	places  chan *model.Cache // free places
	waiting atomic.Int64
	served  atomic.Uint64
}

// New allocates the places.
func New(m *model.Model, tok *tokenizer.Tokenizer, opts Options) *Generator {
	g := &Generator{
		opts: opts, model: m, tok: tok,
		turn: make(chan struct{}, 1), places: make(chan *model.Cache, opts.MaxSeqs),
	}
	for range opts.MaxSeqs {
		g.places <- m.NewCache(opts.MaxLen)
	}
	return g
}

// MaxLen is the number of tokens that prompt and answer may have together.
func (g *Generator) MaxLen() int { return g.opts.MaxLen }

// A Request is one prompt.
type Request struct {
	Prompt    []int // at least one token
	MaxTokens int   // of the answer, at least 1
	Sampling  Sampling
	Stop      []string // texts that end the answer; they are not part of it
	IgnoreEOS bool
}

// Finish says why an answer ended.
type Finish string

// The reasons, in the words of the OpenAI API.
const (
	Stopped Finish = "stop"
	Length  Finish = "length"
)

// A Result is what is known at the end of an answer.
type Result struct {
	Finish Finish
	Tokens int // of the answer, the one that ended it included
}

// Generate answers req. It calls emit with each piece of text as soon as it is certain,
// and stops when ctx ends or emit fails.
func (g *Generator) Generate(ctx context.Context, req Request, emit func(text string) error) (Result, error) {
	if len(req.Prompt) == 0 {
		return Result{}, errors.New("generate: the prompt is empty")
	}
	cache, err := g.place(ctx)
	if err != nil {
		return Result{}, err
	}
	defer func() { g.places <- cache }()
	cache.Reset()
	a := &answer{
		g: g, req: req, cache: cache, emit: emit, text: g.tok.Stream(),
		stop: stopper{stops: req.Stop}, sampler: g.sampler(req.Sampling),
	}
	return a.run(ctx)
}

// place waits for a free place.
func (g *Generator) place(ctx context.Context) (*model.Cache, error) {
	select {
	case c := <-g.places:
		return c, nil
	default:
	}
	if g.waiting.Add(1) > int64(maxWaiting*g.opts.MaxSeqs) {
		g.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer g.waiting.Add(-1)
	select {
	case c := <-g.places:
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (g *Generator) sampler(s Sampling) *sampler {
	var seed uint64
	switch {
	case s.Seed != nil:
		seed = uint64(*s.Seed) //nolint:gosec // any bits will do
	case g.opts.Seed != nil:
		seed = uint64(*g.opts.Seed) + g.served.Add(1) //nolint:gosec // any bits will do
	default:
		seed = rand.Uint64() //nolint:gosec // not a secret
	}
	return &sampler{Sampling: s, rand: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // has to be repeatable
}

// answer is one request on its way.
type answer struct {
	g       *Generator
	req     Request
	cache   *model.Cache
	emit    func(string) error
	text    *tokenizer.Stream
	stop    stopper
	sampler *sampler
	tokens  int
}

func (a *answer) run(ctx context.Context) (Result, error) {
	pieces := slices.Collect(slices.Chunk(a.req.Prompt, promptPiece))
	for _, piece := range pieces[:len(pieces)-1] {
		if _, err := a.step(ctx, piece, false); err != nil {
			return Result{}, err
		}
	}
	next := pieces[len(pieces)-1]
	for {
		id, err := a.step(ctx, next, true)
		if err != nil {
			return Result{}, err
		}
		a.tokens++
		if slices.Contains(a.g.opts.EOS, id) && !a.req.IgnoreEOS {
			return a.end(Stopped)
		}
		stopped, err := a.send(a.text.Next(id))
		switch {
		case err != nil:
			return Result{}, err
		case stopped:
			return Result{Finish: Stopped, Tokens: a.tokens}, nil
		case a.tokens >= a.req.MaxTokens:
			return a.end(Length)
		}
		next = []int{id}
	}
}

// step waits for a turn, runs the model on ids, and samples what follows them.
func (a *answer) step(ctx context.Context, ids []int, sample bool) (int, error) {
	select {
	case a.g.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	defer func() { <-a.g.turn }()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	logits, err := a.g.model.Forward(a.cache, ids)
	if err != nil || !sample {
		return 0, err
	}
	return a.sampler.next(logits)
}

// send passes on what is certain not to belong to a stop text.
func (a *answer) send(text string) (stopped bool, err error) {
	out, stopped := a.stop.add(text)
	if out == "" {
		return stopped, nil
	}
	return stopped, a.emit(out)
}

// end sends what was held back.
func (a *answer) end(finish Finish) (Result, error) {
	stopped, err := a.send(a.text.Rest())
	if stopped {
		finish = Stopped
	} else if rest := a.stop.rest(); rest != "" && err == nil {
		err = a.emit(rest)
	}
	return Result{Finish: finish, Tokens: a.tokens}, err
}
