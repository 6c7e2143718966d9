package ort

import (
	"slices"
	"testing"
)

// TestFallen reads a profile of a session with two providers.
func TestFallen(t *testing.T) {
	placements, err := placementsOf([]byte(`[
		{"cat": "Session", "name": "model_run", "args": {}},
		{"cat": "Node", "name": "shape_kernel_time", "args": {"op_name": "Shape", "provider": "CPUExecutionProvider",
			"output_type_shape": [{"int64": [3]}]}},
		{"cat": "Node", "name": "lstm_fence_before", "args": {"op_name": "LSTM"}},
		{"cat": "Node", "name": "lstm_kernel_time", "args": {"op_name": "LSTM", "provider": "CUDAExecutionProvider",
			"output_type_shape": [{"float": [5, 1, 2, 3]}, {"float": [1, 2, 3]}]}},
		{"cat": "Node", "name": "top_kernel_time", "args": {"op_name": "TopK", "provider": "CPUExecutionProvider",
			"output_type_shape": [{"float": [2, 1]}, {"int64": [2, 1]}]}}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Placement{
		{"shape", "Shape", "CPUExecutionProvider", true},
		{"lstm", "LSTM", "CUDAExecutionProvider", false},
		{"top", "TopK", "CPUExecutionProvider", false},
	}
	if !slices.Equal(placements, want) {
		t.Errorf("the placements are %v, not %v", placements, want)
	}
	if got := fallen(placements); !slices.Equal(got, []string{`TopK "top"`}) {
		t.Errorf("fallen back are %v", got)
	}
	if _, err := placementsOf([]byte("[{")); err == nil {
		t.Error("half a profile was read")
	}
}
