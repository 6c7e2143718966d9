package engine

import (
	"context"
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
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

func (s finiteSession) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
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

func (s finiteRefiller) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	return Run(ctx, s, inputs, outputs...)
}

func (s finiteRefiller) RunInto(ctx context.Context, inputs, outputs []*tensor.Tensor) error {
	if err := checkFinite("input", s.Inputs(), inputs); err != nil {
		return err
	}
	if err := s.Refiller.RunInto(ctx, inputs, outputs); err != nil {
		return err
	}
	return checkFinite("output", s.Outputs(), outputs)
}

// checkFinite reports the first of tensors, which infos describe, that is not finite.
func checkFinite(what string, infos []tensor.Info, tensors []*tensor.Tensor) error {
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
