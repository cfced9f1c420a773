//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
)

// client keeps connections, as a busy client does.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2000, DisableCompression: true}}
}

// post asks url and returns the answer, whose status is 200.
func post(ctx context.Context, c *http.Client, url string, q question) (*http.Response, error) {
	q.Model = "m"
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/completions", strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", resp.Status, text)
	}
	return resp, nil
}

// latency sends requests at a rate, whether or not those before have been answered.
func latency(ctx context.Context, s settings, p *process, out io.Writer) error {
	c := client()
	defer c.CloseIdleConnections()
	turns := make([][][]float64, len(p.destinations)) // of each, microseconds
	var spent time.Duration
	for round := range s.rounds {
		for _, i := range bench.Order(len(p.destinations), round) {
			before, err := p.cpu()
			if err != nil {
				return err
			}
			turn, err := atRate(ctx, c, p.destinations[i].url, s)
			if err != nil {
				return fmt.Errorf("%s: %w", p.destinations[i].name, err)
			}
			turns[i] = append(turns[i], turn)
			if after, err := p.cpu(); err == nil && p.destinations[i].url == p.url {
				spent += after - before
			}
		}
	}
	compare(fmt.Sprintf("%d requests/s", s.rate), p.destinations, turns).Text(out)
	requests := s.rounds * int(s.period.Seconds()*float64(s.rate))
	fmt.Fprintf(out, "CPU of the door: %.0f µs per request\n", spent.Seconds()*1e6/float64(requests))
	return nil
}

// compare has the median over the turns of each quantile, so that a turn in which the machine
// did something else counts as one, and what the door adds in the same round.
func compare(title string, to []destination, turns [][][]float64) bench.Table {
	table := bench.Table{Header: []string{title}}
	for _, d := range to {
		table.Rows = append(table.Rows, []string{d.name})
	}
	table.Rows = append(table.Rows, []string{"added"}, []string{"ratio"})
	for _, q := range []float64{.5, .9, .99} {
		table.Header = append(table.Header, fmt.Sprintf("p%.0f µs", 100*q))
		values := make([][]float64, len(to))
		var added []float64
		for i, turn := range turns {
			for _, took := range turn {
				values[i] = append(values[i], at(took, q))
			}
			table.Rows[i] = append(table.Rows[i], figure(bench.Median(values[i])))
		}
		for round := range values[0] {
			added = append(added, values[1][round]-values[0][round])
		}
		table.Rows[2] = append(table.Rows[2], figure(bench.Median(added)))
		table.Rows[3] = append(table.Rows[3], fmt.Sprintf("%.2f", bench.Ratio(values[1], values[0])))
	}
	return table
}

func atRate(ctx context.Context, c *http.Client, url string, s settings) ([]float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var took []float64
	var wg sync.WaitGroup
	ticker := time.NewTicker(time.Second / time.Duration(s.rate))
	defer ticker.Stop()
	for range int(s.period.Seconds() * float64(s.rate)) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
		wg.Go(func() {
			begun := time.Now()
			resp, err := post(ctx, c, url, question{})
			if err != nil {
				cancel(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, float64(time.Since(begun).Microseconds()))
		})
	}
	wg.Wait()
	return took, context.Cause(ctx)
}

// at returns the q-quantile of values, 0 of none.
func at(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func figure(v float64) string { return fmt.Sprintf("%.0f", v) }
