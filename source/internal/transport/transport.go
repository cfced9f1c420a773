// Package transport has the HTTP client that the drivers bring bytes with: HTTP/1.1, since one
// connection per range is faster than streams of HTTP/2 at two thirds of the CPU time; no
// compression, so that bytes are the file's; and few system calls for many bytes.
//
//	client := &http.Client{Transport: transport.New(nil)}
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"
)

const dialTimeout = 10 * time.Second

// New returns a transport of its own, with the proxies of the process, whose fields the caller
// may still set. roots are the authorities to trust; nil means those of the system.
func New(roots *x509.CertPool) *Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	d := dialer{
		Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second},
		tls:    &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	return &Transport{&http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           d.plain,
		DialTLSContext:        d.encrypted,
		TLSClientConfig:       d.tls, // through a proxy
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true,
		Protocols:             protocols,
	}}
}

// A dialer makes connections that need few system calls for many bytes.
type dialer struct {
	net.Dialer

	tls *tls.Config
}

// plain dials for HTTP, and for what a proxy then encrypts.
func (d dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return waiting(conn), nil
}

// encrypted dials for HTTPS without a proxy.
func (d dialer) encrypted(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := d.tls.Clone()
	if c.ServerName, _, err = net.SplitHostPort(addr); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	below := newRecords(conn)
	above := tls.Client(below, c)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := above.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &secure{above, below}, nil
}
