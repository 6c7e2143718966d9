// Service answers forecasts over HTTP with a model that is embedded in the program,
// and takes a newer one while it runs.
//
//	go run ./examples/service -addr 127.0.0.1:8080 -model newer.onnx
//
// The file of -model, if it is given, goes before the embedded model, and is read
// again on SIGHUP. The program needs no cgo.
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
	"syscall"
	"time"
)

//go:embed sine.onnx
var embedded []byte // written by: rnnkit train sine -o sine.onnx

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	if err := run(ctx, hangup, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and then ends the requests under way.
func run(ctx context.Context, hangup <-chan os.Signal, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on")
	path := flags.String("model", "", "file of a model to run instead of the embedded one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	data := embedded
	if *path != "" {
		var err error
		if data, err = os.ReadFile(*path); err != nil {
			return err
		}
	}
	s, err := newService(ctx, data)
	if err != nil {
		return err
	}
	defer s.live.Close()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(log, "listening on http://%s\n", listener.Addr())
	for {
		select {
		case err := <-served:
			return err
		case <-hangup:
			if err := s.reload(ctx, *path); err != nil {
				fmt.Fprintf(log, "the model stays as it is: %v\n", err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			defer server.Close() // on those who do not read
			return server.Shutdown(last)
		}
	}
}

// reload takes the model in a file.
func (s *service) reload(ctx context.Context, path string) error {
	if path == "" {
		return errors.New("there is no file to read again: start the service with -model")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return s.take(ctx, data)
}
