//go:build unix

package download_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// BenchmarkFetch fetches a model of SPINUP_BENCH_MIB (default 64) in four large and forty
// small files from a server in another process, and reports what that costs this one.
// SPINUP_BENCH_DIR is the folder for both sides; one in memory leaves the disk out of it.
func BenchmarkFetch(b *testing.B) {
	total := 64
	if s := os.Getenv("SPINUP_BENCH_MIB"); s != "" {
		var err error
		total, err = strconv.Atoi(s)
		require.NoError(b, err)
	}
	base, err := os.MkdirTemp(os.Getenv("SPINUP_BENCH_DIR"), "bench") //nolint:usetesting // it can be in memory
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(base) })
	files := writeModel(b, filepath.Join(base, "origin"), int64(total)*mib)
	url := startServer(b, filepath.Join(base, "origin"))
	for _, algorithm := range []string{"", "crc64nvme", "sha256"} {
		b.Run("digest="+algorithm, func(b *testing.B) {
			src := newWeb(url, withDigests(b, files, filepath.Join(base, "origin"), algorithm))
			b.SetBytes(src.man.Size())
			var cpu float64
			b.ResetTimer()
			for range b.N {
				dir := filepath.Join(base, "copy")
				before := cpuSeconds(b)
				_, err := new(download.Manager).Fetch(b.Context(), src, dir)
				require.NoError(b, err)
				b.StopTimer()
				cpu += cpuSeconds(b) - before
				require.NoError(b, os.RemoveAll(dir))
				b.StartTimer()
			}
			gigabytes := float64(src.man.Size()) * float64(b.N) / 1e9
			b.ReportMetric(cpu/gigabytes, "cpu-s/GB")
			b.ReportMetric(peakMemory(b), "peak-MB")
		})
	}
}

func writeModel(b *testing.B, dir string, total int64) []source.File {
	b.Helper()
	require.NoError(b, os.MkdirAll(dir, 0o755))
	var files []source.File
	add := func(name string, size int64) {
		f, err := os.Create(filepath.Join(dir, name))
		require.NoError(b, err)
		defer f.Close()
		_, err = io.CopyN(f, rand.Reader, size)
		require.NoError(b, err)
		files = append(files, source.File{Path: name, Size: size, Version: "1"})
	}
	for i := range 4 {
		add(fmt.Sprintf("model-%d.safetensors", i), total/4)
	}
	for i := range 40 {
		add(fmt.Sprintf("small-%02d.json", i), 10_000+int64(i)*1000)
	}
	return files
}

func withDigests(b *testing.B, files []source.File, dir, algorithm string) []source.File {
	b.Helper()
	if algorithm == "" {
		return files
	}
	var out []source.File
	for _, f := range files {
		f.Digest.Algorithm = algorithm
		h := f.Digest.NewHash(f.Size)
		r, err := os.Open(filepath.Join(dir, f.Path))
		require.NoError(b, err)
		_, err = io.Copy(h, r)
		require.NoError(b, err)
		r.Close()
		f.Digest.Hex = fmt.Sprintf("%x", h.Sum(nil))
		out = append(out, f)
	}
	return out
}

func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakMemory is the most resident memory of this process so far.
func peakMemory(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			require.NoError(b, err)
			return kb / 1e3
		}
	}
	return 0
}
