package engine

import (
	"context"
	"fmt"
	"math"
)

// Finite returns e with sessions of which a run is an error where an input or an
// output that is asked for has NaN or an infinity. The error names it and the element.
func Finite(e Engine) ContextOpener { return finite{e} }

type finite struct{ Engine }

func (f finite) Open(model []byte) (Session, error) {
	return f.OpenContext(context.Background(), model)
}

func (f finite) OpenContext(ctx context.Context, model []byte) (Session, error) {
	s, err := Open(ctx, f.Engine, model)
	if err != nil {
		return nil, err
	}
	if r, ok := s.(Refiller); ok {
		return finiteRefiller{r}, nil
	}
	return finiteSession{s}, nil
}

type finiteSession struct{ Session }

func (s finiteSession) Run(ctx context.Context, inputs map[string]Tensor, outputs ...string) (map[string]Tensor, error) {
	for _, info := range s.Inputs() {
		if err := inputs[info.Name].CheckFinite(); err != nil {
			return nil, fmt.Errorf("input %q %w", info.Name, err)
		}
	}
	results, err := s.Session.Run(ctx, inputs, outputs...)
	if err != nil {
		return nil, err
	}
	for _, info := range s.Outputs() {
		if err := results[info.Name].CheckFinite(); err != nil {
			return nil, fmt.Errorf("output %q %w", info.Name, err)
		}
	}
	return results, nil
}

type finiteRefiller struct{ Refiller }

func (s finiteRefiller) Run(ctx context.Context, inputs map[string]Tensor, outputs ...string) (map[string]Tensor, error) {
	return Run(ctx, s, inputs, outputs...)
}

func (s finiteRefiller) RunInto(ctx context.Context, inputs, outputs []*Tensor) error {
	if err := checkFinite("input", s.Inputs(), inputs); err != nil {
		return err
	}
	if err := s.Refiller.RunInto(ctx, inputs, outputs); err != nil {
		return err
	}
	return checkFinite("output", s.Outputs(), outputs)
}

// checkFinite reports the first of tensors, which infos describe, that is not finite.
func checkFinite(what string, infos []ValueInfo, tensors []*Tensor) error {
	for i, t := range tensors {
		if t == nil || i >= len(infos) {
			continue
		}
		if err := t.CheckFinite(); err != nil {
			return fmt.Errorf("%s %q %w", what, infos[i].Name, err)
		}
	}
	return nil
}

// CheckFinite returns an error that tells the first element of t that is NaN or an
// infinity, and its place.
func (t Tensor) CheckFinite() error {
	at, value := -1, 0.0
	switch data := t.Data.(type) {
	case []Half:
		at, value = firstNotFinite(data, func(v Half) float64 { return float64(v.Float32()) })
	case []float32:
		at, value = firstNotFinite(data, func(v float32) float64 { return float64(v) })
	case []float64:
		at, value = firstNotFinite(data, func(v float64) float64 { return v })
	}
	if at < 0 {
		return nil
	}
	place := make([]int, len(t.Shape))
	for axis := len(place) - 1; axis >= 0; axis-- {
		size := max(t.Shape[axis], 1)
		place[axis], at = at%size, at/size
	}
	if math.IsNaN(value) {
		return fmt.Errorf("has NaN at %v", place)
	}
	return fmt.Errorf("has an infinity at %v", place)
}

// firstNotFinite returns the place and value of an element, -1 where there is none.
func firstNotFinite[T any](data []T, number func(T) float64) (int, float64) {
	for i, v := range data {
		if f := number(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return i, f
		}
	}
	return -1, 0
}
