package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

// doubling is a session that writes twice x to y, and h0 or else 1 to hn.
type doubling struct{ engine.Session }

func (doubling) Inputs() []tensor.Info {
	return []tensor.Info{
		{Name: "x", Type: tensor.Float32, Shape: []tensor.Dim{{Symbol: "n"}}},
		{Name: "h0", Type: tensor.Float32, Shape: []tensor.Dim{{Size: 1}}, Optional: true},
	}
}

func (doubling) Outputs() []tensor.Info {
	return []tensor.Info{{Name: "y", Type: tensor.Float32}, {Name: "hn", Type: tensor.Float32}}
}

func (d doubling) RunInto(ctx context.Context, inputs, outputs []*tensor.Tensor) error {
	if err := engine.CheckTensors(d.Inputs(), inputs); err != nil {
		return err
	}
	if y := outputs[0]; y != nil {
		*y = inputs[0].Clone()
		for i := range y.Data.([]float32) {
			y.Data.([]float32)[i] *= 2
		}
	}
	if hn := outputs[1]; hn != nil {
		*hn = tensor.Of([]float32{1}, 1)
		if inputs[1] != nil {
			*hn = *inputs[1]
		}
	}
	return nil
}

func ExampleRun() {
	y, err := engine.Run(context.Background(), doubling{}, map[string]tensor.Tensor{"x": tensor.Of([]float32{1, 2}, 2)})
	fmt.Println(y["y"].Data, y["hn"].Data, err)
	// Output:
	// [2 4] [1] <nil>
}

func TestRun(t *testing.T) {
	x, h := tensor.Of([]float32{1, 2}, 2), tensor.Of([]float32{5}, 1)
	for _, test := range []struct {
		inputs  map[string]tensor.Tensor
		outputs []string
		want    string
	}{
		{map[string]tensor.Tensor{"x": x}, []string{"hn"}, "map[hn:{[1] [1]}]"},
		{map[string]tensor.Tensor{"x": x, "h0": h}, []string{"hn", "y"}, "map[hn:{[1] [5]} y:{[2] [2 4]}]"},
		{map[string]tensor.Tensor{"h0": h}, nil, `input "x" is missing: the model needs x float32[n]`},
		{map[string]tensor.Tensor{"x": x, "z": h}, nil, `input "z" is not among the model's: [x float32[n] h0 float32[1]]`},
		{map[string]tensor.Tensor{"x": x}, []string{"y", "z"}, `output "z" is not among the model's`},
		{map[string]tensor.Tensor{"x": x, "h0": x}, nil, `input "h0" has shape [2]`},
	} {
		y, err := engine.Run(t.Context(), doubling{}, test.inputs, test.outputs...)
		got := fmt.Sprint(y)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%v of %v: %s, not %s", test.outputs, test.inputs, got, test.want)
		}
	}
	if err := engine.CheckTensors(doubling{}.Inputs(), []*tensor.Tensor{&x}); err == nil || !strings.Contains(err.Error(), "1 inputs for the model's [x float32[n] h0 float32[1]]") {
		t.Errorf("the error is %v", err)
	}
}

// TestBinding binds again and again, with an error in between that must leave the
// caller's tensors alone.
func TestBinding(t *testing.T) {
	var b engine.Binding
	for _, n := range []int{1, 3, 2} {
		inputs := map[string]tensor.Tensor{"x": tensor.Of(make([]float32, n), n)}
		outputs := map[string]tensor.Tensor{"y": tensor.Of([]float32{7}, 1)}
		for _, wrong := range []map[string]tensor.Tensor{{"x": {}, "z": {}}, {"z": {}}} {
			if err := b.Bind(doubling{}, wrong, outputs); err == nil {
				t.Fatal("there is no input z")
			}
			b.Release(doubling{}, outputs)
			if got := fmt.Sprint(outputs); got != "map[y:{[1] [7]}]" {
				t.Errorf("after an error the outputs are %s", got)
			}
		}
		if err := b.Bind(doubling{}, inputs, outputs); err != nil {
			t.Fatal(err)
		}
		if b.Inputs[1] != nil || b.Outputs[1] != nil {
			t.Error("what is not named is bound")
		}
		if err := (doubling{}).RunInto(t.Context(), b.Inputs, b.Outputs); err != nil {
			t.Fatal(err)
		}
		b.Release(doubling{}, outputs)
		if y := outputs["y"]; y.Len() != n || len(outputs) != 1 {
			t.Errorf("the outputs are %v", outputs)
		}
	}
}
