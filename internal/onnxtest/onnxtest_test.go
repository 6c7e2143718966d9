package onnxtest_test

import (
	"math"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

func TestSets(t *testing.T) {
	for _, dir := range onnxtest.Folders(t, "onnx-tests/node/gather/test_gather_negative_indices") {
		sets, err := onnxtest.Sets(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(sets) != 1 || len(sets[0].Inputs) != 2 || len(sets[0].Outputs) != 1 {
			t.Fatalf("sets are %v", sets)
		}
		if err := onnxtest.Compare(sets[0].Outputs[0], engine.Of([]float32{0, 1, 0}, 3), 0, 0); err != nil {
			t.Error(err)
		}
	}
}

func TestCompare(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		got, want engine.Tensor
		equal     bool
	}{
		{engine.Of([]float32{1, 2}, 2), engine.Of([]float32{1, 2.1}, 2), true},
		{engine.Of([]float32{1, 2}, 2), engine.Of([]float32{1, 2.3}, 2), false},
		{engine.Of([]float32{1, 2}, 2), engine.Of([]float32{1, 2}, 1, 2), false},
		{engine.Of([]float32{1}, 1), engine.Of([]int64{1}, 1), false},
		{engine.Of([]float32{nan}, 1), engine.Of([]float32{0}, 1), false},
		{engine.Of([]float32{0}, 1), engine.Of([]float32{nan}, 1), false},
		{engine.Of([]float32{nan}, 1), engine.Of([]float32{nan}, 1), true},
		{engine.Of([]float32{inf}, 1), engine.Of([]float32{inf}, 1), true},
		{engine.Of([]float32{-inf}, 1), engine.Of([]float32{inf}, 1), false},
		{engine.Of([]float32{1}, 1), engine.Of([]float32{inf}, 1), false},
		{engine.Of([]int64{100}, 1), engine.Of([]int64{101}, 1), false},
		{engine.Of([]bool{true}, 1), engine.Of([]bool{false}, 1), false},
		{engine.Tensor{}, engine.Tensor{}, false},
	} {
		if err := onnxtest.Compare(test.got, test.want, 0.1, 0); (err == nil) != test.equal {
			t.Errorf("Compare(%v, %v): %v", test.got, test.want, err)
		}
	}
}
