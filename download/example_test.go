package download_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/source"
)

// exampleSource stands for what source.Mux opens: s3://bucket/llama, for instance.
func exampleSource() source.Source {
	return newMemory(map[string][]byte{
		"config.json":       []byte("{}"),
		"model.safetensors": random(1, 3*mib),
	}, "sha256")
}

func exampleDir() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	return dir
}

func ExampleManager_Fetch() {
	ctx, src, dir := context.Background(), exampleSource(), exampleDir()
	defer os.RemoveAll(dir)

	man, err := download.Default.Fetch(ctx, src, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range man.Files {
		fmt.Println(f.Path, f.Size)
	}
	// Output:
	// config.json 2
	// model.safetensors 3145728
}

// A plan is a dry run: nothing is written, and no file is opened at the source.
func ExampleManager_Plan() {
	ctx, src, dir := context.Background(), exampleSource(), exampleDir()
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	man, err := src.Resolve(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	m := &download.Manager{PartSize: 2 << 20}
	plan, err := m.Plan(ctx, man, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("reuse", plan.Reuse, "fetch", plan.Fetch)
	for _, r := range plan.Ranges {
		fmt.Println(r.File.Path, r.Off, r.Len)
	}
	// Output:
	// reuse 2 fetch 3145728
	// model.safetensors 0 2097152
	// model.safetensors 2097152 1048576
}

func ExampleManager_Run() {
	ctx, src, dir := context.Background(), exampleSource(), exampleDir()
	defer os.RemoveAll(dir)

	man, err := src.Resolve(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := download.Default.Plan(ctx, man, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	var last download.Progress
	for progress, err := range download.Default.Run(ctx, src, plan) {
		if err != nil {
			fmt.Println(err)
			return
		}
		last = progress // draw a bar here
	}
	fmt.Printf("%d of %d files, %d of %d bytes\n", last.FilesDone, last.Files, last.BytesDone, last.Bytes)
	// Output: 2 of 2 files, 3145730 of 3145730 bytes
}

// Two Managers, say with different floors on speed, share connections and bandwidth.
func ExampleBudget() {
	ctx, src, dir := context.Background(), exampleSource(), exampleDir()
	defer os.RemoveAll(dir)

	budget := &download.Budget{Connections: 8, BytesPerSecond: 50 << 20}
	patient := &download.Manager{Budget: budget, MinSpeed: -1}
	eager := &download.Manager{Budget: budget, MinSpeed: 1 << 20}
	for i, m := range []*download.Manager{patient, eager} {
		man, err := m.Fetch(ctx, src, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(man.Files), "files")
	}
	// Output:
	// 2 files
	// 2 files
}

func ExampleCache_Acquire() {
	ctx, src, dir := context.Background(), exampleSource(), exampleDir()
	defer os.RemoveAll(dir)

	cache := &download.Cache{StoreDir: dir}
	for range 2 { // the second costs no request
		lease, err := cache.Acquire(ctx, download.Default, src, nil, nil, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(lease.Manifest.Files), "files until Close")
		if err := lease.Close(); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// 2 files until Close
	// 2 files until Close
}

// A model can be read while it arrives. What was read is believed when it is verified.
func ExampleCache_Stream() {
	ctx, src, dir := context.Background(), exampleSource(), exampleDir()
	defer os.RemoveAll(dir)

	man, err := src.Resolve(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	cache := &download.Cache{StoreDir: dir}
	arrival, err := cache.Stream(ctx, nil, src, man, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer arrival.Close()

	reader, weights := arrival.Reader(), man.Files[1]
	body, err := reader.Open(ctx, weights, 1<<20, 4096) // is fetched next
	if err != nil {
		fmt.Println(err)
		return
	}
	defer body.Close()
	n, err := io.Copy(io.Discard, body)
	fmt.Println("read", n, err)
	fmt.Println("verified", reader.Verified(ctx))
	lease, err := arrival.Lease()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in the cache:", len(lease.Manifest.Files), "files")
	// Output:
	// read 4096 <nil>
	// verified <nil>
	// in the cache: 2 files
}

func ExampleVerify() {
	ctx, src, dir := context.Background(), exampleSource(), exampleDir()
	defer os.RemoveAll(dir)

	man, err := download.Default.Fetch(ctx, src, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("[]"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(download.Verify(ctx, man, dir))
	// Output:
	// download.Verify config.json: corrupt: expected sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, got sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945 (remove it and fetch it again)
}
