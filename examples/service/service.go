package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rnnkit/rnnkit/infer"
)

// The most that a request may send and ask for.
const (
	maxModel  = 64 << 20 // bytes
	maxSeries = 1 << 20  // bytes of JSON
	maxSteps  = 1000
	maxTry    = 10 * time.Second // for the first forecast of a model
)

// service answers with the model that live holds, which is a forecaster.
type service struct{ live *infer.Live }

func newService(ctx context.Context, model []byte) (*service, error) {
	m, err := open(ctx, model)
	if err != nil {
		return nil, err
	}
	return &service{infer.NewLive(m)}, nil
}

// open returns a model that has forecast once.
func open(ctx context.Context, data []byte) (*infer.Model, error) {
	m, err := infer.OpenBytes(data)
	if err != nil {
		return nil, err
	}
	if err := try(ctx, m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func try(ctx context.Context, m *infer.Model) error {
	f, err := infer.NewForecaster(m)
	if err != nil {
		return err
	}
	if f.Window() > maxSeries/2 {
		return fmt.Errorf("its window is %d values, more than a request can hold", f.Window())
	}
	ctx, cancel := context.WithTimeout(ctx, maxTry)
	defer cancel()
	_, err = f.Forecast(ctx, make([]float64, f.Window()), 1)
	return err
}

// take swaps the model for another one, if that can forecast.
func (s *service) take(ctx context.Context, data []byte) error {
	m, err := open(ctx, data)
	if err != nil {
		return err
	}
	return s.live.Swap(m)
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /forecast", s.forecast)
	mux.HandleFunc("GET /model", s.describe)
	mux.HandleFunc("PUT /model", s.replace)
	return mux
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
	var y []float64
	err = s.live.Use(func(m *infer.Model) error {
		f, err := infer.NewForecaster(m)
		if err != nil {
			return err
		}
		y, err = f.Forecast(r.Context(), series, request.Steps)
		return err
	})
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, map[string]any{"forecast": y})
}

// describe tells which model answers, and on which engine.
func (s *service) describe(w http.ResponseWriter, _ *http.Request) {
	err := s.live.Use(func(m *infer.Model) error {
		meta := m.Metadata()
		reply(w, map[string]any{"engine": m.Engine(), "window": meta.Window, "spec": meta.Spec})
		return nil
	})
	if err != nil {
		refuse(w, err)
	}
}

// replace takes the model in the request's body. Whoever may call it may choose
// what the service answers: keep it to those you trust.
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
	if errors.Is(err, infer.ErrClosed) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), status)
}
