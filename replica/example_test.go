package replica_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
)

// A Set keeps what its Start brings up; a Gateway sends it requests. Start is a few lines with
// package engine; here it stands for that.
func ExampleNewSet() {
	var engines fleet
	log := lifecycle.NewLog()
	set := replica.NewSet(&local.Provisioner{}, engines.start, &replica.SetOptions{
		Scope:   lifecycle.Scope{Emit: log.Append, Model: "m"},
		Restart: func(int) time.Duration { return 0 },
		Logger:  slog.New(slog.DiscardHandler),
	})
	set.Want(1)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error)
	go func() { ended <- set.Run(ctx) }()
	if err := set.Await(ctx, 1); err != nil {
		fmt.Println(err)
		return
	}
	door := replica.NewGateway(nil, replica.Model{ID: "m", Set: set})
	ask := func() {
		w := httptest.NewRecorder()
		door.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions", strings.NewReader(`{"model":"m"}`)))
		fmt.Println(w.Code, w.Body)
	}
	ask()
	engines.at(0).end(errKilled) // the next request waits for the replacement
	ask()
	stop()
	<-ended // when nothing is left running
	for e := range log.All(context.Background()) {
		if e.Stage == lifecycle.StageReady && e.Phase == lifecycle.Begin {
			fmt.Println(e.Replica)
		}
		if e.Replica == "m#2" && e.Stage == lifecycle.StageStopped {
			break
		}
	}
	// Output:
	// 200 ok
	// 200 ok
	// m#1
	// m#2
}

// A policy of one's own looks at what the engines say of themselves; the bounds and delays
// hold for it, too.
func ExampleScaling_Decide() {
	s := replica.Scaling{Max: 8, UpscaleDelay: 30 * time.Second, Policy: func(l replica.Load) int {
		full := 0
		for _, e := range l.Engines {
			if e.KVUsage > 0.9 {
				full++
			}
		}
		return l.Wanted + full
	}}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	load := replica.Load{Wanted: 2, Ready: 2, Engines: []replica.EngineLoad{
		{Replica: "m#1", Load: engine.Load{KVUsage: 0.95}}, {Replica: "m#2", Load: engine.Load{KVUsage: 0.4}},
	}}
	var trend replica.Trend
	for range 4 {
		load.Now, now = now, now.Add(10*time.Second)
		load.Wanted, trend = s.Decide(load, trend)
		fmt.Println(load.Now.Format("15:04:05"), load.Wanted)
	}
	// Output:
	// 12:00:00 2
	// 12:00:10 2
	// 12:00:20 2
	// 12:00:30 3
}

// Turns of one conversation go where its beginning is in the cache, others where there is
// less to do.
func ExamplePrefixAffinity() {
	affinity := replica.NewPrefixAffinity(nil)
	from := []replica.Replica{{ID: "m#1"}, {ID: "m#2"}, {ID: "m#3"}}
	turn := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("Tell me of the sea. ", 50)
	first := affinity.Pick(replica.Pick{Body: []byte(turn + `"}]}`)}, from)
	next := affinity.Pick(replica.Pick{Body: []byte(turn + `"},{"role":"assistant","content":"It is wide."},{"role":"user","content":"And?"}]}`)}, from)
	fmt.Println("the same replica:", next == first)
	fmt.Printf("%.0f %% of the bytes were known\n", 100*float64(affinity.Stats().Matched)/float64(affinity.Stats().Bytes))
	// Output:
	// the same replica: true
	// 47 % of the bytes were known
}

// A picker is a function; the library's own can be its fallback.
func ExamplePicker() {
	free := func(p replica.Pick, from []replica.Replica) int {
		for i, r := range from {
			if r.Inflight == 0 {
				return i
			}
		}
		return replica.LeastOfTwo(p, from)
	}
	fmt.Println(free(replica.Pick{}, []replica.Replica{{ID: "m#1", Inflight: 4}, {ID: "m#2"}}))
	// Output: 1
}

// Requests of a session go to one replica, as long as it is there.
func ExampleSessionAffinity() {
	pick := replica.SessionAffinity("X-Session-ID", replica.RoundRobin())
	from := []replica.Replica{{ID: "m#1"}, {ID: "m#2"}, {ID: "m#3"}}
	session := replica.Pick{Header: http.Header{"X-Session-Id": {"s1"}}}
	first := pick(session, from)
	fmt.Println(pick(session, from) == first)
	fmt.Println(pick(replica.Pick{}, from), pick(replica.Pick{}, from), pick(replica.Pick{}, from))
	// Output:
	// true
	// 0 1 2
}
