package engine_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

// logarithm is an engine of one model, y = log x, whose sessions are Refillers or not.
type logarithm struct{ refills bool }

func (logarithm) String() string { return "logarithm" }

func (l logarithm) Open([]byte) (engine.Session, error) {
	if l.refills {
		return logRefiller{}, nil
	}
	return logSession{}, nil
}

type logSession struct{}

func (logSession) Inputs() []tensor.Info {
	return []tensor.Info{{Name: "n", Type: tensor.Int64, Optional: true}, {Name: "x", Type: tensor.Float32}}
}
func (logSession) Outputs() []tensor.Info {
	return []tensor.Info{{Name: "y", Type: tensor.Float32}}
}
func (logSession) Metadata() map[string]string { return nil }
func (logSession) Close() error                { return nil }
func (logSession) Run(_ context.Context, inputs map[string]tensor.Tensor, _ ...string) (map[string]tensor.Tensor, error) {
	return map[string]tensor.Tensor{"y": log(inputs["x"])}, nil
}

type logRefiller struct{ logSession }

func (logRefiller) RunInto(_ context.Context, inputs, outputs []*tensor.Tensor) error {
	*outputs[0] = log(*inputs[1])
	return nil
}

func log(x tensor.Tensor) tensor.Tensor {
	var y []float32
	for _, v := range x.Data.([]float32) {
		y = append(y, float32(math.Log(float64(v))))
	}
	return tensor.Of(y, x.Shape...)
}

func TestFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, refills := range []bool{false, true} {
		s, err := engine.Finite(logarithm{refills}).Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			x    []float32
			want string
		}{
			{[]float32{1, 2, 3, 4, 5, 6}, ""},
			{[]float32{1, 2, 3, 4, nan, 6}, `input "x" has NaN at [1 1]`},
			{[]float32{1, inf, 3, 4, 5, nan}, `input "x" has an infinity at [0 1]`},
			{[]float32{1, 2, 3, 4, 5, -6}, `output "y" has NaN at [1 2]`},
			{[]float32{1, 2, 0, 4, 5, 6}, `output "y" has an infinity at [0 2]`},
		} {
			y, err := s.Run(t.Context(), map[string]tensor.Tensor{"x": tensor.Of(test.x, 2, 3)})
			switch {
			case test.want == "" && (err != nil || y["y"].Len() != 6):
				t.Errorf("%v: %v, %v", test.x, y, err)
			case test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), test.want)):
				t.Errorf("%v: the error is %v, not %q", test.x, err, test.want)
			}
		}
	}
	for _, test := range []struct {
		x    tensor.Tensor
		want string
	}{
		{tensor.Of([]tensor.Half{tensor.HalfOf(1), tensor.HalfOf(1e9)}, 2), "has an infinity at [1]"},
		{tensor.Of([]float64{math.NaN()}), "has NaN at []"},
		{tensor.Of([]int64{1 << 62}, 1), ""},
		{tensor.Tensor{}, ""},
	} {
		if err := test.x.CheckFinite(); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("%v: the error is %v, not %q", test.x, err, test.want)
		}
	}
}
