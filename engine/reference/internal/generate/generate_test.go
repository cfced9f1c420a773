package generate_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/spinup-llm/spinup/engine/reference/internal/model"
	"github.com/spinup-llm/spinup/engine/reference/internal/tokenizer"
	"github.com/spinup-llm/spinup/engine/reference/internal/weights"
	"github.com/stretchr/testify/require"
)

// answer is what transformers made of a prompt.
type answer struct {
	Prompt, Text string
	IDs, Greedy  []int
}

func load(tb testing.TB, family string, opts generate.Options) (*generate.Generator, []answer) {
	tb.Helper()
	dir := filepath.Join("../../testdata", family)
	cfg, err := model.ReadConfig(filepath.Join(dir, "config.json"))
	require.NoError(tb, err)
	set, err := weights.Open(dir)
	require.NoError(tb, err)
	defer set.Close()
	m, err := model.Load(tb.Context(), cfg, set, func(int) {})
	require.NoError(tb, err)
	tok, err := tokenizer.Load(filepath.Join(dir, "tokenizer.json"))
	require.NoError(tb, err)
	text, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	require.NoError(tb, err)
	var golden struct{ Chat, Completion []answer }
	require.NoError(tb, json.Unmarshal(text, &golden))
	return generate.New(m, tok, opts), append(golden.Chat, golden.Completion...)
}

// collect runs a request and joins what is emitted.
func collect(ctx context.Context, g *generate.Generator, req generate.Request) (string, generate.Result, error) {
	var b strings.Builder
	res, err := g.Generate(ctx, req, func(s string) error { b.WriteString(s); return nil })
	return b.String(), res, err
}

func request(a answer) generate.Request {
	return generate.Request{Prompt: a.IDs, MaxTokens: len(a.Greedy)}
}

// TestGolden holds greedy text against that of transformers, all prompts at once: requests
// that take turns must not touch each other.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"llama", "llama3rope", "qwen2", "qwen3"} {
		g, answers := load(t, family, generate.Options{MaxSeqs: 3, MaxLen: 512})
		var all sync.WaitGroup
		for _, a := range answers {
			all.Go(func() {
				got, res, err := collect(t.Context(), g, request(a))
				if err != nil || got != a.Text || res != (generate.Result{Finish: generate.Length, Tokens: len(a.Greedy)}) {
					t.Errorf("%s: %q: %q, %v, %v; want %q", family, a.Prompt, got, res, err, a.Text)
				}
			})
		}
		all.Wait()
	}
}

func TestEndOfText(t *testing.T) {
	t.Parallel()
	_, answers := load(t, "llama", generate.Options{MaxSeqs: 1, MaxLen: 8})
	a := answers[0]
	g, _ := load(t, "llama", generate.Options{MaxSeqs: 1, MaxLen: 512, EOS: []int{a.Greedy[5]}})
	tok, err := tokenizer.Load("../../testdata/llama/tokenizer.json")
	require.NoError(t, err)

	got, res, err := collect(t.Context(), g, request(a))
	require.NoError(t, err)
	require.Equal(t, generate.Result{Finish: generate.Stopped, Tokens: 6}, res)
	require.Equal(t, tok.Decode(a.Greedy[:5]), got)

	req := request(a)
	req.IgnoreEOS = true
	got, res, err = collect(t.Context(), g, req)
	require.NoError(t, err)
	require.Equal(t, generate.Length, res.Finish)
	require.Equal(t, a.Text, got)
}

func TestStopText(t *testing.T) {
	t.Parallel()
	g, answers := load(t, "qwen3", generate.Options{MaxSeqs: 1, MaxLen: 512})
	for _, a := range answers {
		runes := []rune(a.Text)
		stop := string(runes[len(runes)/2 : len(runes)/2+3])
		req := request(a)
		req.Stop = []string{"never", stop}
		got, res, err := collect(t.Context(), g, req)
		require.NoError(t, err)
		require.Equal(t, generate.Stopped, res.Finish)
		want, _, _ := strings.Cut(a.Text, stop)
		require.Equal(t, want, got)
		require.LessOrEqual(t, res.Tokens, len(a.Greedy))
	}
}

func TestSeeds(t *testing.T) {
	t.Parallel()
	engineSeed := int64(7)
	open := func() *generate.Generator {
		g, _ := load(t, "qwen2", generate.Options{MaxSeqs: 2, MaxLen: 512, Seed: &engineSeed})
		return g
	}
	_, answers := load(t, "qwen2", generate.Options{MaxSeqs: 1, MaxLen: 8})
	sample := func(g *generate.Generator, seed *int64) string {
		req := request(answers[0])
		req.Sampling = generate.Sampling{Temperature: 1.5, TopP: 0.95, Seed: seed}
		text, _, err := collect(t.Context(), g, req)
		require.NoError(t, err)
		return text
	}
	g := open()
	one, two := int64(1), int64(-2)
	seeded := sample(g, &one)
	require.Equal(t, seeded, sample(g, &one))
	require.NotEqual(t, seeded, sample(g, &two))
	first := sample(open(), nil)
	require.Equal(t, first, sample(open(), nil), "the engine's seed makes the whole run repeatable")
	require.NotEqual(t, first, sample(g, &one))
}

// TestFair: a short request that comes after a long one ends before it.
func TestFair(t *testing.T) {
	t.Parallel()
	g, answers := load(t, "llama", generate.Options{MaxSeqs: 2, MaxLen: 2048})
	started, short := make(chan struct{}), make(chan struct{})
	long := request(answers[0])
	long.MaxTokens, long.IgnoreEOS = 400, true
	var all sync.WaitGroup
	all.Go(func() {
		<-started
		if _, _, err := collect(t.Context(), g, request(answers[1])); err != nil {
			t.Error(err)
		}
		close(short)
	})
	start := sync.OnceFunc(func() { close(started) })
	_, err := g.Generate(t.Context(), long, func(string) error { start(); return nil })
	require.NoError(t, err)
	select {
	case <-short:
	default:
		t.Error("the short request had to wait for the long one")
	}
	all.Wait()
}

func TestCancel(t *testing.T) {
	t.Parallel()
	g, answers := load(t, "llama", generate.Options{MaxSeqs: 1, MaxLen: 2048})
	req := request(answers[6])
	req.MaxTokens, req.IgnoreEOS = 1000, true
	because := errors.New("the client has gone")

	ctx, cancel := context.WithCancelCause(t.Context())
	pieces := 0
	_, err := g.Generate(ctx, req, func(string) error {
		if pieces++; pieces == 3 {
			cancel(because)
		}
		return nil
	})
	require.ErrorIs(t, err, because)
	require.Equal(t, 3, pieces, "not a token more")

	_, err = g.Generate(t.Context(), req, func(string) error { return because })
	require.ErrorIs(t, err, because)
	_, err = g.Generate(ctx, req, func(string) error { return nil })
	require.ErrorIs(t, err, because)

	_, _, err = collect(t.Context(), g, request(answers[0]))
	require.NoError(t, err, "the place is free again")
}

func TestBusy(t *testing.T) {
	t.Parallel()
	g, answers := load(t, "llama", generate.Options{MaxSeqs: 1, MaxLen: 512})
	held, over := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	req := request(answers[0])
	req.MaxTokens = 2
	run := func(emit func(string) error) error {
		_, err := g.Generate(t.Context(), req, emit)
		return err
	}
	all.Go(func() {
		hold := sync.OnceFunc(func() { close(held); <-over })
		if err := run(func(string) error { hold(); return nil }); err != nil {
			t.Error(err)
		}
	})
	<-held
	results := make(chan error, 200)
	for range 200 { // 64 may wait for the one place
		all.Go(func() { results <- run(func(string) error { return nil }) })
	}
	for range 200 - 64 {
		require.ErrorIs(t, <-results, generate.ErrBusy)
	}
	close(over)
	all.Wait()
	for range 64 {
		require.NoError(t, <-results)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	g, _ := load(t, "llama", generate.Options{MaxSeqs: 1, MaxLen: 4})
	for _, ids := range [][]int{{}, {-1}, {99999}, {1, 2, 3, 4, 5}} {
		_, _, err := collect(t.Context(), g, generate.Request{Prompt: ids, MaxTokens: 1})
		require.Error(t, err)
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	logits := []float32{2, 3, 1, 3, float32(math.Inf(-1))}
	count := func(s generate.Sampling) (n [5]int) {
		next := generate.Sampler(s, 1)
		for range 2000 {
			id, err := next(logits)
			require.NoError(t, err)
			n[id]++
		}
		return n
	}
	require.Equal(t, [5]int{1: 2000}, count(generate.Sampling{}), "of equal logits the first")
	require.Equal(t, [5]int{1: 2000}, count(generate.Sampling{Temperature: 1, TopK: 1}))
	require.Equal(t, [5]int{1: 2000}, count(generate.Sampling{Temperature: 1, TopP: 1e-9}))

	n := count(generate.Sampling{Temperature: 1})
	for id, share := range []float64{0.1462, 0.3974, 0.0538, 0.3974, 0} { // softmax
		require.InDelta(t, share, float64(n[id])/2000, 0.04, "token %d", id)
	}
	n = count(generate.Sampling{Temperature: 1, TopP: 0.8}) // 1 and 3 have 0.795
	require.Positive(t, n[0])
	require.Zero(t, n[2])
	n = count(generate.Sampling{Temperature: 1, TopP: 0.7})
	require.InDelta(t, 0.5, float64(n[1])/2000, 0.05)
	require.Zero(t, n[0]+n[2])
	n = count(generate.Sampling{Temperature: 1e-6})
	require.Equal(t, 2000, n[1]+n[3])

	for _, bad := range [][]float32{{float32(math.NaN()), 1}, {1, float32(math.NaN())}, {float32(math.Inf(1)), 1}, {float32(math.Inf(-1))}} {
		_, err := generate.Sampler(generate.Sampling{}, 1)(bad)
		require.ErrorContains(t, err, "not a number")
	}
}
