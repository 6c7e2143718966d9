// Prometheus is an exporter that measures how long a service takes to answer, scores each
// measurement by a detector as it comes, and serves both as metrics.
//
//	go run ./examples/prometheus -target http://localhost:8080/ -every 1s -model latency.onnx
//
// Without -target it measures a service of its own, whose answers become slow for a while
// after a POST to /slow?for=30s. Without -model it measures only.
package main

import (
	"cmp"
	"context"
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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rnnkit/rnnkit/infer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "prometheus:", err)
		os.Exit(1)
	}
}

// run measures and serves until ctx is done.
func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("prometheus", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "127.0.0.1:9100", "address to listen on")
	target := flags.String("target", "", "URL of the service that is measured")
	every := flags.Duration("every", time.Second, "time from one measurement to the next; that of the detector")
	model := flags.String("model", "", "file of a detector that rnnkit train detect wrote")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *every <= 0 {
		return errors.New("-every must be more than 0")
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	p := newProbe(cmp.Or(*target, "http://"+listener.Addr().String()+"/work"))
	if *model != "" {
		if p.detector, err = openDetector(*model); err != nil {
			return err
		}
		defer p.detector.Model().Close()
		p.state = p.detector.NewState()
	}
	fmt.Fprintf(log, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, p, *every, log)
}

// serve measures and serves until ctx is done or the server fails.
func serve(ctx context.Context, listener net.Listener, p *probe, every time.Duration, log io.Writer) error {
	server := &http.Server{Handler: handler(p, &service{}), ReadHeaderTimeout: 5 * time.Second}
	serving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { stop(server.Serve(listener)) }()
	p.measure(serving, every, log)
	server.Close()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(serving)
}

// openDetector opens a detector of one column.
func openDetector(path string) (*infer.Detector, error) {
	m, err := infer.Open(path)
	if err != nil {
		return nil, err
	}
	d, err := infer.NewDetector(m)
	if err == nil && len(d.Detection().Columns) != 1 {
		err = fmt.Errorf("the detector watches %d columns, and a latency is one", len(d.Detection().Columns))
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// handler serves the metrics, and the service that is measured where no other is.
func handler(p *probe, demo *service) http.Handler {
	registry := prometheus.NewRegistry()
	p.register(registry)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /work", demo.work)
	mux.HandleFunc("POST /slow", demo.slow)
	return mux
}
