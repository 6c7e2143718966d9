package ort

import (
	"regexp"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// lacks matches what ONNX Runtime says where it lacks an operator: with its name, and in
// one of the forms with that of the node.
var lacks = regexp.MustCompile(`No Op registered for (\w+) with` +
	`|(\w+)\(-?\d+\) is not a registered function/op` +
	`|implementation for (\w+)\(\d+\) node with name '([^']*)'`)

// unsupported returns an error of ONNX Runtime for m, as an [engine.UnsupportedError]
// where it says that an operator is lacking.
func (e *ortEngine) unsupported(m *onnxgraph.Model, err error) error {
	found := lacks.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	op, name := found[1]+found[2]+found[3], found[4]
	for _, n := range onnxgraph.NewScope(&m.Graph).All() {
		if n.OpType == op && (name == "" || n.Name == name) {
			return &engine.UnsupportedError{Engine: e.String(), Node: n.Name, Op: op, Domain: n.Domain, Opset: m.Opset(n.Domain), Err: err}
		}
	}
	return err
}
