package owed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spinup-llm/spinup/source/internal/owed"
	"github.com/stretchr/testify/require"
)

func TestBody(t *testing.T) {
	t.Parallel()
	explain := func(err error) error { return fmt.Errorf("explained: %w", err) }
	for name, c := range map[string]struct {
		from io.Reader
		owes int64
		want string
		err  error
	}{
		"all":          {strings.NewReader("data"), 4, "data", nil},
		"more":         {strings.NewReader("data and more"), 4, "data", nil},
		"with the end": {iotest.DataErrReader(strings.NewReader("data")), 4, "data", nil},
		"nothing":      {strings.NewReader("data"), 0, "", nil},
		"too early":    {strings.NewReader("dat"), 4, "dat", io.ErrUnexpectedEOF},
		"broken":       {io.MultiReader(strings.NewReader("dat"), iotest.ErrReader(errors.ErrUnsupported)), 4, "dat", errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := io.ReadAll(owed.New(t.Context(), io.NopCloser(c.from), c.owes, explain))
			require.Equal(t, c.want, string(got))
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.err != nil, err != nil && strings.HasPrefix(err.Error(), "explained: "))
		})
	}
}

func TestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := owed.New(ctx, io.NopCloser(strings.NewReader("data")), 4, func(err error) error { return err }).Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
}
