// Package onnxtest reads test folders in ONNX's own layout: a model.onnx beside
// test_data_set_N/input_M.pb and output_M.pb. Tests and `rnnkit conformance` use it.
package onnxtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// T is the part of [testing.TB] that [ReadModel] needs.
type T interface {
	Helper()
	Fatal(...any)
}

// ReadModel reads a model file.
func ReadModel(t T, path string) *onnxgraph.Model {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Find returns the folders with a model.onnx in and below root, in lexical order. It
// returns an error if there are none.
func Find(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "model.onnx" && !d.IsDir() {
			dirs = append(dirs, filepath.Dir(path))
		}
		return err
	})
	if err == nil && len(dirs) == 0 {
		err = fmt.Errorf("%s has no tests: no folder in it has a model.onnx", root)
	}
	return dirs, err
}

// Set is one test_data_set: the graph's inputs, in order, and its expected outputs.
type Set struct{ Inputs, Outputs []tensor.Tensor }

// maxExternal is the most bytes that a model may store in other files of its folder.
const maxExternal = 1 << 30

// Model returns the model in a test's folder, including its data in other files
// there.
func Model(dir string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return nil, err
	}
	return onnxgraph.Whole(data, onnxgraph.External{Dir: dir, Limit: maxExternal})
}

// Sets returns the data sets in a test's folder.
func Sets(dir string) ([]Set, error) {
	var sets []Set
	for i := 0; ; i++ {
		data := filepath.Join(dir, fmt.Sprintf("test_data_set_%d", i))
		if _, err := os.Stat(data); err != nil {
			break
		}
		inputs, err := tensors(data, "input")
		if err != nil {
			return nil, err
		}
		outputs, err := tensors(data, "output")
		if err != nil {
			return nil, err
		}
		sets = append(sets, Set{inputs, outputs})
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("%s has no test_data_set_0", dir)
	}
	return sets, nil
}

// tensors reads NAME_0.pb, NAME_1.pb and so on.
func tensors(dir, name string) ([]tensor.Tensor, error) {
	var list []tensor.Tensor
	for i := 0; ; i++ {
		path := filepath.Join(dir, fmt.Sprintf("%s_%d.pb", name, i))
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		t, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, t)
	}
}

// parse reads a TensorProto by wrapping it in a model as an initializer.
func parse(data []byte) (tensor.Tensor, error) {
	p := new(onnxpb.TensorProto)
	if err := proto.Unmarshal(data, p); err != nil {
		return tensor.Tensor{}, err
	}
	file, err := proto.Marshal(&onnxpb.ModelProto{
		Graph:       &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{p}},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{}},
	})
	if err != nil {
		return tensor.Tensor{}, err
	}
	m, err := onnxgraph.Unmarshal(file)
	if err != nil {
		return tensor.Tensor{}, err
	}
	t := m.Graph.Initializers[0]
	return t.Tensor, nil
}

// Run feeds the set's inputs to a session and compares the outputs with the set's, as
// [Compare] does. The set has all inputs of the graph, in order, or all without a
// default.
func (s Set) Run(ctx context.Context, session engine.Session, rtol, atol float64) error {
	infos := session.Inputs()
	if len(s.Inputs) != len(infos) {
		infos = slices.DeleteFunc(slices.Clone(infos), func(v tensor.Info) bool { return v.Optional })
	}
	if len(s.Inputs) != len(infos) {
		return fmt.Errorf("the test has %d inputs, and the model %v", len(s.Inputs), session.Inputs())
	}
	if len(s.Outputs) != len(session.Outputs()) {
		return fmt.Errorf("the test has %d outputs, and the model %v", len(s.Outputs), session.Outputs())
	}
	inputs := make(map[string]tensor.Tensor)
	for i, v := range infos {
		inputs[v.Name] = s.Inputs[i]
	}
	var names []string
	for _, v := range session.Outputs() {
		names = append(names, v.Name)
	}
	got, err := session.Run(ctx, inputs, names...)
	if err != nil {
		return err
	}
	var wrong []error
	for i, name := range names {
		if err := Compare(got[name], s.Outputs[i], rtol, atol); err != nil {
			wrong = append(wrong, fmt.Errorf("output %q: %w", name, err))
		}
	}
	return errors.Join(wrong...)
}

// Compare returns an error unless got has the shape, type and elements of want.
// Floats must lie within atol + rtol |want|, and be NaN where want is NaN.
func Compare(got, want tensor.Tensor, rtol, atol float64) error {
	if got.Type() != want.Type() || !slices.Equal(got.Shape, want.Shape) || got.Len() != want.Len() {
		return fmt.Errorf("got %s%v, want %s%v", got.Type(), got.Shape, want.Type(), want.Shape)
	}
	switch want := want.Data.(type) {
	case []tensor.Half:
		return compare(widen(got.Data.([]tensor.Half)), widen(want), rtol, atol)
	case []float32:
		return compare(got.Data.([]float32), want, rtol, atol)
	case []float64:
		return compare(got.Data.([]float64), want, rtol, atol)
	case []int32:
		return compare(got.Data.([]int32), want, 0, 0)
	case []int64:
		return compare(got.Data.([]int64), want, 0, 0)
	case []uint8:
		return compare(got.Data.([]uint8), want, 0, 0)
	case []bool:
		for i, g := range got.Data.([]bool) {
			if g != want[i] {
				return fmt.Errorf("element %d is %v, and must be %v", i, g, want[i])
			}
		}
		return nil
	}
	return fmt.Errorf("elements of type %T cannot be compared", want.Data)
}

func widen(halves []tensor.Half) []float32 {
	wide := make([]float32, len(halves))
	for i, h := range halves {
		wide[i] = h.Float32()
	}
	return wide
}

func compare[T float32 | float64 | int32 | int64 | uint8](got, want []T, rtol, atol float64) error {
	worst, at := 0.0, -1
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if got[i] == want[i] || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		d := math.Abs(g - w)
		if math.IsInf(w, 0) || !(d <= atol+rtol*math.Abs(w)) {
			if at < 0 || d > worst || math.IsNaN(d) {
				worst, at = d, i
			}
		}
	}
	if at >= 0 {
		return fmt.Errorf("element %d is %v, and must be %v: the greatest difference is %g", at, got[at], want[at], worst)
	}
	return nil
}
