package generate

// Stopper is the cutter at stop texts, for tests of its properties.
type Stopper = stopper

// NewStopper returns one.
func NewStopper(stops ...string) *Stopper { return &stopper{stops: stops} }

// Add adds text.
func (s *Stopper) Add(text string) (string, bool) { return s.add(text) }

// Rest returns what is held back.
func (s *Stopper) Rest() string { return s.rest() }

// Sampler returns a function that samples from logits.
func Sampler(s Sampling, seed int64) func([]float32) (int, error) {
	g := &Generator{opts: Options{Seed: &seed}}
	return g.sampler(s).next
}
