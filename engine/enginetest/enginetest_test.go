package enginetest_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/enginetest"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	fakeengine.Main()
	goleak.VerifyTestMain(m)
}

func TestFakeEnginePasses(t *testing.T) {
	t.Parallel()
	spec := fakeengine.Spec(t, "brood")
	require.NoError(t, randmodel.Write(spec.Dir, randmodel.Options{}))
	adapter := engine.Adapter{Name: "lora", Dir: t.TempDir()}
	require.NoError(t, randmodel.WriteAdapter(adapter.Dir, randmodel.AdapterOptions{}))
	enginetest.Run(t, enginetest.Config{
		Engine: fakeengine.Engine{}, Spec: spec, Adapter: adapter,
		Bad: map[string]engine.Spec{"a file": {Dir: "enginetest_test.go"}},
	})
}

func TestFakePreloaderPasses(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Config{Engine: fakeengine.Early{}, Spec: fakeengine.Spec(t, "early-slow", "brood")})
}

// broken are drivers that the suite must not pass, by what it says of them.
var broken = map[string]engine.Engine{
	"Check accepts":                   lax{},
	"can read the arguments":          gossip{},
	"Explain(":                        mute{},
	"is no *lifecycle.Error":          gruff{},
	"equal specs make equal commands": moody{new(int)},
	"the engine is told where":        deaf{},
	"the same processes are vital":    careless{},
	"CannotPreload says why":          unable{},
	"is told the adapter":             vague{},
}

type (
	careless struct{ fakeengine.Early }
	unable   struct{ fakeengine.Early }
	vague    struct{ fakeengine.Engine }
	lax      struct{ fakeengine.Engine }
	gruff    struct{ fakeengine.Engine }
	gossip   struct{ fakeengine.Engine }
	deaf     struct{ fakeengine.Engine }
	mute     struct{ fakeengine.Engine }
	moody    struct{ calls *int }
	silent   struct{ engine.Parser }
)

func (lax) Check(engine.Spec) error { return nil }

func (g gruff) Check(s engine.Spec) error {
	if g.Engine.Check(s) != nil {
		return os.ErrNotExist
	}
	return nil
}

func (g gossip) Command(s engine.Spec) (engine.Command, error) {
	cmd, err := g.Engine.Command(s)
	cmd.Args = append(cmd.Args, s.Env.Environ()...)
	return cmd, err
}

func (c careless) Preload(s engine.Spec) (engine.Command, error) {
	cmd, err := c.Early.Preload(s)
	cmd.Vital = nil
	return cmd, err
}

func (unable) Preload(engine.Spec) (engine.Command, error) {
	return engine.Command{}, &lifecycle.Error{Op: "unable.Preload", Kind: lifecycle.Invalid, Err: os.ErrInvalid, Hint: "try another"}
}

func (v vague) LoadAdapter(a engine.Adapter) engine.Call {
	a.Dir = ""
	return v.Engine.LoadAdapter(a)
}

func (d deaf) Command(s engine.Spec) (engine.Command, error) {
	s.Addr = ""
	return d.Engine.Command(s)
}

func (m moody) Command(s engine.Spec) (engine.Command, error) {
	*m.calls++
	cmd, err := fakeengine.Engine{}.Command(s)
	cmd.Args = append(cmd.Args, string(rune('a'+*m.calls)))
	return cmd, err
}

func (moody) Name() string                          { return "moody" }
func (moody) Check(s engine.Spec) error             { return fakeengine.Engine{}.Check(s) }
func (moody) NewParser(s engine.Spec) engine.Parser { return fakeengine.Engine{}.NewParser(s) }

func (m mute) NewParser(s engine.Spec) engine.Parser { return silent{m.Engine.NewParser(s)} }
func (silent) Explain(int) *lifecycle.Error          { return nil }

const caseVar = "ENGINETEST_BROKEN"

func TestBrokenDriversFail(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	for says := range broken {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestOneBrokenDriver$")
		cmd.Env = append(os.Environ(), caseVar+"="+says)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, says)
		require.Contains(t, string(out), says)
	}
}

// TestOneBrokenDriver fails when TestBrokenDriversFail runs it.
func TestOneBrokenDriver(t *testing.T) {
	t.Parallel()
	if e := broken[os.Getenv(caseVar)]; e != nil {
		enginetest.Run(t, enginetest.Config{Engine: e, Spec: fakeengine.Spec(t), CannotRun: "it is broken"})
	}
}
