package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
)

// Limits of a request.
const (
	maxModel  = 64 << 20 // bytes
	maxMemory = 64 << 20 // bytes that one takes beside its weights
	maxSeries = 1 << 20  // bytes of JSON
	maxSteps  = 1000
	maxTry    = 10 * time.Second // to open a model and forecast once
)

// service answers requests with the forecaster that live holds.
type service struct {
	live     *infer.Live[*infer.Forecaster]
	compute  time.Duration // of a request, at most
	slots    chan struct{} // one for each request at a time
	draining atomic.Bool   // requests had better go elsewhere
	metrics  metrics
}

func newService(ctx context.Context, model []byte, compute time.Duration, requests int) (*service, error) {
	f, err := open(ctx, model)
	if err != nil {
		return nil, err
	}
	return &service{live: infer.NewLive(f), compute: compute, slots: make(chan struct{}, requests)}, nil
}

// open opens a model and tries it with one forecast.
func open(ctx context.Context, data []byte) (*infer.Forecaster, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTry)
	defer cancel()
	m, err := infer.OpenBytesContext(ctx, data, infer.With(native.New(native.MaxMemory(maxMemory))))
	if err != nil {
		return nil, err
	}
	f, err := infer.NewForecaster(m)
	if err == nil {
		err = try(ctx, f)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return f, nil
}

func try(ctx context.Context, f *infer.Forecaster) error {
	if f.Window() > maxSeries/2 {
		return fmt.Errorf("its window is %d values, more than a request can hold", f.Window())
	}
	_, err := f.Forecast(ctx, make([]float64, f.Window()), 1)
	return err
}

// take replaces the model by the one in data, if that can forecast.
func (s *service) take(ctx context.Context, data []byte) error {
	f, err := open(ctx, data)
	if err != nil {
		return err
	}
	return s.live.Swap(f)
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /forecast", s.limit("forecast", s.forecast))
	mux.HandleFunc("PUT /model", s.limit("replace", s.replace))
	mux.HandleFunc("GET /model", s.describe)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { s.metrics.write(w, len(s.slots)) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close") // the next request finds another service
		}
		mux.ServeHTTP(w, r)
	})
}

// ready tells a load balancer whether to send requests here. /livez keeps answering
// while the service drains.
func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		http.Error(w, "this service is about to end", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}

// limit bounds the number of concurrent requests, and counts requests by name.
func (s *service) limit(name string, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := &recorder{ResponseWriter: w, code: http.StatusOK}
		defer s.metrics.count(name, answer, time.Now())
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
			handler(answer, r)
		default:
			answer.Header().Set("Retry-After", "1")
			http.Error(answer, "there are too many requests: try again", http.StatusServiceUnavailable)
		}
	}
}

// forecast answers {"series": [...], "steps": 3} with {"forecast": [...]}.
func (s *service) forecast(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Series []*float64 `json:"series"` // nil for a null
		Steps  int        `json:"steps"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSeries))
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	if err != nil {
		refuse(w, fmt.Errorf("the request is no JSON of a series: %w", err))
		return
	}
	series := make([]float64, len(request.Series))
	for i, v := range request.Series {
		if v == nil {
			refuse(w, fmt.Errorf("value %d of the series is null: leave none out", i+1))
			return
		}
		series[i] = *v
	}
	if request.Steps < 1 || request.Steps > maxSteps {
		refuse(w, fmt.Errorf("steps is %d: ask for 1 to %d", request.Steps, maxSteps))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.compute)
	defer cancel()
	var y []float64
	err = s.live.Use(func(f *infer.Forecaster) (err error) {
		y, err = f.Forecast(ctx, series, request.Steps)
		return err
	})
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, map[string]any{"forecast": y})
}

// describe answers with the metadata of the model and the name of its engine.
func (s *service) describe(w http.ResponseWriter, _ *http.Request) {
	err := s.live.Use(func(f *infer.Forecaster) error {
		m := f.Model()
		reply(w, map[string]any{"engine": m.Engine(), "window": f.Window(), "spec": m.Metadata().Spec})
		return nil
	})
	if err != nil {
		refuse(w, err)
	}
}

// replace replaces the model by the one in the request's body. Let only trusted
// clients call it: they decide what the service answers.
func (s *service) replace(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxModel))
	if err == nil {
		err = s.take(r.Context(), data)
	}
	if err != nil {
		refuse(w, fmt.Errorf("the model stays as it is: %w", err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer) // fails where nobody listens any more
}

func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, infer.ErrClosed):
		status = http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
		err = fmt.Errorf("the computing takes too long: ask for fewer steps: %w", err)
	}
	http.Error(w, err.Error(), status)
}
