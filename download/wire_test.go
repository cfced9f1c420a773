package download_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

const wirePart = mib

// TestFaultsOnTheWire fetches over HTTP, from a hub and its CDN, while each answer goes wrong in turn:
// what arrives is right, and costs no more requests and bytes than the fault is worth.
func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	const ranges = 4
	for name, tt := range map[string]struct {
		fault    hubtest.Fault
		requests int // to the hub beyond the least
		ranges   int // of the CDN beyond the least
		twice    int // bytes that are fetched again, at most
	}{
		"nothing":                {hubtest.Fault{Times: 0, Path: "never"}, 0, 0, 0},
		"500 for the revision":   {hubtest.Fault{Path: "/revision/", Times: 1, Do: hubtest.Status(500, "")}, 1, 0, 0},
		"503 for the list":       {hubtest.Fault{Path: "/tree/", Times: 1, Do: hubtest.Status(503, "")}, 2, 0, 0},
		"429 for the list":       {hubtest.Fault{Path: "/tree/", Times: 1, Do: hubtest.Status(429, "", "Retry-After", "1")}, 2, 0, 0},
		"502 for the link":       {hubtest.Fault{Path: "/resolve/", Times: 1, Do: hubtest.Status(502, "")}, 1, 0, 0},
		"429 for the link":       {hubtest.Fault{Path: "/resolve/", Times: 1, Do: hubtest.Status(429, "", "RateLimit", `"resolvers";r=0;t=0`)}, 1, 0, 0},
		"503 for bytes":          {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Status(503, "")}, 0, 1, 0},
		"429 for bytes":          {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Status(429, "", "Retry-After", "1")}, 0, 1, 0},
		"the link has expired":   {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Status(403, "")}, 1, 1, 0},
		"cut":                    {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Cut(100_000)}, 0, 1, 0},
		"reset":                  {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Reset(100_000)}, 0, 1, 0},
		"reset again and again":  {hubtest.Fault{CDN: true, Times: 12, Do: hubtest.Reset(300_000)}, 0, 12, 0},
		"silent":                 {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Stall(100_000)}, 0, 1, 0},
		"a bit flipped":          {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Flip(7)}, 0, ranges, ranges * wirePart},
		"the range is ignored":   {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.NoRange}, 0, 1, ranges * wirePart}, // given up where the others are told ranges
		"another range":          {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.OtherRange}, 0, 1, wirePart},
		"compressed without ask": {hubtest.Fault{CDN: true, Times: 1, Do: hubtest.Gzip}, 0, 1, wirePart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := random(3, ranges*wirePart)
			h := hubtest.New(t)
			h.Put("acme/tiny", "config.json", []byte(`{"a": 1}`))
			h.Put("acme/tiny", "model.safetensors", data)
			h.Break(tt.fault)
			var mux source.Mux
			mux.Handle("hf", hub.Opener(nil))
			src, err := mux.WithEnv(h.Env()).Open(t.Context(), "hf://acme/tiny")
			require.NoError(t, err)
			dir := t.TempDir()
			m := &download.Manager{PartSize: wirePart, StallTimeout: 30 * time.Second}
			if name == "silent" {
				m.StallTimeout = 2 * time.Second
			}
			_, err = m.Fetch(t.Context(), src, dir)
			require.NoError(t, err)
			requireFiles(t, dir, map[string][]byte{"config.json": []byte(`{"a": 1}`), "model.safetensors": data})

			toHub, toCDN, asked := 0, 0, 0
			for _, r := range h.Requests() {
				require.Equal(t, http.MethodGet, r.Method)
				if !r.CDN {
					toHub++
					continue
				}
				toCDN++
				asked += length(t, r.Range)
			}
			require.LessOrEqual(t, toHub, 5+tt.requests, "revision, list, config.json and where that leads, link: %v", h.Requests())
			require.LessOrEqual(t, toCDN, ranges+tt.ranges, "%v", h.Requests())
			require.LessOrEqual(t, asked, len(data)+tt.twice+tt.ranges*wirePart)
		})
	}
}

// length returns the bytes that a Range header asks for.
func length(t *testing.T, header string) int {
	t.Helper()
	var first, last int
	_, err := fmt.Sscanf(strings.TrimPrefix(header, "bytes="), "%d-%d", &first, &last)
	require.NoError(t, err, header)
	return last - first + 1
}
