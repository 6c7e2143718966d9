package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

var infos = []tensor.Info{
	{Name: "x", Type: tensor.Float32, Shape: []tensor.Dim{{Symbol: "batch"}, {Size: -1}, {Size: 2}}},
	{Name: "h0", Type: tensor.Float32, Shape: []tensor.Dim{{Size: 1}}, Optional: true},
}

func TestCheckInputs(t *testing.T) {
	x := tensor.Of(make([]float32, 12), 2, 3, 2)
	for _, test := range []struct {
		inputs map[string]tensor.Tensor
		want   string // "" if they fit
	}{
		{map[string]tensor.Tensor{"x": x}, ""},
		{map[string]tensor.Tensor{"x": x, "h0": tensor.Of([]float32{0}, 1)}, ""},
		{map[string]tensor.Tensor{"x": tensor.Of([]float32{}, 0, 3, 2)}, ""},
		{nil, `input "x" is missing: the model needs x float32[batch, ?, 2]`},
		{map[string]tensor.Tensor{"x": x, "y": x}, `input "y" is not among the model's`},
		{map[string]tensor.Tensor{"x": {}}, `input "x" has type "undefined"`},
		{map[string]tensor.Tensor{"x": tensor.Of(make([]int64, 12), 2, 3, 2)}, `input "x" has type "int64"`},
		{map[string]tensor.Tensor{"x": tensor.Of(make([]float32, 12), 2, 6)}, `input "x" has shape [2 6]`},
		{map[string]tensor.Tensor{"x": tensor.Of(make([]float32, 12), 2, 2, 3)}, `input "x" has shape [2 2 3]`},
		{map[string]tensor.Tensor{"x": {Shape: []int{2, 3, 2}, Data: make([]float32, 11)}}, `input "x" has 11 elements for the shape [2 3 2]`},
		{map[string]tensor.Tensor{"x": {Shape: []int{-2, -3, 2}, Data: make([]float32, 12)}}, `negative dimension`},
		{map[string]tensor.Tensor{"x": {Shape: []int{1 << 40, 1 << 40, 2}, Data: make([]float32, 0)}}, `too large`},
	} {
		err := engine.CheckInputs(infos, test.inputs)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("the error is %v, not %q", err, test.want)
		}
	}
}

// TestAnyRank checks inputs of which a graph says only the type.
func TestAnyRank(t *testing.T) {
	infos := []tensor.Info{{Name: "x", Type: tensor.Bool}}
	for _, x := range []tensor.Tensor{tensor.Of([]bool{true}), tensor.Of([]bool{}, 3, 0)} {
		if err := engine.CheckInputs(infos, map[string]tensor.Tensor{"x": x}); err != nil {
			t.Error(err)
		}
	}
	err := engine.CheckInputs(infos, map[string]tensor.Tensor{"x": tensor.Of([]float32{1})})
	if err == nil || !strings.Contains(err.Error(), "x bool[...]") {
		t.Errorf("the error is %v", err)
	}
}

type plain struct{ engine.Engine }

func (plain) Open([]byte) (engine.Session, error) { return nil, nil }

func TestOpen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := engine.Open(ctx, plain{}, nil); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := engine.Open(ctx, plain{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
