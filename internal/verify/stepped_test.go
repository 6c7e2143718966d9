package verify_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
)

func TestDifferenceOfAllSizes(t *testing.T) {
	inf := float32(math.Inf(1))
	y := func(v ...float32) map[string]tensor.Tensor {
		return map[string]tensor.Tensor{"y": tensor.Of(v, len(v))}
	}
	for _, test := range []struct {
		want, got map[string]tensor.Tensor
		tolerance float64
		d         float64
		fail      bool
	}{
		{y(1, 2), y(1.25, 2.5), 1, 0.5, false},
		{y(1, 2), y(1.25, 2.5), 0.1, 0, true},
		{y(0.5), y(0.75), 0.2, 0, true}, // values below 1 do not narrow it
		{y(0.5), y(0.75), 0.3, 0.25, false},
		{y(1, 2), nil, 1, 0, true},
		{y(inf, 1), y(1, 1), 1, 0, true}, // an infinite value does not widen it
		{y(1, inf), y(9, inf), 1, 0, true},
		{y(inf), y(-inf), 1, 0, true},
	} {
		d, err := verify.Difference(test.want, test.got, test.tolerance, nil)
		if (err != nil) != test.fail || err == nil && d != test.d {
			t.Errorf("%v, %v, tolerance %g: %g, %v", test.want, test.got, test.tolerance, d, err)
		}
	}
}

// TestInput checks that inputs are in raw units, and never larger than memory.
func TestInput(t *testing.T) {
	meta := models.Forecaster("y", 50)
	meta.InputScale = &models.Scale{Mean: []float32{1000}, Std: []float32{0.5}}
	x, err := verify.Input(&meta, 3, 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range x.Data.([]float32) {
		if !(v > 990 && v < 1010) {
			t.Fatalf("%g is not of the distribution N(1000, 0.5)", v)
		}
	}
	for _, time := range []int{math.MaxInt, math.MaxInt / 7, 1 << 40} {
		if _, err := verify.Input(&meta, 7, time, 1); err == nil {
			t.Errorf("an input of %d steps", time)
		}
	}
}

// TestSteppedOutputsThatLie declares a time that an output does not have.
func TestSteppedOutputsThatLie(t *testing.T) {
	m, err := models.New(models.Forecaster("y", 5), 0)
	if err != nil {
		t.Fatal(err)
	}
	m.State = m.Spec.State()
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	batch, time := onnxgraph.Dim{Symbol: "batch"}, onnxgraph.Dim{Symbol: "time"}
	for _, shape := range [][]onnxgraph.Dim{{batch, time}, {batch, time, {Size: 1}}} {
		file, err := onnxgraph.Unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		file.Graph.Outputs[0].Shape = shape
		lie, err := onnxgraph.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		model, err := infer.OpenBytes(lie)
		if err != nil {
			continue // an engine may refuse it
		}
		input, err := verify.Input(model.Metadata(), 2, 5, 1)
		if err != nil {
			t.Fatal(err)
		}
		verify.Stepped(t.Context(), model, input) // must not panic
	}
	// Nor may a state that the graph does not have.
	file, _ := onnxgraph.Unmarshal(data)
	var meta models.Metadata
	if err := json.Unmarshal([]byte(file.Metadata[0].Value), &meta); err != nil {
		t.Fatal(err)
	}
	meta.State[0].Output = "nothing"
	document, _ := json.Marshal(meta)
	file.Metadata[0].Value = string(document)
	lie, _ := onnxgraph.Marshal(file)
	model, err := infer.OpenBytes(lie)
	if err != nil {
		return
	}
	input, _ := verify.Input(&meta, 2, 5, 1)
	if _, err := verify.Stepped(t.Context(), model, input); err == nil {
		t.Error("a state that the graph does not have went through")
	}
}
