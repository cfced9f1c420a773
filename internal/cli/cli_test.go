package cli_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"testing"

	"github.com/spinup-llm/spinup/internal/cli"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestFlagsStandBeforeOrAfterTheArgument(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-addr", "x", "file"}, {"file", "-addr", "x"}, {"--addr=x", "file"}, {"-addr", "x", "--", "file"},
	} {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		addr := flags.String("addr", "", "")
		rest, err := cli.Parse(flags, args, 1)
		require.NoError(t, err)
		require.Equal(t, []string{"file"}, rest)
		require.Equal(t, "x", *addr)
	}
}

func TestArgumentsAfterDashesAreLiteral(t *testing.T) {
	t.Parallel()
	rest, err := cli.Parse(flag.NewFlagSet("test", flag.ContinueOnError), []string{"--", "-addr"}, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"-addr"}, rest)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	_, usage := cli.Parse(flags, nil, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	canceled := &lifecycle.Error{Op: "x", Kind: lifecycle.Canceled}
	failed := &lifecycle.Error{Op: "x", Kind: lifecycle.NotFound, Hint: "look elsewhere"}
	for _, c := range []struct {
		ctx      context.Context //nolint:containedctx // a row of the table
		graceful bool
		err      error
		want     int
	}{
		{t.Context(), false, nil, cli.Done},
		{t.Context(), true, nil, cli.Done},
		{t.Context(), false, failed, cli.Failed},
		{t.Context(), false, errors.New("x"), cli.Failed},
		{t.Context(), false, usage, cli.WrongUsage},
		{t.Context(), false, flag.ErrHelp, cli.Done},
		{ended, false, nil, cli.Interrupted},
		{ended, false, canceled, cli.Interrupted},
		{ended, true, nil, cli.Done},
		{ended, true, failed, cli.Failed},
	} {
		require.Equal(t, c.want, cli.Report(c.ctx, io.Discard, c.graceful, c.err), "%v %v", c.graceful, c.err)
	}
}
