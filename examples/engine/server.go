package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// serverArg makes the program the engine itself.
const serverArg = "parrot-server"

// serve is the engine, which a real driver would not have to bring. It never returns.
func serve(addr, model string) {
	fmt.Println("learning to speak")
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Prompt string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // a client that has left needs no answer
			"object": "text_completion", "model": model,
			"choices": []any{map[string]any{"index": 0, "text": request.Prompt, "finish_reason": "stop"}},
		})
	})
	go func() { _ = http.Serve(l, mux) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	os.Exit(0)
}
