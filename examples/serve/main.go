// Serve deploys a Ray Serve LLM configuration file on this machine, behind the OpenAI API:
// what "serve deploy config.yaml" does on a Ray cluster.
//
//	serve CONFIG.yaml [-addr HOST:PORT] [-accelerator none] [-compile-cache URI] [-standbys N] [-stream-through-host] [-tls-cert FILE -tls-key FILE] [-verbose]
//
// The environment's SPINUP_API_KEYS, separated by commas, are the keys that requests have to
// send one of; without it the API is open to all that reach the address.
//
// It tells its address on stderr, serves /debug/startup beside the API, and ends with 0 on
// SIGTERM or SIGINT, when the requests in flight have ended.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/cli"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/spinup-llm/spinup/source/gcs"
	"github.com/spinup-llm/spinup/source/s3"
)

func main() {
	reference.Main() // becomes the engine when the program is started as one
	os.Exit(cli.Main(true, run))
}

func run(ctx context.Context, args []string) error {
	flags := cli.Flags("serve CONFIG.yaml [flags]")
	addr := flags.String("addr", "127.0.0.1:8000", "address to listen on; port 0 takes a free one")
	accelerator := flags.String("accelerator", "", `"none" runs on the CPU, whatever the configuration asks for`)
	compiled := flags.String("compile-cache", "", "directory or bucket for what engines compile; see docs/compilecache.md")
	standbys := flags.Int("standbys", 0, "engine processes of each model that wait, with their imports done, for a replica that needs one")
	cert := flags.String("tls-cert", "", "file with the certificate chain, for HTTPS")
	key := flags.String("tls-key", "", "file with its private key")
	through := flags.Bool("stream-through-host", false, "keep a copy of weights that engines stream, for all of them (docs/streaming.md)")
	verbose := flags.Bool("verbose", false, "log progress and the engine's output")
	files, err := cli.Parse(flags, args, 1)
	if err != nil {
		return err
	}
	if *accelerator != "" && *accelerator != "none" {
		return cli.Usage(flags, `-accelerator takes "none"`)
	}
	o := options(*accelerator, *verbose)
	o.CompileCache = *compiled
	o.Standbys = *standbys
	o.StreamThroughHost = *through
	if *standbys < 0 || (*cert == "") != (*key == "") {
		return cli.Usage(flags, "-standbys is 0 or more, and -tls-cert and -tls-key come together")
	}
	if o.Gateway.Keys, err = apiKeys(); err != nil {
		return err
	}
	scheme := "http"
	if *cert != "" {
		scheme = "https"
		if o.TLS, err = certificate(*cert, *key); err != nil {
			return err
		}
	}
	dep, err := deployment(files[0], o)
	if err != nil {
		return err
	}
	l, err := spinup.Listen(ctx, *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "listening on %s://%s\n", scheme, l.Addr())
	mux := http.NewServeMux()
	mux.Handle("/", dep.Handler())
	mux.Handle("GET /debug/startup", dep.StartupPage())
	return dep.ServeHandler(ctx, l, mux)
}

func deployment(file string, o *spinup.Options) (*spinup.Deployment, error) {
	f, err := cli.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	apps, err := spinup.Load(file, f)
	if err != nil {
		return nil, err // every problem, each with line and column
	}
	for _, app := range apps {
		for _, w := range app.Warnings {
			fmt.Fprintln(os.Stderr, "warning:", w)
		}
	}
	return spinup.FromApplications(o, apps)
}

// certificate is what HTTPS needs, from two PEM files.
func certificate(cert, key string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "serve", Kind: lifecycle.Invalid, Target: cert, Err: err,
			Hint: "give PEM files that can be read: -tls-cert the certificate with its chain, -tls-key its private key",
		}
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// apiKeys returns nil only where nobody asks for keys.
func apiKeys() (keys []replica.Key, err error) {
	const name = "SPINUP_API_KEYS"
	text, set := os.LookupEnv(name)
	for key := range strings.SplitSeq(text, ",") {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, replica.NewKey(key))
		}
	}
	if set && keys == nil {
		return nil, &lifecycle.Error{
			Op: "serve", Kind: lifecycle.Invalid, Target: name, Err: errors.New("it holds no key"),
			Hint: "give keys, separated by commas, or unset it: then the API is open to all that reach the address",
		}
	}
	return keys, nil
}

func options(accelerator string, verbose bool) *spinup.Options {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	sources := spinup.Sources()
	sources.Handle("s3", s3.Opener(nil))
	sources.Handle("gs", gcs.Opener(nil))
	return &spinup.Options{
		Sources:     sources,
		Provisioner: &local.Provisioner{Accelerator: accelerator},
		Logger:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
}
