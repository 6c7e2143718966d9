package onnxgraph

import (
	"reflect"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// stateless is a model with a recurrent layer whose states are not inputs.
func stateless() *Model {
	return &Model{IRVersion: 8, Opsets: []Opset{{Version: 17}}, Graph: Graph{
		Nodes: []Node{
			{
				OpType: "GRU", Inputs: []string{"x", "W", "R"}, Outputs: []string{"Y"},
				Attributes: []Attribute{{Name: "hidden_size", Value: int64(2)}},
			},
			{OpType: "Squeeze", Inputs: []string{"Y", "one"}, Outputs: []string{"y"}},
		},
		Inputs:  []Value{{Name: "x", Type: Float32, Shape: []Dim{{Size: 5}, {Symbol: "batch"}, {Size: 1}}}},
		Outputs: []Value{{Name: "y", Type: Float32, Shape: []Dim{{Size: 5}, {Symbol: "batch"}, {Size: 2}}}},
		Initializers: []Tensor{
			{Name: "W", Tensor: tensor.Of(make([]float32, 6), 1, 6, 1)}, {Name: "R", Tensor: tensor.Of(make([]float32, 12), 1, 6, 2)},
			{Name: "one", Tensor: tensor.Of([]int64{1}, 1)},
		},
	}}
}

// TestApplyTo applies a change to a file and to its parsed graph, and compares them.
func TestApplyTo(t *testing.T) {
	steps := []Dim{{Symbol: "steps"}, {Symbol: "batch"}, {Size: 1}}
	state := []Dim{{Size: 1}, {Symbol: "batch"}, {Size: 2}}
	c := &Change{
		Inputs: []Value{{Name: "h in", Type: Float32, Shape: state}}, Outputs: []Value{{Name: "h out", Type: Float32, Shape: state}},
		First: []Node{
			{OpType: "Identity", Inputs: []string{"h in"}, Outputs: []string{"h"}},
			{OpType: "Neg", Inputs: []string{"x"}, Outputs: []string{"-x"}},
		},
		Last: []Node{{OpType: "Identity", Inputs: []string{"h last"}, Outputs: []string{"h out"}}},
		Nodes: map[string]Names{
			"Y": {Inputs: map[int]string{0: "-x", 5: "h"}, Outputs: map[int]string{1: "h last"}},
			"y": {Inputs: map[int]string{1: "axes"}},
		},
		Shapes: map[string][]Dim{"x": steps},
	}
	data := marshal(t, stateless())
	m, err := Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := c.Apply(data)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Unmarshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.ApplyTo(m)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the graph is %+v, and by its bytes %+v", got, want)
	}
	if before, err := Unmarshal(data); err != nil || !reflect.DeepEqual(m, before) {
		t.Errorf("the model that is changed is %+v now, and was %+v (%v)", m, before, err)
	}
	c.Nodes = map[string]Names{"no such value": {}}
	if _, err := c.ApplyTo(m); err == nil {
		t.Error("a change of a node that is not there is no error")
	}
}

// TestOutlineOfGraph compares the outline of a graph with that of its bytes. Both
// keep a large matrix without a negative element, which may compute means.
func TestOutlineOfGraph(t *testing.T) {
	large := stateless()
	for name, v := range map[string]float32{"weights": -1, "mean": 0.1} {
		w := Tensor{Name: name, Tensor: tensor.Of(slices.Repeat([]float32{v}, 100), 10, 10)}
		large.Graph.Initializers = append(large.Graph.Initializers, w)
	}
	data := marshal(t, large)
	m, err := Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Outline(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Outline(); !reflect.DeepEqual(got, want) {
		t.Errorf("the outline is %+v, and by its bytes %+v", got, want)
	}
	for _, w := range want.Graph.Initializers {
		if _, without := w.Data.(DataType); without != (w.Name == "weights") {
			t.Errorf("the outline has %v of %q", w.Data, w.Name)
		}
	}
}
