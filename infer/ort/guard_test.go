//go:build cgo

package ort_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// cell describes a model of one recurrent node with 4 units that reads 3 values per
// step, and its deviations from that.
type cell struct {
	name     string
	op       string
	x        []int64          // the shape of an X that the model computes; nil for an input [5, 2, 3]
	shapes   map[string][]int // wrong shapes of weights
	wrap     func(*onnxpb.ModelProto)
	weights  string // "" for initializers, else Constant, Cast or inputs
	right    bool   // the model gives the native engine's answers
	anyError bool   // the error comes from ONNX Runtime instead of the guard
}

func cells() []cell {
	var all []cell
	for _, op := range []string{"LSTM", "GRU", "RNN"} {
		lstm := op == "LSTM"
		for _, weights := range []string{"", "Constant", "Cast", "inputs"} {
			all = append(all,
				cell{name: "right", op: op, weights: weights, right: true},
				cell{name: "right, X computed", op: op, weights: weights, x: []int64{5, 2, 3}, right: true},
				cell{name: "W narrow", op: op, weights: weights, shapes: map[string][]int{"W": {1, gates[op] * 4, 1}}, anyError: !lstm},
				cell{name: "W wide", op: op, weights: weights, shapes: map[string][]int{"W": {1, gates[op] * 4, 9}}, anyError: !lstm},
				cell{name: "W of two directions", op: op, weights: weights, shapes: map[string][]int{"W": {2, gates[op] * 4, 3}}, anyError: !lstm},
				cell{name: "R narrow", op: op, weights: weights, shapes: map[string][]int{"R": {1, gates[op] * 4, 1}}, anyError: !lstm},
				cell{name: "R short", op: op, weights: weights, shapes: map[string][]int{"R": {1, 4, 4}}, anyError: !lstm, right: op == "RNN"},
				cell{name: "B short", op: op, weights: weights, shapes: map[string][]int{"B": {1, 1}}, anyError: true},
				cell{name: "X wide", op: op, weights: weights, x: []int64{5, 2, 300}, anyError: !lstm},
				cell{name: "X narrow", op: op, weights: weights, x: []int64{5, 2, 1}, anyError: !lstm},
			)
			if op != "RNN" {
				all = append(all,
					cell{name: "no batch", op: op, weights: weights, x: []int64{5, 0, 3}},
					cell{name: "no time", op: op, weights: weights, x: []int64{0, 2, 3}},
				)
			}
			if lstm {
				all = append(all,
					cell{name: "W of rank 2", op: op, weights: weights, shapes: map[string][]int{"W": {4, 3}}},
					cell{name: "R of rank 1", op: op, weights: weights, shapes: map[string][]int{"R": {5}}},
				)
			}
		}
	}
	narrow := map[string][]int{"W": {1, 16, 1}}
	return append(all,
		cell{name: "right in a branch", op: "LSTM", wrap: inBranch, right: true},
		cell{name: "W narrow in a branch", op: "LSTM", wrap: inBranch, shapes: narrow, anyError: true},
		cell{name: "no batch in a branch", op: "GRU", wrap: inBranch, x: []int64{5, 0, 3}, anyError: true},
		cell{name: "right in a function", op: "LSTM", wrap: inFunction, right: true},
		cell{name: "W narrow in a function", op: "LSTM", wrap: inFunction, shapes: narrow},
		cell{name: "X wide, and declared narrow", op: "LSTM", x: []int64{5, 2, 300}, wrap: declareX},
	)
}

var gates = map[string]int{"LSTM": 4, "GRU": 3, "RNN": 1}

// model returns the file and the inputs of a cell.
func (c cell) model(t *testing.T) ([]byte, map[string]tensor.Tensor) {
	shapes := map[string][]int{"W": {1, gates[c.op] * 4, 3}, "R": {1, gates[c.op] * 4, 4}, "B": {1, 2 * gates[c.op] * 4}}
	for name, shape := range c.shapes {
		shapes[name] = shape
	}
	g := onnxgraph.Graph{Name: "g", Outputs: []onnxgraph.Value{value("Y", onnxgraph.Float32, "t", "d", "b", "h")}}
	given := map[string]tensor.Tensor{}
	if c.x == nil {
		g.Inputs = append(g.Inputs, value("X", onnxgraph.Float32, "t", "b", "i"))
		given["X"] = ramp(5, 2, 3)
	} else {
		g.Inputs = append(g.Inputs, value("n", onnxgraph.Int64, "three"))
		given["n"] = tensor.Of(c.x, 3)
		g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: "one", Tensor: tensor.Of([]float32{0.1}, 1)})
		g.Nodes = append(g.Nodes, node("Expand", "one n", "X"))
	}
	for _, name := range []string{"W", "R", "B"} {
		x := ramp(shapes[name]...)
		constant := onnxgraph.Tensor{Name: name, Tensor: x}
		switch c.weights {
		case "Constant":
			g.Nodes = append(g.Nodes, onnxgraph.Node{
				OpType: "Constant", Outputs: []string{name},
				Attributes: []onnxgraph.Attribute{{Name: "value", Value: constant}},
			})
		case "Cast":
			constant.Name = "constant" + name
			g.Initializers = append(g.Initializers, constant)
			g.Nodes = append(g.Nodes, node("Cast", constant.Name, "half"+name, onnxgraph.Attribute{Name: "to", Value: onnxgraph.Number(onnxgraph.Float16)}),
				node("Exp", "half"+name, "exp"+name), node("Cast", "exp"+name, name, onnxgraph.Attribute{Name: "to", Value: onnxgraph.Number(onnxgraph.Float32)}))
		case "inputs":
			g.Inputs = append(g.Inputs, value(name, onnxgraph.Float32, strings.Split("pqrs"[:len(x.Shape)], "")...))
			given[name] = x
		default:
			g.Initializers = append(g.Initializers, constant)
		}
	}
	cell := node(c.op, "X W R B", "Y", onnxgraph.Attribute{Name: "hidden_size", Value: int64(4)})
	cell.Name = "cell"
	g.Nodes = append(g.Nodes, cell)
	p := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(marshal(t, g), p); err != nil {
		t.Fatal(err)
	}
	if c.wrap != nil {
		c.wrap(p)
	}
	return protobuf(t, p), given
}

// inBranch moves the recurrent node, which is the last, into both branches of an If.
func inBranch(p *onnxpb.ModelProto) {
	g := p.Graph
	cell := g.Node[len(g.Node)-1]
	branch := &onnxpb.GraphProto{Name: proto.String("branch"), Node: []*onnxpb.NodeProto{cell}, Output: g.Output}
	conditional := &onnxpb.NodeProto{OpType: proto.String("If"), Input: []string{"yes"}, Output: []string{"Y"}}
	for _, name := range []string{"then_branch", "else_branch"} {
		conditional.Attribute = append(conditional.Attribute, &onnxpb.AttributeProto{
			Name: proto.String(name), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: proto.CloneOf(branch),
		})
	}
	g.Node[len(g.Node)-1] = conditional
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{
		Name: proto.String("yes"), DataType: proto.Int32(int32(onnxgraph.Number(onnxgraph.Bool))),
		Int32Data: []int32{1},
	})
}

// inFunction moves the recurrent node, which is the last, into a function.
func inFunction(p *onnxpb.ModelProto) {
	g := p.Graph
	cell := g.Node[len(g.Node)-1]
	p.Functions = append(p.Functions, &onnxpb.FunctionProto{
		Name: proto.String("f"), Domain: proto.String("mine"), Input: cell.Input, Output: cell.Output,
		Node: []*onnxpb.NodeProto{cell}, OpsetImport: p.OpsetImport[:1],
	})
	p.OpsetImport = append(p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("mine"), Version: proto.Int64(1)})
	g.Node[len(g.Node)-1] = &onnxpb.NodeProto{OpType: proto.String("f"), Domain: proto.String("mine"), Input: cell.Input, Output: cell.Output}
}

// declareX adds a value_info with the width that the weights expect. onnxpb does not
// have the field.
func declareX(p *onnxpb.ModelProto) {
	declared := &onnxpb.ValueInfoProto{Name: proto.String("X"), Type: proto.CloneOf(p.Graph.Output[0].Type)}
	dims := declared.Type.GetTensorType().Shape
	dims.Dim = dims.Dim[:3]
	dims.Dim[2] = &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 3}}
	raw, _ := proto.Marshal(declared)
	const valueInfo = 13<<3 | 2
	p.Graph.ProtoReflect().SetUnknown(append([]byte{valueInfo, byte(len(raw))}, raw...))
}

// ramp returns small numbers that vary.
func ramp(shape ...int) tensor.Tensor {
	size, _ := tensor.Size(shape)
	x := make([]float32, size)
	for i := range x {
		x[i] = float32(i*37%23)/50 - 0.2
	}
	return tensor.Of(x, shape...)
}

// TestRecurrentShapes runs recurrent nodes whose inputs have the wrong shapes. ONNX
// Runtime alone would read out of bounds or end the process, so the test runs in a
// process of its own.
func TestRecurrentShapes(t *testing.T) {
	orttest.Library(t)
	const child = "RNNKIT_TEST_SHAPES"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRecurrentShapes$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out[max(0, len(out)-3000):])
		} else if !bytes.Contains(out, []byte("--- PASS: TestRecurrentShapes")) {
			t.Errorf("the tests have not run: %s", out)
		}
		return
	}
	for _, c := range cells() {
		t.Run(fmt.Sprintf("%s/%s/%s", c.op, c.weights, c.name), func(t *testing.T) { c.check(t) })
	}
}

func (c cell) check(t *testing.T) {
	data, given := c.model(t)
	got, err := answer(ort.CPU(), data, given)
	if !c.right {
		if err == nil || !c.anyError && !strings.Contains(err.Error(), `cell"`) {
			t.Errorf("it answers %v, the error is %v", got["Y"].Shape, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := answer(native.New(), data, given)
	if err != nil {
		t.Fatal(err)
	}
	if err := onnxtest.Compare(got["Y"], want["Y"], 0, 1e-5); err != nil {
		t.Error(err)
	}
}

func answer(e engine.Engine, data []byte, given map[string]tensor.Tensor) (map[string]tensor.Tensor, error) {
	s, err := e.Open(data)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Run(context.Background(), given)
}

// TestSharedCrashes opens files that once ended the process or read out of bounds.
func TestSharedCrashes(t *testing.T) {
	orttest.Library(t)
	for file, input := range map[string]string{"ort-lstm-verify": "n", "ort-lstm-overread": "s"} {
		data, err := os.ReadFile(testenv.Shared(t, "field", "hostile", file+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, shape := range [][]int64{{5, 2, 7}, {1, 1, 3000000}, {0, 2, 1}, {5, 0, 1}} {
			if got, err := answer(ort.CPU(), data, map[string]tensor.Tensor{input: tensor.Of(shape, 3)}); err == nil || !strings.Contains(err.Error(), "LSTM") {
				t.Errorf("%s %v: it answers %v, the error is %v", file, shape, got, err)
			}
		}
	}
}

// TestQuantizedShapes cuts rows and columns off the weights of ONNX Runtime's own
// quantized LSTM, which still answers.
func TestQuantizedShapes(t *testing.T) {
	orttest.Library(t)
	data, err := os.ReadFile(testenv.Shared(t, "field", "engine", "dynamic_quantize_lstm_int8", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"W", "R"} {
		for axis := 1; axis < 3; axis++ {
			p := new(onnxpb.ModelProto)
			if err := proto.Unmarshal(data, p); err != nil {
				t.Fatal(err)
			}
			for _, w := range p.Graph.Initializer {
				if w.GetName() == name {
					w.Dims[axis] = 1
					w.RawData = w.RawData[:w.Dims[1]*w.Dims[2]]
				}
			}
			if _, err := ort.CPU().Open(protobuf(t, p)); err == nil || !strings.Contains(err.Error(), "input "+name+" has shape") {
				t.Errorf("%s cut along %d: the error is %v", name, axis, err)
			}
		}
	}
}

// TestNaN feeds NaN and infinities to the inputs and weights of recurrent nodes. ONNX
// Runtime alone would turn them into numbers.
func TestNaN(t *testing.T) {
	orttest.Library(t)
	bad := map[string]float32{"NaN": float32(math.NaN()), "an infinity": float32(math.Inf(-1))}
	for _, op := range []string{"LSTM", "GRU", "RNN"} {
		for what, v := range bad {
			c := cell{op: op}
			data, given := c.model(t)
			x := given["X"].Clone()
			x.Data.([]float32)[7] = v
			if _, err := answer(ort.CPU(), data, map[string]tensor.Tensor{"X": x}); err == nil || !strings.Contains(err.Error(), `input "X" has `+what+" at [1 0 1]") {
				t.Errorf("%s: the error is %v", op, err)
			}
			if _, err := answer(ort.CPU(ort.PassNaN(true)), data, map[string]tensor.Tensor{"X": x}); err != nil {
				t.Errorf("%s: what may pass: %v", op, err)
			}
			for _, weight := range []string{"W", "R", "B"} {
				c.wrap = func(p *onnxpb.ModelProto) {
					for _, w := range p.Graph.Initializer {
						if w.GetName() == weight {
							binary.LittleEndian.PutUint32(w.RawData[4:], math.Float32bits(v))
						}
					}
				}
				data, given := c.model(t)
				if _, err := answer(ort.CPU(), data, given); err == nil || !strings.Contains(err.Error(), "input "+weight+" has "+what) {
					t.Errorf("%s with %s in %s: the error is %v", op, what, weight, err)
				}
			}
		}
	}
	g := onnxgraph.Graph{
		Nodes:   []onnxgraph.Node{node("Identity", "x", "y")},
		Inputs:  []onnxgraph.Value{value("x", onnxgraph.Float32, "n")},
		Outputs: []onnxgraph.Value{value("y", onnxgraph.Float32, "n")},
	}
	if _, err := answer(ort.CPU(), marshal(t, g), map[string]tensor.Tensor{"x": tensor.Of([]float32{bad["NaN"]}, 1)}); err != nil {
		t.Errorf("a model without recurrent nodes: %v", err)
	}
}
