package download

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// snapshotEvery is the time between two snapshots of the progress.
const snapshotEvery = 100 * time.Millisecond

// Run completes every file that has a range in the plan and yields snapshots of its
// progress, at most ten a second and one at the end. A non-nil error is the last thing
// yielded. To stop, break out of the loop: Run then waits for its goroutines, and what has
// arrived is kept for the next Plan.
//
// One Run at a time writes to a directory, also among processes; others wait, showing its
// progress, and then fetch only what it left. What the plan takes for present but is gone
// meanwhile is fetched too. A directory that has all the files, of digests that are
// listed, need not be writable.
//
// Errors of the source keep their kind once they prove lasting. Corrupt means that a file
// had the wrong bytes twice, NoSpace that the disk is too small or has become full, Timeout
// that the source brought no byte for StallTimeout, in each of its tries.
func (m *Manager) Run(ctx context.Context, src source.Source, p *Plan) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		r := newRun(m, src, p)
		result := make(chan error, 1)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			result <- r.do(inner)
		}()
		defer func() {
			cancel()
			<-ended
		}()
		ticker := time.NewTicker(snapshotEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if !yield(r.meter.snapshot(), nil) {
					return
				}
			case err := <-result:
				if err != nil && ctx.Err() != nil {
					err = lifecycle.FromContext(ctx, "download.Run", p.Dir)
				}
				yield(r.meter.snapshot(), err)
				return
			}
		}
	}
}

// A run is one execution of a plan.
type run struct {
	m      *Manager
	src    source.Source
	plan   *Plan
	meter  *meter
	log    *slog.Logger
	budget *Budget
	share  *share
	gate   *gate
	ramp   *ramp
	watch  *watch
	toil   atomic.Int64 // nanoseconds that workers have been at bytes that arrived

	place *place
	notes *notes
	queue *queue
	group *errgroup.Group // what it runs ends before do returns
}

func newRun(m *Manager, src source.Source, p *Plan) *run {
	b := m.shared()
	return &run{
		m: m, src: src, plan: p, meter: newMeter(p), log: m.logger(),
		budget: b, gate: b.gate(p.origin), ramp: newRamp(b.connections()), watch: newWatch(m.stallTimeout(), m.minSpeed()),
	}
}

func (r *run) do(ctx context.Context) error {
	if len(r.plan.Ranges) == 0 && len(r.plan.found) == 0 && !r.plan.litter {
		return nil
	}
	files, err := usable(&source.Manifest{Files: r.plan.files()})
	if err != nil {
		return err
	}
	leave, err := r.enter(ctx, files)
	if len(r.plan.Ranges) == 0 && isReadOnly(err) {
		return nil // all is there, as in an image of a container, and only a note of that is lost
	} else if err != nil {
		return err
	}
	defer leave()
	findings, err := survey(ctx, r.plan.Dir, files, nil, inspect)
	if err != nil {
		return err
	}
	if r.place.alone() {
		forgetParts(findings)
	}
	r.recognize(ctx, findings)
	return r.assemble(ctx, findings)
}

// enter makes this run the one that writes to the directory, and notes what the plan found there.
func (r *run) enter(ctx context.Context, files []source.File) (leave func(), err error) {
	if r.place, err = makePlace(r.plan.Dir); err != nil {
		return nil, diskError("download.Run", r.plan.Dir, err)
	}
	unlock, err := r.lock(ctx, files)
	if err != nil {
		r.place.close()
		return nil, err
	}
	sweep(r.place.state, files, time.Now())
	if r.notes, err = openNotes(r.place, r.plan.found); err != nil {
		unlock()
		r.place.close()
		return nil, diskError("download.Run", r.plan.Dir, err)
	}
	return func() {
		r.notes.close()
		unlock()
		r.place.close()
	}, nil
}

// assemble fetches what the findings lack.
func (r *run) assemble(ctx context.Context, findings []finding) error {
	plan := r.m.newPlan(r.plan.Dir, findings)
	r.meter.resume(plan.Fetch, len(findings)-plan.Complete)
	assemblies, parts := r.prepare(findings, plan.Ranges)
	defer func() {
		for _, a := range assemblies {
			a.close()
		}
	}()
	release, err := r.budget.claim(r.plan.Dir, func() (left int64) {
		for _, a := range assemblies {
			left += a.space()
		}
		return left
	})
	if err != nil {
		return err
	}
	defer release()
	r.share = r.budget.share()
	defer r.share.leave()
	r.queue = newQueue(parts, r.ramp.allowed)
	r.plan.arrival.begin(r.plan.Dir, assemblies, r.queue)
	steering, end := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, r.queue.stop)
	defer stop()
	r.group = group
	for range r.ramp.most {
		group.Go(func() error { return r.work(ctx) })
	}
	var steered sync.WaitGroup
	steered.Go(func() { r.steer(steering) })
	defer steered.Wait()
	defer end()
	err = group.Wait()
	if syncErr := r.place.sync(); err == nil && syncErr != nil {
		err = diskError("download.Run", r.plan.Dir, syncErr)
	}
	return err
}

// prepare makes an assembly of each incomplete file, and returns the parts to fetch in
// the order of their ranges.
func (r *run) prepare(findings []finding, ranges []Range) ([]*assembly, []*part) {
	byPath := map[string][]Range{}
	for _, rg := range ranges {
		byPath[rg.File.Path] = append(byPath[rg.File.Path], rg)
	}
	var assemblies []*assembly
	starts := map[string][]*part{}
	for _, f := range findings {
		if !f.complete {
			a := newAssembly(r.place, f)
			starts[f.file.Path] = a.expect(byPath[f.file.Path])
			assemblies = append(assemblies, a)
		}
	}
	parts := make([]*part, 0, len(ranges))
	for _, rg := range ranges {
		of := starts[rg.File.Path] // in the order of its ranges
		parts = append(parts, of[0])
		starts[rg.File.Path] = of[1:]
	}
	return assemblies, parts
}
