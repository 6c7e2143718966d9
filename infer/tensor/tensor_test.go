package tensor_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

func Example() {
	x := tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	fmt.Println(x.Type(), x.Shape, x.Len())
	values, err := tensor.Values[float32](x)
	fmt.Println(values[3], err)
	_, err = tensor.Values[int64](x)
	fmt.Println(err)
	// Output:
	// float32 [2 3] 6
	// 4 <nil>
	// tensor holds float32, not int64
}

func TestTensor(t *testing.T) {
	for want, x := range map[tensor.Type]tensor.Tensor{
		tensor.Float16: tensor.Of([]tensor.Half{1}),
		tensor.Float32: tensor.Of([]float32{1}),
		tensor.Float64: tensor.Of([]float64{1}),
		tensor.Int32:   tensor.Of([]int32{1}),
		tensor.Int64:   tensor.Of([]int64{1}),
		tensor.Uint8:   tensor.Of([]uint8{1}),
		tensor.Bool:    tensor.Of([]bool{true}),
	} {
		if x.Type() != want || x.Len() != 1 {
			t.Errorf("%v has type %q and length %d", x, x.Type(), x.Len())
		}
	}
	if x := (tensor.Tensor{Data: "text"}); x.Type() != "" || x.Len() != 0 {
		t.Errorf("%v has type %q", x, x.Type())
	}
	defer func() {
		if recover() == nil {
			t.Error("Of took 3 elements for the shape [2]")
		}
	}()
	tensor.Of([]float32{1, 2, 3}, 2)
}

// TestAssign copies to tensors with enough memory, with too little, and with that of another type.
func TestAssign(t *testing.T) {
	shared := []int{9}
	for _, from := range []tensor.Tensor{
		tensor.Of([]tensor.Half{1, 2}, 2, 1), tensor.Of([]float32{1, 2}, 2, 1), tensor.Of([]float64{1, 2}, 2, 1), tensor.Of([]int32{1, 2}, 2, 1),
		tensor.Of([]int64{1, 2}, 2, 1), tensor.Of([]uint8{1, 2}, 2, 1), tensor.Of([]bool{true, true}, 2, 1),
		tensor.Of([]float32{}, 0, 3), tensor.Of([]float32{7}),
	} {
		large := tensor.Zeros(from.Type(), 9)
		large.Shape = shared
		kept := large
		small := tensor.Zeros(from.Type(), 1)
		for name, to := range map[string]*tensor.Tensor{
			"enough": &large, "too little": &small, "no type": {}, "another type": {Shape: shared, Data: []int8{1}},
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

// TestHalf goes through all of float16, and what lies between each two.
func TestHalf(t *testing.T) {
	const infinity = 0x7c00
	for h := tensor.Half(0); h < infinity; h++ {
		v := h.Float32()
		next := (h + 1).Float32()
		if h+1 == infinity {
			next = 65536 // as if float16 went on
		}
		middle := float32((float64(v) + float64(next)) / 2)
		even := h + h&1
		for _, test := range []struct {
			v    float32
			want tensor.Half
		}{
			{v, h},
			{math.Nextafter32(middle, v), h},
			{middle, even},
			{math.Nextafter32(middle, next), h + 1},
		} {
			if got := tensor.HalfOf(test.v); got != test.want {
				t.Fatalf("HalfOf(%v) is %#x, not %#x", test.v, got, test.want)
			}
			if got := tensor.HalfOf(-test.v); got != test.want|0x8000 {
				t.Fatalf("HalfOf(%v) is %#x, not %#x", -test.v, got, test.want|0x8000)
			}
		}
	}
	for _, test := range []struct {
		h tensor.Half
		v float64
	}{
		{0x3c00, 1}, {0xc000, -2}, {0x3555, 0.333251953125}, {0x7bff, 65504}, {0x0001, 1.0 / (1 << 24)},
		{infinity, math.Inf(1)}, {0xfc00, math.Inf(-1)},
	} {
		if got := test.h.Float32(); float64(got) != test.v {
			t.Errorf("%#x is %v, not %v", test.h, got, test.v)
		}
	}
	nan := float32(math.NaN())
	if v := tensor.HalfOf(nan).Float32(); v == v {
		t.Errorf("NaN became %v", v)
	}
	if h := tensor.HalfOf(math.MaxFloat32); h != infinity {
		t.Errorf("the greatest float32 became %#x", h)
	}
}

// plain is an engine that knows of no context.

// TestParts takes a tensor apart along each axis, and puts it together again.
func TestParts(t *testing.T) {
	for _, x := range []tensor.Tensor{
		tensor.Of([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 2, 3, 2), tensor.Of([]bool{true, false, false, true, true, true}, 1, 2, 3),
		tensor.Of([]tensor.Half{7, 8, 9}, 3, 1, 1),
	} {
		for axis, size := range x.Shape {
			parts := make([]tensor.Tensor, size)
			for i := range parts {
				parts[i] = x.At(axis, i)
			}
			if y := tensor.Stack(parts, axis); !reflect.DeepEqual(y, x) {
				t.Errorf("along axis %d of %v the parts are together %v", axis, x, y)
			}
		}
	}
	x := tensor.Of([]int64{1, 2, 3, 4, 5, 6}, 2, 3)
	if got, want := x.At(1, 2), tensor.Of([]int64{3, 6}, 2, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("column 2 is %v, want %v", got, want)
	}
	if got, want := x.Pick([]int{5, 0, 5}, 3), tensor.Of([]int64{6, 1, 6}, 3); !reflect.DeepEqual(got, want) {
		t.Errorf("the places 5, 0 and 5 hold %v, want %v", got, want)
	}
}

func TestFloat64s(t *testing.T) {
	for _, c := range []struct {
		x    tensor.Tensor
		want []float64
	}{
		{tensor.Of([]tensor.Half{0x3c00, 0xc000}, 2), []float64{1, -2}},
		{tensor.Of([]float32{0.5, -8}, 2), []float64{0.5, -8}},
		{tensor.Of([]float64{1e300}, 1), []float64{1e300}},
		{tensor.Of([]int32{math.MinInt32}, 1), []float64{math.MinInt32}},
		{tensor.Of([]int64{1 << 40}, 1), []float64{1 << 40}},
		{tensor.Of([]uint8{255}, 1), []float64{255}},
		{tensor.Of([]bool{true, false}, 2), []float64{1, 0}},
		{tensor.Tensor{}, nil},
	} {
		if got := c.x.Float64s(); !slices.Equal(got, c.want) {
			t.Errorf("the numbers of %v are %v, want %v", c.x, got, c.want)
		}
	}
}

func TestType(t *testing.T) {
	if typ := tensor.Type(""); typ.Known() || typ.String() != "undefined" {
		t.Errorf("no type is %v, and known: %v", typ, typ.Known())
	}
	if tensor.Type("bfloat16").Known() || !tensor.Bool.Known() {
		t.Error("bfloat16 is known, or bool is not")
	}
}
