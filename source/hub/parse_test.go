package hub_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

var here = &url.URL{Scheme: "https", Host: "hub.example", Path: "/api/models/a/b/tree/c"}

func TestNextPage(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]string{
		"": "",
		`<https://hub.example/x?cursor=a%3D%3D>; rel="next"`: "https://hub.example/x?cursor=a%3D%3D",
		`</x?cursor=1,2;3>; rel=next`:                        "https://hub.example/x?cursor=1,2;3",
		`<?cursor=2>;rel="prev next"`:                        "https://hub.example/api/models/a/b/tree/c?cursor=2",
		`<a>; rel="first", <b>; title="x, y; <z>"; REL=NEXT`: "https://hub.example/api/models/a/b/tree/b",
		`<a>; rel="xet-auth"`:                                "",
		`<a>; rel=nextish`:                                   "",
		`<a; rel=next`:                                       "",
		`a; rel=next`:                                        "",
		`<ftp://x/>; rel=next`:                               "",
		`<http://u:p@x/>; rel=next`:                          "",
		`<http://[x/>; rel=next`:                             "",
	} {
		got := ""
		if u := hub.NextPage(link, here); u != nil {
			got = u.String()
		}
		require.Equal(t, want, got, link)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for headers, want := range map[[2]string]time.Duration{
		{"", ""}:                                  0,
		{`"api";r=0;t=55`, ""}:                    56 * time.Second,
		{`"api"; t=55; r=0`, "3"}:                 56 * time.Second,
		{`"api";r=12;t=55`, "3"}:                  3 * time.Second,
		{`"api";r=10;t=55`, ""}:                   0,
		{"junk", "Fri, 02 Jan 2026 03:04:15 GMT"}: 10 * time.Second,
		{"", "Fri, 02 Jan 2026 03:04:00 GMT"}:     0,
		{"", "-5"}:                                0,
		{"", "999999"}:                            time.Hour,
	} {
		require.Equal(t, want, hub.Pause(headers[0], headers[1], now), "%q", headers)
	}
}

func TestParseTree(t *testing.T) {
	t.Parallel()
	sha1, sha256 := strings.Repeat("1", 40), strings.Repeat("2", 64)
	files, err := hub.ParseTree([]byte(`[{"type":"directory","oid":"` + sha1 + `","size":0,"path":"a"},
		{"type":"file","oid":"` + sha1 + `","size":3,"path":"a/b"},
		{"type":"file","oid":"` + sha1 + `","size":134,"path":"c","lfs":{"oid":"` + sha256 + `","size":5000000000,"pointerSize":134},"xetHash":"x"}]`))
	require.NoError(t, err)
	require.Equal(t, []source.File{
		{Path: "a/b", Size: 3, Version: sha1, Digest: source.Digest{Algorithm: "git-sha1", Hex: sha1}},
		{Path: "c", Size: 5_000_000_000, Version: sha256, Digest: source.Digest{Algorithm: "sha256", Hex: sha256}},
	}, files)
}

func TestParseKept(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		``, `{}`, `{"format_version":2,"files":{}}`, `{"format_version":1,"files":{"a":{"size":1,"blob_id":"../x"}}}`,
	} {
		_, err := hub.ParseKept([]byte(data))
		require.Error(t, err, data)
	}
}

func FuzzNextPage(f *testing.F) {
	for _, s := range []string{`<https://x/y>; rel="next"`, `<a>; rel="first", <b>; rel=next`, `<a>;`, `,,<>;rel="\""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, link string) {
		if u := hub.NextPage(link, here); u != nil {
			require.Contains(t, []string{"http", "https"}, u.Scheme)
			require.NotEmpty(t, u.Hostname())
			require.Nil(t, u.User)
		}
	})
}

func FuzzPause(f *testing.F) {
	f.Add(`"api";r=0;t=55`, "7")
	f.Add("", "Fri, 02 Jan 2026 03:04:15 GMT")
	f.Fuzz(func(t *testing.T, rateLimit, retryAfter string) {
		wait := hub.Pause(rateLimit, retryAfter, time.Now())
		require.True(t, wait >= 0 && wait <= time.Hour)
	})
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte(`[{"type":"file","oid":"0123456789012345678901234567890123456789","size":3,"path":"a"}]`))
	f.Add([]byte(`[{"type":"file","size":3,"path":"a","lfs":{"oid":"x","size":-1}},{"type":"directory"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := hub.ParseTree(data)
		if err != nil {
			require.Empty(t, files)
		}
		for _, file := range files {
			require.NotNil(t, file.Digest.NewHash(file.Size))
			require.Equal(t, file.Version, file.Digest.Hex)
			require.Contains(t, []int{40, 64}, len(file.Version))
		}
	})
}

func FuzzParseKept(f *testing.F) {
	f.Add([]byte(`{"format_version":1,"files":{"a":{"size":1,"blob_id":"0123456789012345678901234567890123456789"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := hub.ParseKept(data)
		if err != nil {
			require.Empty(t, files)
		}
		for _, file := range files {
			require.NotNil(t, file.Digest.NewHash(file.Size))
			require.Contains(t, []int{40, 64}, len(file.Version))
		}
	})
}

func FuzzParseRevision(f *testing.F) {
	f.Add([]byte(`{"id":"a/b","sha":"0123456789012345678901234567890123456789"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id, sha, err := hub.ParseRevision(data); err == nil {
			require.Regexp(t, `^[0-9a-f]{40}$`, sha)
			require.True(t, hub.IsRepoID(id))
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"x","b":"x","c":"y"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if shards, err := hub.ParseIndex(data); err == nil {
			require.NotEmpty(t, shards)
			require.True(t, slices.IsSorted(shards))
			require.Len(t, slices.Compact(slices.Clone(shards)), len(shards))
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("*.[a-z]?", "a/b.c")
	f.Add("[!]-", "]")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		hub.Match(pattern, path)
		require.True(t, hub.Match("*", path))
	})
}
