//go:build cgo

package ort_test

import (
	"errors"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

// TestUnsupported opens models with an operator that both engines lack.
func TestUnsupported(t *testing.T) {
	orttest.Library(t)
	for _, c := range []struct {
		op, domain string
		opset      int64 // of its domain
	}{
		{"Nonsense", "", 17},
		{"Swish", "", 17}, // added in opset 24
		{"Nonsense", "com.example", 1},
	} {
		m := &onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: onnxgraph.Graph{
			Nodes: []onnxgraph.Node{
				{Name: "first", OpType: "Tanh", Inputs: []string{"x"}, Outputs: []string{"h"}},
				{Name: "second", OpType: c.op, Domain: c.domain, Inputs: []string{"h"}, Outputs: []string{"y"}},
			},
			Inputs:  []onnxgraph.Value{value("x", onnxgraph.Float32, "n")},
			Outputs: []onnxgraph.Value{value("y", onnxgraph.Float32, "n")},
		}}
		if c.domain != "" {
			m.Opsets = append(m.Opsets, onnxgraph.Opset{Domain: c.domain, Version: c.opset})
		}
		data, err := onnxgraph.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []engine.Engine{native.New(), ort.CPU()} {
			_, err := e.Open(data)
			var lacking *engine.UnsupportedError
			if !errors.As(err, &lacking) {
				t.Errorf("%s of domain %q on %s: the error is %v, and no UnsupportedError", c.op, c.domain, e, err)
				continue
			}
			want := engine.UnsupportedError{Engine: e.String(), Node: "second", Op: c.op, Domain: c.domain, Opset: c.opset, Err: lacking.Err}
			if *lacking != want {
				t.Errorf("%s of domain %q on %s: the error has %+v, want %+v", c.op, c.domain, e, *lacking, want)
			}
		}
	}
}
