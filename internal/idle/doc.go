// Package idle lets an HTTP server hold many connections that do nothing in little memory.
//
// Between two requests net/http keeps, for each connection, two buffers and a goroutine whose
// stack its handlers have made large: about 20 kB. A [Listener] takes a connection back when it
// has been quiet for a while, keeps nothing of it but a small goroutine that waits for a byte,
// and lets the server accept it again when one comes. Neither end notices.
//
//	parking := idle.Listen(l, 2*time.Minute)
//	server := &http.Server{Handler: h, ConnState: parking.State}
//	err := server.Serve(parking)
//
// Connections of HTTPS are not parked: what their encryption knows cannot be accepted again.
package idle
