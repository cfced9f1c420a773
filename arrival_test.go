package spinup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

const weightFile = "model.safetensors"

// origin is a source over the quickstart's model, whose weights a test may spoil.
type origin struct {
	uri    string
	served atomic.Int64                                           // bytes of weights, without headers
	spoil  func(ctx context.Context, try int, b []byte) io.Reader // of ranges from the beginning; nil is no fault
	tries  atomic.Int64
}

func (o *origin) Resolve(context.Context) (*source.Manifest, error) {
	entries, err := os.ReadDir(tinyModel)
	if err != nil {
		return nil, err
	}
	var files []source.File
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(tinyModel, e.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		files = append(files, source.File{
			Path: e.Name(), Size: int64(len(data)), Version: "1",
			Digest: source.Digest{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])},
		})
	}
	return source.NewManifest(o.uri, "1", files)
}

func (o *origin) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	n, err := f.Clip(off, n)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(tinyModel, f.Path))
	if err != nil {
		return nil, err
	}
	data = data[off : off+n]
	if f.Path != weightFile || n <= 64<<10 { // as of a header
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	o.served.Add(n)
	if o.spoil != nil && off == 0 {
		return io.NopCloser(o.spoil(ctx, int(o.tries.Add(1)), data)), nil
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// streaming is an engine that reads its model from the store of its host before it starts: the
// reference engine, in a folder of its own.
type streaming struct {
	reference.Engine
	root  string // of the folders
	first func() // called when a byte of the weights is there; may be nil

	mu    sync.Mutex
	dirs  map[string]string // by access key
	specs []engine.Spec
}

func (*streaming) ReadsStore(engine.Spec) error  { return nil }
func (*streaming) CheckKwargs(engine.Spec) error { return nil }

func (e *streaming) Check(spec engine.Spec) error {
	e.mu.Lock()
	e.specs = append(e.specs, spec)
	e.mu.Unlock()
	spec.Kwargs = nil
	if spec.Store == nil {
		return e.Engine.Check(spec)
	}
	dir, err := os.MkdirTemp(e.root, "engine")
	if err != nil {
		return err
	}
	spec.Dir = dir
	e.mu.Lock()
	e.dirs[spec.Store.AccessKey] = spec.Dir
	e.mu.Unlock()
	if err := e.read(spec); err != nil {
		return &lifecycle.Error{Kind: lifecycle.EngineFailed, Err: err}
	}
	spec.Weights = nil
	return e.Engine.Check(spec)
}

func (e *streaming) Command(spec engine.Spec) (engine.Command, error) {
	spec.Kwargs, spec.Weights = nil, nil
	if spec.Store != nil {
		e.mu.Lock()
		spec.Dir = e.dirs[spec.Store.AccessKey]
		e.mu.Unlock()
	}
	return e.Engine.Command(spec)
}

func (e *streaming) read(spec engine.Spec) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := awss3.New(awss3.Options{
		BaseEndpoint: aws.String(spec.Store.Endpoint.String()), UsePathStyle: true, Region: "us-east-1", RetryMaxAttempts: 1,
		HTTPClient:  &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(spec.Store.AccessKey, spec.Store.SecretKey, ""),
	})
	prefix := spec.Weights.Path[1:] + "/"
	list, err := client.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &spec.Weights.Host, Prefix: &prefix})
	if err != nil {
		return err
	}
	for _, o := range list.Contents {
		name := (*o.Key)[len(prefix):]
		object, err := client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &spec.Weights.Host, Key: o.Key, IfMatch: o.ETag})
		if err != nil {
			return err
		}
		data := make([]byte, *object.ContentLength)
		_, err = io.ReadFull(object.Body, data[:1])
		if err == nil && name == weightFile && e.first != nil {
			e.first()
		}
		if err == nil {
			_, err = io.ReadFull(object.Body, data[1:])
		}
		if _ = object.Body.Close(); err != nil {
			return err
		}
		if err = os.WriteFile(filepath.Join(spec.Dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// through deploys o's model for e, in replicas. An Update may turn to those of others.
func through(t *testing.T, o *origin, e *streaming, c *download.Cache, replicas int, others ...*origin) *spinup.Deployment {
	t.Helper()
	e.root, e.dirs = t.TempDir(), map[string]string{}
	opts := quiet()
	opts.Sources = spinup.Sources()
	all := append(others, o)
	opts.Sources.Handle("origin", func(_ context.Context, u *url.URL, _ *source.OpenOptions) (source.Source, error) {
		return all[slices.IndexFunc(all, func(o *origin) bool { return o.uri == u.String() })], nil
	})
	opts.Sources.Handle("s3", s3.Opener(nil))
	opts.Downloads = &download.Manager{Attempts: 2, Logger: quiet().Logger}
	opts.Cache = c
	opts.Engines = map[string]engine.Engine{"reference": e}
	return begin(t, opts, o.config(replicas))
}

func (o *origin) config(replicas int) *spinup.LLMConfig {
	n := spinup.NumReplicas(replicas)
	return &spinup.LLMConfig{
		LLMEngine:          "reference",
		ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "tiny", ModelSource: spinup.From(o.uri)},
		EngineKwargs:       spinup.EngineOptions{LoadFormat: "runai_streamer"},
		DeploymentConfig:   spinup.DeploymentConfig{NumReplicas: &n},
	}
}

// The engine reads the first bytes before the last have come, serves only when all are known
// to be right, and a verified copy stays, from which the next start reads.
func TestWeightsAreReadWhileTheyArrive(t *testing.T) {
	t.Parallel()
	rest := make(chan struct{})
	o := &origin{uri: "origin://host/model", spoil: func(_ context.Context, _ int, b []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(b[:len(b)/2]), after{rest, bytes.NewReader(b[len(b)/2:])})
	}}
	e := &streaming{first: sync.OnceFunc(func() { close(rest) })}
	c := cache(t)
	d := through(t, o, e, c, 1)
	require.NoError(t, d.Ready(t.Context()))
	status, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, status, body)
	told(t, d, lifecycle.StageDownload, "streams 1 weight files, 0.00 GB, from this host, to which they come from origin://host/model")
	spec := e.specs[0]
	require.Equal(t, "s3", spec.Weights.Scheme)
	require.FileExists(t, filepath.Join(spec.Dir, weightFile))
	require.NoError(t, d.Stop(t.Context()))
	_, err := new(net.Dialer).DialContext(t.Context(), "tcp", spec.Store.Endpoint.Host)
	require.Error(t, err, "the store is still there")

	again := &streaming{}
	d = through(t, o, again, c, 1)
	require.NoError(t, d.Ready(t.Context()))
	require.Nil(t, again.specs[0].Store)
	require.Nil(t, again.specs[0].Weights)
	require.Equal(t, spec.Dir, again.specs[0].Dir)
	require.Equal(t, size(t), o.served.Load())
}

type after struct {
	open <-chan struct{}
	io.Reader
}

func (a after) Read(p []byte) (int, error) {
	<-a.open
	return a.Reader.Read(p)
}

func size(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(tinyModel, weightFile))
	require.NoError(t, err)
	return info.Size()
}

// Replicas that start together, each with a store and keys of its own, cost one download.
func TestReplicasShareAnArrival(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup
	both.Add(2)
	rest := make(chan struct{})
	o := &origin{uri: "origin://host/model", spoil: func(_ context.Context, _ int, b []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(b[:len(b)/2]), after{rest, bytes.NewReader(b[len(b)/2:])})
	}}
	e := &streaming{first: func() { both.Done() }}
	go func() {
		both.Wait()
		close(rest)
	}()
	d := through(t, o, e, cache(t), 2)
	require.NoError(t, d.Ready(t.Context()))
	require.Equal(t, size(t), o.served.Load())
	require.Len(t, e.specs, 2)
	require.NotEqual(t, e.specs[0].Store.AccessKey, e.specs[1].Store.AccessKey)
	require.NotEqual(t, e.specs[0].Store.Endpoint, e.specs[1].Store.Endpoint)
	require.Equal(t, e.specs[0].Weights, e.specs[1].Weights)
}

// An engine that has read wrong bytes never serves. The next one reads what was fetched once
// more; where that is wrong too, the model is given up.
func TestWrongWeightsAreNotServed(t *testing.T) {
	t.Parallel()
	for wrong, kind := range map[int]lifecycle.Kind{1: 0, 2: lifecycle.Corrupt} {
		t.Run(fmt.Sprint(wrong), func(t *testing.T) {
			t.Parallel()
			o := &origin{uri: "origin://host/model", spoil: func(_ context.Context, try int, b []byte) io.Reader {
				if try <= wrong {
					b = bytes.Clone(b)
					b[len(b)/2-1] ^= 1
				}
				return bytes.NewReader(b)
			}}
			seen := make(chan struct{})
			spoil := o.spoil
			o.spoil = func(ctx context.Context, try int, b []byte) io.Reader { // the rest comes when the beginning was read
				r := spoil(ctx, try, b)
				if try == 1 {
					return io.MultiReader(io.LimitReader(r, int64(len(b)/2)), after{seen, r})
				}
				return r
			}
			e := &streaming{first: sync.OnceFunc(func() { close(seen) })}
			d := through(t, o, e, cache(t), 1)
			err := d.Ready(t.Context())
			if kind != 0 {
				require.ErrorIs(t, err, kind)
				return
			}
			require.NoError(t, err)
			status, body := chat(t, d.Handler(), "", "tiny")
			require.Equal(t, http.StatusOK, status, body)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for e := range d.Events(ctx) {
				if e.Phase == lifecycle.Fail && lifecycle.KindOf(e.Err) == lifecycle.Unavailable {
					require.ErrorContains(t, e.Err, "prove wrong")
					return
				}
			}
			require.Fail(t, "nothing was told of it")
		})
	}
}

// A download that fails ends the engine's start, and the next start goes on with it.
func TestAnArrivalThatFails(t *testing.T) {
	t.Parallel()
	o := &origin{uri: "origin://host/model", spoil: func(_ context.Context, try int, b []byte) io.Reader {
		if try <= 2 {
			return io.MultiReader(bytes.NewReader(b[:0]), broken{})
		}
		return bytes.NewReader(b)
	}}
	e := &streaming{}
	d := through(t, o, e, cache(t), 1)
	require.NoError(t, d.Ready(t.Context()))
	require.Equal(t, int64(3), o.tries.Load())
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A deployment that stops while weights arrive stops at once, and keeps what has come.
func TestStopWhileWeightsArrive(t *testing.T) {
	t.Parallel()
	reading := make(chan struct{})
	o := &origin{uri: "origin://host/model", spoil: func(ctx context.Context, _ int, b []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(b[:len(b)/2]), after{ctx.Done(), broken{}})
	}}
	e := &streaming{first: sync.OnceFunc(func() { close(reading) })}
	d := through(t, o, e, cache(t), 1)
	<-reading
	require.NoError(t, d.Stop(t.Context()))
	_, err := new(net.Dialer).DialContext(t.Context(), "tcp", e.specs[0].Store.Endpoint.Host)
	require.Error(t, err, "the store is still there")
}

// Weights that only a refused Update wanted are not fetched any further.
func TestARefusedUpdateFetchesNoMore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan struct{})
	next := &origin{uri: "origin://host/next", spoil: func(ctx context.Context, _ int, b []byte) io.Reader {
		context.AfterFunc(ctx, func() { close(over) })
		return io.MultiReader(bytes.NewReader(b[:len(b)/2]), after{ctx.Done(), broken{}})
	}}
	var read atomic.Int32
	e := &streaming{first: func() {
		if read.Add(1) == 2 { // the first one serves
			cancel()
		}
	}}
	d := through(t, &origin{uri: "origin://host/model"}, e, cache(t), 1, next)
	require.NoError(t, d.Ready(t.Context()))
	require.ErrorIs(t, d.Update(ctx, next.config(1)), lifecycle.Canceled)
	select {
	case <-over:
	case <-time.After(time.Minute):
		require.Fail(t, "the download goes on")
	}
	status, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, status, body)
}

// Of a bucket the engine reads from this host when it is told to, or cannot read it itself.
func TestBucketsThroughTheHost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		through bool
		uri     string
		kwargs  spinup.EngineOptions
		store   bool
	}{
		"by itself":         {false, "s3://models/llama", spinup.EngineOptions{LoadFormat: "runai_streamer"}, false},
		"through the host":  {true, "s3://models/llama", spinup.EngineOptions{LoadFormat: "runai_streamer"}, true},
		"public, but signs": {false, "s3://anonymous@models/llama", spinup.EngineOptions{LoadFormat: "runai_streamer_sharded"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, hold := s3test.NewFake(t), make(chan struct{})
			t.Cleanup(func() { close(hold) })
			upload(t, fake, shardedModel(t))
			fake.Put("models", "llama/model-rank-0-part-0.safetensors", []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
			fake.Put("models", "llama/more.bin", []byte("which never comes"))
			fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
				if filepath.Base(r.URL.Path) == "more.bin" && r.Method == http.MethodGet {
					<-hold
				}
				return false
			}
			seen := &inspectedStore{}
			o := withS3(t, seen)
			o.StreamThroughHost = c.through
			d := begin(t, o, streamingConfig(c.uri, fake.Env(), c.kwargs))
			require.ErrorIs(t, d.Ready(t.Context()), errSeen)
			require.NotNil(t, seen.specs[0].Weights)
			require.Equal(t, c.store, seen.specs[0].Store != nil)
		})
	}
}

type inspectedStore struct{ inspected }

func (*inspectedStore) ReadsStore(engine.Spec) error { return nil }
