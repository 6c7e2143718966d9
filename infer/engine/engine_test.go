package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
)

func Example() {
	x := engine.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	fmt.Println(x.Type(), x.Shape, x.Len())
	values, err := engine.Values[float32](x)
	fmt.Println(values[3], err)
	_, err = engine.Values[int64](x)
	fmt.Println(err)
	// Output:
	// float32 [2 3] 6
	// 4 <nil>
	// tensor holds float32, not int64
}

var infos = []engine.ValueInfo{
	{Name: "x", Type: engine.Float32, Shape: []engine.Dim{{Symbol: "batch"}, {Size: -1}, {Size: 2}}},
	{Name: "h0", Type: engine.Float32, Shape: []engine.Dim{{Size: 1}}, Optional: true},
}

func TestCheckInputs(t *testing.T) {
	x := engine.Of(make([]float32, 12), 2, 3, 2)
	for _, test := range []struct {
		inputs map[string]engine.Tensor
		want   string // "" if they fit
	}{
		{map[string]engine.Tensor{"x": x}, ""},
		{map[string]engine.Tensor{"x": x, "h0": engine.Of([]float32{0}, 1)}, ""},
		{map[string]engine.Tensor{"x": engine.Of([]float32{}, 0, 3, 2)}, ""},
		{nil, `input "x" is missing: the model needs x float32[batch, ?, 2]`},
		{map[string]engine.Tensor{"x": x, "y": x}, `input "y" is not among the model's`},
		{map[string]engine.Tensor{"x": {}}, `input "x" has type ""`},
		{map[string]engine.Tensor{"x": engine.Of(make([]int64, 12), 2, 3, 2)}, `input "x" has type "int64"`},
		{map[string]engine.Tensor{"x": engine.Of(make([]float32, 12), 2, 6)}, `input "x" has shape [2 6]`},
		{map[string]engine.Tensor{"x": engine.Of(make([]float32, 12), 2, 2, 3)}, `input "x" has shape [2 2 3]`},
		{map[string]engine.Tensor{"x": {Shape: []int{2, 3, 2}, Data: make([]float32, 11)}}, `input "x" has 11 elements for the shape [2 3 2]`},
		{map[string]engine.Tensor{"x": {Shape: []int{-2, -3, 2}, Data: make([]float32, 12)}}, `negative dimension`},
		{map[string]engine.Tensor{"x": {Shape: []int{1 << 40, 1 << 40, 2}, Data: make([]float32, 0)}}, `too large`},
	} {
		err := engine.CheckInputs(infos, test.inputs)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("the error is %v, not %q", err, test.want)
		}
	}
}

func TestTensor(t *testing.T) {
	for want, x := range map[engine.Type]engine.Tensor{
		engine.Float32: engine.Of([]float32{1}),
		engine.Float64: engine.Of([]float64{1}),
		engine.Int32:   engine.Of([]int32{1}),
		engine.Int64:   engine.Of([]int64{1}),
		engine.Uint8:   engine.Of([]uint8{1}),
		engine.Bool:    engine.Of([]bool{true}),
	} {
		if x.Type() != want || x.Len() != 1 {
			t.Errorf("%v has type %q and length %d", x, x.Type(), x.Len())
		}
	}
	if x := (engine.Tensor{Data: "text"}); x.Type() != "" || x.Len() != 0 {
		t.Errorf("%v has type %q", x, x.Type())
	}
	defer func() {
		if recover() == nil {
			t.Error("Of took 3 elements for the shape [2]")
		}
	}()
	engine.Of([]float32{1, 2, 3}, 2)
}
