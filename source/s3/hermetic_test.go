package s3_test

import (
	"context"
	"net/url"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/s3"
)

// hermetic is the driver's Opener with env and nothing of the process's environment.
func hermetic(env lifecycle.EnvVars) source.Opener {
	opener := s3.Opener(nil)
	return func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		o.Getenv = func(key string) string { return env[key] }
		return opener(ctx, u, o)
	}
}
