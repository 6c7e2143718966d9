package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
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

// TestAnyRank checks inputs of which a graph says only the type.
func TestAnyRank(t *testing.T) {
	infos := []engine.ValueInfo{{Name: "x", Type: engine.Bool}}
	for _, x := range []engine.Tensor{engine.Of([]bool{true}), engine.Of([]bool{}, 3, 0)} {
		if err := engine.CheckInputs(infos, map[string]engine.Tensor{"x": x}); err != nil {
			t.Error(err)
		}
	}
	err := engine.CheckInputs(infos, map[string]engine.Tensor{"x": engine.Of([]float32{1})})
	if err == nil || !strings.Contains(err.Error(), "x bool[...]") {
		t.Errorf("the error is %v", err)
	}
}

func TestTensor(t *testing.T) {
	for want, x := range map[engine.Type]engine.Tensor{
		engine.Float16: engine.Of([]engine.Half{1}),
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

// TestHalf goes through all of float16, and what lies between each two.
// TestAssign copies to tensors that have room, too little of it, and none of the type.
func TestAssign(t *testing.T) {
	shared := []int{9}
	for _, from := range []engine.Tensor{
		engine.Of([]engine.Half{1, 2}, 2, 1), engine.Of([]float32{1, 2}, 2, 1), engine.Of([]float64{1, 2}, 2, 1), engine.Of([]int32{1, 2}, 2, 1),
		engine.Of([]int64{1, 2}, 2, 1), engine.Of([]uint8{1, 2}, 2, 1), engine.Of([]bool{true, true}, 2, 1),
		engine.Of([]float32{}, 0, 3), engine.Of([]float32{7}),
	} {
		large := engine.Zeros(from.Type(), 9)
		large.Shape = shared
		kept := large
		small := engine.Zeros(from.Type(), 1)
		for name, to := range map[string]*engine.Tensor{
			"room": &large, "little room": &small, "no type": {}, "another type": {Shape: shared, Data: []int8{1}},
		} {
			to.Assign(from)
			if to.Type() != from.Type() || fmt.Sprint(to.Data) != fmt.Sprint(from.Data) || !slices.Equal(to.Shape, from.Shape) || to.Shape == nil {
				t.Errorf("%s: %v became %v", name, from, to)
			}
		}
		if from.Len() > 0 && reflect.ValueOf(kept.Data).Index(0).Interface() != reflect.ValueOf(from.Data).Index(0).Interface() {
			t.Errorf("%v is not in the memory that was there", from)
		}
		if shared[0] != 9 {
			t.Errorf("%v has written to a shape that others share", from)
		}
	}
}

func TestHalf(t *testing.T) {
	const infinity = 0x7c00
	for h := engine.Half(0); h < infinity; h++ {
		v := h.Float32()
		next := (h + 1).Float32()
		if h+1 == infinity {
			next = 65536 // as if float16 went on
		}
		middle := float32((float64(v) + float64(next)) / 2)
		even := h + h&1
		for _, test := range []struct {
			v    float32
			want engine.Half
		}{
			{v, h},
			{math.Nextafter32(middle, v), h},
			{middle, even},
			{math.Nextafter32(middle, next), h + 1},
		} {
			if got := engine.HalfOf(test.v); got != test.want {
				t.Fatalf("HalfOf(%v) is %#x, not %#x", test.v, got, test.want)
			}
			if got := engine.HalfOf(-test.v); got != test.want|0x8000 {
				t.Fatalf("HalfOf(%v) is %#x, not %#x", -test.v, got, test.want|0x8000)
			}
		}
	}
	for _, test := range []struct {
		h engine.Half
		v float64
	}{{0x3c00, 1}, {0xc000, -2}, {0x3555, 0.333251953125}, {0x7bff, 65504}, {0x0001, 1.0 / (1 << 24)}, {infinity, math.Inf(1)}, {0xfc00, math.Inf(-1)}} {
		if got := test.h.Float32(); float64(got) != test.v {
			t.Errorf("%#x is %v, not %v", test.h, got, test.v)
		}
	}
	nan := float32(math.NaN())
	if v := engine.HalfOf(nan).Float32(); v == v {
		t.Errorf("NaN became %v", v)
	}
	if h := engine.HalfOf(math.MaxFloat32); h != infinity {
		t.Errorf("the greatest float32 became %#x", h)
	}
}

// plain is an engine that knows of no context.
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
