package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// A Binding holds the tensors of a run in the order in which [Refiller.RunInto] takes
// them. It may be reused for any number of runs, by one goroutine at a time.
type Binding struct {
	Inputs, Outputs []*tensor.Tensor
	tensors         []tensor.Tensor // what they point to
}

// Bind fills b with those inputs, and with those outputs to write to. A name that
// s does not have is an error.
func (b *Binding) Bind(s Session, inputs, outputs map[string]tensor.Tensor) error {
	in, out := s.Inputs(), s.Outputs()
	if b.tensors == nil {
		b.tensors = make([]tensor.Tensor, len(in)+len(out))
		b.Inputs, b.Outputs = make([]*tensor.Tensor, len(in)), make([]*tensor.Tensor, len(out))
	}
	if err := place(in, inputs, b.tensors, b.Inputs, "input"); err != nil {
		return err
	}
	return place(out, outputs, b.tensors[len(in):], b.Outputs, "output")
}

// Release sets outputs to what a run has written to them, and drops all tensors.
func (b *Binding) Release(s Session, outputs map[string]tensor.Tensor) {
	for i, info := range s.Outputs() {
		if b.Outputs[i] != nil {
			outputs[info.Name] = *b.Outputs[i]
		}
	}
	clear(b.tensors)
	clear(b.Inputs)
	clear(b.Outputs)
}

// place sets list, of what infos describe, to the tensors of those names, in the
// given memory, and nil for the others.
func place(infos []tensor.Info, named map[string]tensor.Tensor, memory []tensor.Tensor, list []*tensor.Tensor, what string) error {
	n := 0
	for i := range infos {
		list[i] = nil
		if t, ok := named[infos[i].Name]; ok {
			memory[i], list[i] = t, &memory[i]
			n++
		}
	}
	if n == len(named) {
		return nil
	}
	for name := range named {
		if !slices.ContainsFunc(infos, func(v tensor.Info) bool { return v.Name == name }) {
			return fmt.Errorf("%s %q is not among the model's: %v", what, name, infos)
		}
	}
	return nil
}

// Wanted returns a map to bind for the outputs of those names, or all of them if
// there are none.
func Wanted(s Session, names []string) map[string]tensor.Tensor {
	outputs := make(map[string]tensor.Tensor, max(len(names), len(s.Outputs())))
	for _, name := range names {
		outputs[name] = tensor.Tensor{}
	}
	if len(names) == 0 {
		for _, info := range s.Outputs() {
			outputs[info.Name] = tensor.Tensor{}
		}
	}
	return outputs
}

// Run is [Session.Run] by way of s's RunInto, on memory of its own.
func Run(ctx context.Context, s Refiller, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	results := Wanted(s, outputs)
	var b Binding
	if err := b.Bind(s, inputs, results); err != nil {
		return nil, err
	}
	if err := s.RunInto(ctx, b.Inputs, b.Outputs); err != nil {
		return nil, err
	}
	b.Release(s, results)
	return results, nil
}
