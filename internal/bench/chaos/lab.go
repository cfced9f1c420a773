//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"golang.org/x/sys/unix"
)

// modelID is the name under which the model is served.
const modelID = "chaos"

// A lab is a deployment under load, and what it stands on.
type lab struct {
	*options
	now    io.Writer // what happens
	rand   *rand.Rand
	ledger ledger
	load   *load
	routes *routes

	files  *httptest.Server
	link   *link  // between the deployment and files
	made   string // the folder of the model, where none was given
	work   string
	disk   *disk // of the cache; nil where it cannot be made
	nodisk error // why

	dep       *spinup.Deployment
	transport *http.Transport
	revision  int // of the configuration
	received  *counter
	stop      context.CancelFunc // as a signal does
	served    chan error         // of one: when the deployment has stopped
}

// newLab prepares everything but the deployment. close it.
func newLab(ctx context.Context, o *options, now io.Writer) (*lab, error) {
	l := &lab{
		options: o, now: now, routes: newRoutes(), served: make(chan error, 1),
		rand:      chance(o.seed),
		transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	// What loses its parent becomes a child of this process, where it is counted.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	var err error
	if l.work, err = os.MkdirTemp("", "spinup-chaos-"); err != nil {
		return nil, err
	}
	size, err := l.prepare()
	if err != nil {
		l.remove()
		return nil, err
	}
	l.disk, l.nodisk = newDisk(l.work, int64(o.kills+4)*size+(64<<20))
	l.files = httptest.NewServer(files(o.model))
	if l.link, err = newLink(ctx, l.files.Listener.Addr().String()); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// prepare returns the size of the model, which it makes where none is given.
func (l *lab) prepare() (size int64, err error) {
	if l.model == "" {
		l.model = l.work + "-model" // beside what will be a small disk
		if err := os.Mkdir(l.model, 0o700); err != nil {
			return 0, err
		}
		l.made = l.model
		if err := randmodel.Write(l.model, randmodel.Options{}); err != nil {
			return 0, err
		}
	}
	return folderSize(l.model)
}

// chance is the same for the same seed.
func chance(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
}

func (l *lab) close() {
	l.transport.CloseIdleConnections()
	if l.link != nil {
		l.link.close()
	}
	l.files.Close()
	if l.disk != nil {
		l.disk.close()
	}
	l.remove()
}

// remove removes the folders that were made here.
func (l *lab) remove() {
	_ = os.RemoveAll(l.work)
	if l.made != "" {
		_ = os.RemoveAll(l.made)
	}
}

func folderSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// config is the present revision, which has files of its own.
func (l *lab) config() *spinup.LLMConfig {
	n := spinup.NumReplicas(l.replicas)
	kwargs := spinup.EngineOptions{MaxModelLen: 256}
	if l.engine == vLLM {
		kwargs.EnforceEager = new(true) // compiling is no part of a fault
	}
	return &spinup.LLMConfig{
		LLMEngine: l.engine,
		ModelLoadingConfig: spinup.ModelLoadingConfig{
			ModelID: modelID, ModelSource: spinup.From("http://" + l.link.Addr + "/" + strconv.Itoa(l.revision) + "/"),
		},
		// What an engine cannot do now waits for any replica, and not at this one.
		DeploymentConfig: spinup.DeploymentConfig{NumReplicas: &n, MaxOngoingRequests: 8},
		EngineKwargs:     kwargs,
	}
}

// start brings the deployment up behind its door and returns once it is at full strength.
func (l *lab) start(ctx context.Context) error {
	logger := slog.New(slog.DiscardHandler)
	if l.verbose {
		logger = slog.New(slog.NewTextHandler(l.now, nil))
	}
	dep, err := spinup.New(&spinup.Options{
		Cache:       &download.Cache{StoreDir: filepath.Join(l.work, "store")},
		Provisioner: &local.Provisioner{Accelerator: l.accelerator},
		Limits:      replica.Limits{Stall: l.stall},
		Pick:        l.routes.pick,
		Standbys:    l.standbys,
		Logger:      logger,
	}, l.config())
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.dep, l.received = dep, &counter{next: dep.Handler()}
	serving, stop := context.WithCancel(ctx)
	l.stop = stop
	go func() { l.served <- dep.ServeHandler(serving, listener, l.received) }()
	l.load = &load{
		url: "http://" + listener.Addr().String(), model: modelID,
		client: &http.Client{Transport: l.transport}, ledger: &l.ledger, routes: l.routes,
	}
	if err := dep.Ready(ctx); err != nil {
		return errors.Join(err, l.end())
	}
	return nil
}

// end stops the deployment and returns why that failed.
func (l *lab) end() error {
	l.stop()
	return <-l.served
}

// wait returns whether condition became true within limit.
func (l *lab) wait(ctx context.Context, limit time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}

// linger waits for a random time below limit.
func (l *lab) linger(ctx context.Context, limit time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(l.rand.Int64N(int64(limit)))):
	}
}

// full reports that n replicas serve, and nothing else is there.
func (l *lab) full(n int) bool {
	s := l.dep.Status()[0]
	return s.Ready == n && len(s.Replicas) == n
}

// standing reports that all standbys are ready.
func (l *lab) standing() bool {
	s := l.dep.Status()[0].Standbys
	return s == nil || s.Ready == s.Wanted
}

// children are the processes below this one.
func (l *lab) children() []string { return left(guardian.Family(os.Getpid())[1:]) }

// describe says what the deployment is doing, for a promise that was broken.
func (l *lab) describe() string {
	s := l.dep.Status()[0]
	parts := []string{fmt.Sprintf("%d of %d ready", s.Ready, s.Wanted)}
	for _, r := range s.Replicas {
		parts = append(parts, fmt.Sprintf("%s %s, %d restarts, before: %s", r.ID, r.Stage, r.Restarts, r.LastError))
	}
	for _, p := range s.Pauses {
		parts = append(parts, fmt.Sprintf("%d failures, again in %v: %s", p.Failures, time.Until(p.Retry).Round(time.Second), p.Error))
	}
	return strings.Join(parts, "; ")
}
