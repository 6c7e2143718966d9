package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rnnkit/rnnkit/infer"
)

// probe measures a service.
type probe struct {
	target   string
	client   http.Client
	detector *infer.Detector // nil if there is none
	state    *infer.DetectorState

	latency, score, expected, lower, upper prometheus.Gauge
	failures                               prometheus.Counter
}

func newProbe(target string) *probe {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "probe", Name: name, Help: help})
	}
	return &probe{
		target: target, client: http.Client{Timeout: 10 * time.Second},
		latency:  gauge("latency_seconds", "How long the last answer took."),
		score:    gauge("anomaly_score", "Anomaly score of that: at 1 and above it is an anomaly."),
		expected: gauge("latency_expected_seconds", "How long it was expected to take."),
		lower:    gauge("latency_lower_seconds", "What is faster is an anomaly."),
		upper:    gauge("latency_upper_seconds", "What is slower is an anomaly."),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "probe", Name: "failures_total", Help: "Requests without an answer, or with an error."}),
	}
}

// register adds the metrics to a registry.
func (p *probe) register(r *prometheus.Registry) {
	r.MustRegister(p.latency, p.failures)
	if p.detector != nil {
		r.MustRegister(p.score, p.expected, p.lower, p.upper)
	}
}

// measure measures until ctx is done.
func (p *probe) measure(ctx context.Context, every time.Duration, log io.Writer) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := p.observe(now, p.ask(ctx)); err != nil {
				fmt.Fprintln(log, err)
			}
		}
	}
}

// ask returns how many seconds the service takes to answer, NaN if it fails.
func (p *probe) ask(ctx context.Context) float64 {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.target, nil)
	if err != nil {
		return math.NaN()
	}
	begin := time.Now()
	response, err := p.client.Do(request)
	if err != nil {
		return math.NaN()
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode >= 500 {
		return math.NaN()
	}
	return time.Since(begin).Seconds()
}

// observe shows and scores a latency. One that is missing is no anomaly.
func (p *probe) observe(at time.Time, latency float64) error {
	if math.IsNaN(latency) {
		p.failures.Inc()
	}
	p.latency.Set(latency)
	if p.detector == nil {
		return nil
	}
	r, err := p.detector.Observe(p.state, at, []float64{latency})
	if err != nil {
		return err
	}
	p.score.Set(r.Score)
	p.expected.Set(r.Forecast[0])
	p.lower.Set(r.Lower[0])
	p.upper.Set(r.Upper[0])
	return nil
}
