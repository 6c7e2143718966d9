package ort

import (
	"regexp"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// lacks matches the messages of ONNX Runtime about a missing operator. They name the
// operator and, in one form, the node.
var lacks = regexp.MustCompile(`No Op registered for (\w+) with` +
	`|(\w+)\(-?\d+\) is not a registered function/op` +
	`|implementation for (\w+)\(\d+\) node with name '([^']*)'`)

// unsupported turns an error of ONNX Runtime about a missing operator of m into an
// [engine.UnsupportedError]. It returns any other error unchanged.
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
