// Service answers forecasts over HTTP. Its model is embedded in the program and can be
// replaced while it runs.
//
//	go run ./examples/service -addr 127.0.0.1:8080 -model newer.onnx
//
// If -model is given, that file replaces the embedded model, and SIGHUP reads it again.
// /livez, /readyz and /metrics (for Prometheus) tell how the service is. The program
// needs no cgo.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
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

// options are the flags of the command.
type options struct {
	addr     string
	model    string // path; empty for the embedded model
	compute  time.Duration
	requests int
	grace    time.Duration
}

func parse(args []string, log io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on")
	flags.StringVar(&o.model, "model", "", "file of a model to run instead of the embedded one")
	flags.DurationVar(&o.compute, "compute", 5*time.Second, "how long the computing of a request may take")
	flags.IntVar(&o.requests, "requests", 64, "how many requests there may be at a time")
	flags.DurationVar(&o.grace, "grace", 5*time.Second, "how long requests are still taken after SIGTERM")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.compute <= 0 || o.requests < 1 || o.grace < 0 {
		return o, errors.New("-compute and -requests must be more than 0, -grace 0 or more")
	}
	return o, nil
}

// run serves requests until ctx is done, and then drains: see [server.drain].
func run(ctx context.Context, hangup <-chan os.Signal, args []string, log io.Writer) error {
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	data := embedded
	if o.model != "" {
		if data, err = readModel(o.model); err != nil {
			return err
		}
	}
	s, err := newService(ctx, data, o.compute, o.requests)
	if err != nil {
		return err
	}
	defer s.live.Close()
	server, err := listen(ctx, o.addr, s)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "listening on http://%s\n", server.listener.Addr())
	for {
		select {
		case err := <-server.served:
			return err
		case <-hangup:
			if err := s.reload(ctx, o.model); err != nil {
				fmt.Fprintf(log, "the model stays as it is: %v\n", err)
			}
		case <-ctx.Done():
			s.draining.Store(true)
			time.Sleep(o.grace)
			return server.drain(log)
		}
	}
}

// reload replaces the model by the one in a file.
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

// readModel reads a regular file. A pipe could keep the service waiting.
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
