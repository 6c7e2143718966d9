package native

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

func ExampleOperators() {
	for _, o := range Operators() {
		if o.Name == "LSTM" {
			fmt.Println(o.Name, o.Since, o.Types)
		}
	}
	// Output:
	// LSTM 1 [float16 float32 float64]
}

// TestOperatorTypes gives each operator inputs of every element type: it takes those
// that Operators lists, and refuses the others.
func TestOperatorTypes(t *testing.T) {
	nodes := large(16)
	maps.Copy(nodes, looping(3))
	scatter := nodes["ScatterND"]
	scatter.attributes = nil // the reduction, which truth values have none of
	nodes["ScatterND"] = scatter
	for _, o := range Operators() {
		node, ok := nodes[o.Name]
		if !ok || slices.Contains([]string{"ConstantOfShape", "If", "Loop"}, o.Name) {
			continue // its values have any type, and its inputs here are no such values
		}
		decides := node.inputs[operators()[o.Name].typed].Type()
		for _, e := range elementTypes {
			other := largeNode{slices.Clone(node.inputs), node.attributes}
			for i, in := range other.inputs {
				if in.Type() == decides {
					other.inputs[i] = tensor.Zeros(e.typ, in.Shape...)
				}
			}
			_, err := New().Open(marshal(t, other.model(o.Name)))
			if want := slices.Contains(o.Types, e.typ); want != (err == nil) {
				t.Errorf("%s of %s: listed is %v, but the error is %v", o.Name, e.typ, want, err)
			}
		}
	}
}
