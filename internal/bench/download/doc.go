//go:build linux

// Download measures our downloader (the program examples/download) against others, on the
// same servers and data, in alternating order within the same run:
//
//	go run ./internal/bench/download                       # everything, some hours
//	go run ./internal/bench/download -scale 0.02 -n 1      # does it work here?
//	go run ./internal/bench/download -servers hub -links shaped -sets model -markdown hub.md
//
// Per program it tells the median wall and CPU seconds, the peak memory, the bytes and
// requests on the wire, and how ours compares, round by round. Each result is checked by
// size and CRC64NVME. The first run of each program goes through a proxy that counts, and is
// not timed; on the shaped link all do. Requests inside TLS are counted from the server's log,
// where it writes one. Programs come from internal/setup/peers.sh. What is not there is named.
//
// The shaped link is a network namespace of its own, whose loopback carries 2.5 Gbit/s in
// packets of 1,500 bytes, and a proxy that gives each connection 50 MB/s and adds 25 ms to
// each new connection and request. It needs root.
package main
