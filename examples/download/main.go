// Download brings a model to this machine and prints where it is.
//
//	download URI [-revision R] [-dir DIR]
//
// Without -dir it goes to the cache, where a second download finds it. Progress goes to
// stderr; the local path is the only line on stdout.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/cli"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/gcs"
	"github.com/spinup-llm/spinup/source/s3"
)

func main() {
	debug.SetGCPercent(50) // little is thrown away here, and the rest of the memory is for those who start engines
	os.Exit(cli.Main(false, run))
}

func run(ctx context.Context, args []string) error {
	flags := cli.Flags("download URI [-revision R] [-dir DIR]")
	revision := flags.String("revision", "", "branch, tag or commit of a hub model")
	dir := flags.String("dir", "", "plain directory to download to, instead of the cache")
	uris, err := cli.Parse(flags, args, 1)
	if err != nil {
		return err
	}
	uri := uris[0]
	if *revision != "" {
		_, missing := os.Stat(uri)
		switch scheme, _, ok := strings.Cut(uri, "://"); {
		case ok && scheme != "hf":
			return cli.Usage(flags, "-revision is for models of the hub; "+scheme+":// has none")
		case !ok && missing == nil:
			return cli.Usage(flags, "-revision is for models of the hub; "+uri+" is a path here")
		}
		uri += "@" + *revision
	}
	path, err := fetch(ctx, uri, *dir)
	if err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

// fetch returns the directory that holds the files of uri.
func fetch(ctx context.Context, uri, dir string) (string, error) {
	sources := spinup.Sources()
	sources.Handle("s3", s3.Opener(nil))
	sources.Handle("gs", gcs.Opener(nil))
	src, err := sources.Open(ctx, uri)
	if err != nil {
		return "", err
	}
	man, err := download.Default.Resolve(ctx, src)
	if err != nil {
		return "", err
	}
	if dir == "" {
		return cached(ctx, src, man)
	}
	plan, err := download.Default.Plan(ctx, man, dir)
	if err != nil {
		return "", err
	}
	for p, err := range download.Default.Run(ctx, src, plan) {
		if err != nil {
			return "", err
		}
		show(p)
	}
	return filepath.Abs(dir)
}

// cached brings the files to the cache, where they stay.
func cached(ctx context.Context, src source.Source, man *source.Manifest) (string, error) {
	lease, err := new(download.Cache).Acquire(ctx, download.Default, src, man, nil, show)
	if err != nil {
		return "", err
	}
	return lease.Dir, lease.Close()
}

func show(p download.Progress) {
	if p.Waiting != "" {
		fmt.Fprintf(os.Stderr, "waiting for %s\n", p.Waiting)
	}
	fmt.Fprintf(os.Stderr, "%d of %d files, %.1f of %.1f MB, %.1f MB/s\n",
		p.FilesDone, p.Files, float64(p.BytesDone)/1e6, float64(p.Bytes)/1e6, p.Rate/1e6)
}
