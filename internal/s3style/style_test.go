package s3style_test

import (
	"testing"

	"github.com/spinup-llm/spinup/internal/s3style"
	"github.com/stretchr/testify/require"
)

func TestNeedsPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bucket, endpoint string
		want             bool
	}{
		{"models", "", false},
		{"mod.els", "", true},
		{"models", "http://127.0.0.1:9000", true},
		{"models", "https://s3.eu-west-1.amazonaws.com", false},
		{"mod.els", "https://s3.eu-west-1.amazonaws.com", true},
		{"models", "https://oss-cn-hangzhou.aliyuncs.com", false},
		{"models", "https://notaliyuncs.com", true},
		{"models", "%zz", false},
	} {
		require.Equal(t, c.want, s3style.NeedsPath(c.bucket, c.endpoint), c.endpoint)
	}
}
