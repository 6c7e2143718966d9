// Service answers forecasts over HTTP with a model that is embedded in the program,
// and takes a newer one while it runs.
//
//	go run ./examples/service -addr 127.0.0.1:8080 -model newer.onnx
//
// The file of -model, if it is given, goes before the embedded model, and is read
// again on SIGHUP. /livez, /readyz and /metrics (Prometheus) are for whoever watches
// it. The program needs no cgo.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

//go:embed sine.onnx
var embedded []byte // written by: rnnkit train sine -o sine.onnx

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second signal ends the program at once
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	if err := run(ctx, hangup, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. Then it says that it is not ready, so that requests
// go elsewhere, answers those that come for a while, and ends those under way.
func run(ctx context.Context, hangup <-chan os.Signal, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on")
	path := flags.String("model", "", "file of a model to run instead of the embedded one")
	compute := flags.Duration("compute", 5*time.Second, "how long the computing of a request may take")
	requests := flags.Int("requests", 64, "how many requests there may be at a time")
	grace := flags.Duration("grace", 5*time.Second, "how long requests are still taken after SIGTERM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *compute <= 0 || *requests < 1 || *grace < 0 {
		return errors.New("-compute and -requests must be more than 0, -grace 0 or more")
	}
	data := embedded
	if *path != "" {
		var err error
		if data, err = readModel(*path); err != nil {
			return err
		}
	}
	s, err := newService(ctx, data, *compute, *requests)
	if err != nil {
		return err
	}
	defer s.live.Close()
	var config net.ListenConfig
	config.SetMultipathTCP(false) // which takeNoMore cannot filter
	tcp, err := config.Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      *compute + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	var open connections
	server.ConnState = open.track
	l := &listener{TCPListener: tcp.(*net.TCPListener)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	fmt.Fprintf(log, "listening on http://%s\n", l.Addr())
	for {
		select {
		case err := <-served:
			return err
		case <-hangup:
			if err := s.reload(ctx, *path); err != nil {
				fmt.Fprintf(log, "the model stays as it is: %v\n", err)
			}
		case <-ctx.Done():
			s.draining.Store(true)
			time.Sleep(*grace)
			if err := l.drain(); err != nil {
				fmt.Fprintf(log, "connections that come last may be reset: %v\n", err)
			}
			<-served
			last, cancel := context.WithTimeout(context.Background(), server.WriteTimeout)
			defer cancel()
			defer server.Close() // on those who do not read
			open.wait(last)
			return server.Shutdown(last)
		}
	}
}

// connections are those that are new or have a request under way. Shutdown does not
// wait for a new one: it drops the request that it then reads.
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

// wait waits until there are none, or ctx is done.
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

// listener is one that closes itself once it has taken all connections that wait:
// those that are there when it is closed from outside are reset.
type listener struct {
	*net.TCPListener
	end atomic.Pointer[time.Time] // when it takes no more, though some may wait
}

// drain has Accept take what waits, and then close the listener.
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

// reload takes the model in a file.
func (s *service) reload(ctx context.Context, path string) error {
	if path == "" {
		return errors.New("there is no file to read again: start the service with -model")
	}
	data, err := readModel(path)
	if err != nil {
		return err
	}
	return s.take(ctx, data)
}

// readModel reads a file that ends: no pipe, which would keep the service waiting.
func readModel(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is a directory, a pipe or a device: give a file", path)
	case info.Size() > maxModel:
		return nil, fmt.Errorf("%s has %d bytes: a model may have %d", path, info.Size(), maxModel)
	}
	return os.ReadFile(path)
}
