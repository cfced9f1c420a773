//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
)

// streams takes long streams that the engine writes as fast as it can.
func streams(ctx context.Context, s settings, p *process, out io.Writer) error {
	c := client()
	defer c.CloseIdleConnections()
	perToken := make([][]float64, len(p.destinations)) // microseconds
	var first []byte
	var spent time.Duration
	for round := range 2 * s.rounds {
		for _, i := range bench.Order(len(p.destinations), round) {
			before, err := p.cpu()
			if err != nil {
				return err
			}
			begun := time.Now()
			resp, err := post(ctx, c, p.destinations[i].url, question{Tokens: s.tokens})
			if err != nil {
				return err
			}
			sum := sha256.New()
			_, err = io.Copy(sum, resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				return err
			}
			perToken[i] = append(perToken[i], float64(time.Since(begun).Microseconds())/float64(s.tokens))
			if after, err := p.cpu(); err == nil && p.destinations[i].url == p.url {
				spent += after - before
			}
			if first == nil {
				first = sum.Sum(nil)
			}
			if !bytes.Equal(first, sum.Sum(nil)) {
				return errors.New("two streams differ")
			}
		}
	}
	table := bench.Table{Header: []string{fmt.Sprintf("streams of %d tokens", s.tokens), "µs per token"}}
	for i, d := range p.destinations {
		table.Rows = append(table.Rows, []string{d.name, fmt.Sprintf("%.2f", bench.Median(perToken[i]))})
	}
	table.Rows = append(table.Rows,
		[]string{"added", fmt.Sprintf("%.2f", bench.Median(perToken[1])-bench.Median(perToken[0]))},
		[]string{"ratio, in the same round", fmt.Sprintf("%.2f", bench.Ratio(perToken[1], perToken[0]))})
	table.Text(out)
	fmt.Fprintf(out, "all %d streams are the same byte for byte\nCPU of the door: %.2f µs per token\n",
		2*len(perToken[0]), spent.Seconds()*1e6/float64(s.tokens*len(perToken[1])))
	return nil
}

// paced takes tokens that are written every 5 ms, and notes how long each was under way.
func paced(ctx context.Context, s settings, p *process, out io.Writer) error {
	c := client()
	defer c.CloseIdleConnections()
	turns := make([][][]float64, len(p.destinations))
	for round := range s.rounds {
		for _, i := range bench.Order(len(p.destinations), round) {
			resp, err := post(ctx, c, p.destinations[i].url, question{Tokens: 200, Every: 5000})
			if err != nil {
				return err
			}
			var took []float64
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
				_, rest, ok := bytes.Cut(lines.Bytes(), []byte("token "))
				stamp, _, _ := bytes.Cut(rest, []byte(`"`))
				written, err := strconv.ParseInt(string(stamp), 10, 64)
				if ok && err == nil {
					took = append(took, float64(time.Now().UnixNano()-written)/1e3)
				}
			}
			_ = resp.Body.Close()
			turns[i] = append(turns[i], took)
		}
	}
	compare("a token every 5 ms is under way", p.destinations, turns).Text(out)
	return nil
}
