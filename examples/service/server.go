package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// server is an HTTP server that ends without dropping a request.
type server struct {
	http.Server
	listener *listener
	open     connections
	served   chan error // the error that Serve returns
}

// listen starts a server for s.
func listen(ctx context.Context, addr string, s *service) (*server, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // which takeNoMore cannot filter
	tcp, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	server := &server{
		Server: http.Server{
			Handler:           s.handler(),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       15 * time.Second,
			WriteTimeout:      s.compute + 15*time.Second,
			IdleTimeout:       2 * time.Minute,
		},
		listener: &listener{TCPListener: tcp.(*net.TCPListener)},
		served:   make(chan error, 1),
	}
	server.ConnState = server.open.track
	go func() { server.served <- server.Serve(server.listener) }()
	return server, nil
}

// drain accepts the connections that wait, answers the requests under way, and closes
// the server.
func (s *server) drain(log io.Writer) error {
	if err := s.listener.drain(); err != nil {
		fmt.Fprintf(log, "connections that come last may be reset: %v\n", err)
	}
	<-s.served
	ctx, cancel := context.WithTimeout(context.Background(), s.WriteTimeout)
	defer cancel()
	defer s.Close() // ends connections whose client does not read
	s.open.wait(ctx)
	return s.Shutdown(ctx)
}

// connections counts the connections that are new or have a request under way.
// [http.Server.Shutdown] does not wait for new ones and would drop their requests.
type connections struct {
	mu   sync.Mutex
	busy map[net.Conn]bool
}

func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == nil {
		c.busy = map[net.Conn]bool{}
	}
	if state == http.StateNew || state == http.StateActive {
		c.busy[conn] = true
	} else {
		delete(c.busy, conn)
	}
}

// wait waits until there are no such connections, or ctx is done.
func (c *connections) wait(ctx context.Context) {
	for ctx.Err() == nil {
		c.mu.Lock()
		left := len(c.busy)
		c.mu.Unlock()
		if left == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// listener is a TCP listener that can be drained before it is closed. Closing a
// listener resets the connections that nobody has accepted yet.
type listener struct {
	*net.TCPListener
	end atomic.Pointer[time.Time] // when it stops accepting, even if connections wait
}

// drain makes Accept take the connections that wait and then close the listener.
func (l *listener) drain() error {
	err := takeNoMore(l.TCPListener)
	end := time.Now().Add(2 * time.Second)
	l.end.Store(&end)
	return errors.Join(err, l.SetDeadline(time.Now()))
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		end := l.end.Load()
		if end != nil {
			l.SetDeadline(time.Now().Add(200 * time.Millisecond))
		}
		c, err := l.TCPListener.Accept()
		switch {
		case err == nil && end != nil && time.Now().After(*end):
			return c, l.Close()
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return c, err
		case end != nil:
			return nil, errors.Join(net.ErrClosed, l.Close())
		}
	}
}
