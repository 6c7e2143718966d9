package infer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/stepwise"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// stepOf returns step t of a tensor whose time is the given axis.
func stepOf(x tensor.Tensor, axis, t int) tensor.Tensor {
	shape := slices.Clone(x.Shape)
	shape[axis] = 1
	switch data := x.Data.(type) {
	case []int64:
		return tensor.Of(stepsOf(data, x.Shape, axis, t), shape...)
	case []int32:
		return tensor.Of(stepsOf(data, x.Shape, axis, t), shape...)
	case []float32:
		return tensor.Of(stepsOf(data, x.Shape, axis, t), shape...)
	}
	panic("no sequence of that type")
}

func stepsOf[T any](data []T, shape []int, axis, t int) (part []T) {
	after := 1
	for _, n := range shape[axis+1:] {
		after *= n
	}
	for rows := range slices.Chunk(data, shape[axis]*after) {
		part = append(part, rows[t*after:][:after]...)
	}
	return part
}

// checkSteps runs m on whole sequences and step by step, and compares all outputs at
// every step that they have. Of inputs that are in axes it feeds a step.
func checkSteps(t *testing.T, m *infer.Model, inputs map[string]tensor.Tensor, axes map[string]int) {
	t.Helper()
	whole, err := m.Run(t.Context(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	compareSteps(t, m, inputs, axes, whole)
}

// compareSteps compares what m answers step by step with the answers to the whole.
// Inputs that carry the state are fed to the first step.
func compareSteps(t *testing.T, m *infer.Model, inputs map[string]tensor.Tensor, axes map[string]int, whole map[string]tensor.Tensor) {
	t.Helper()
	steps := 0
	for name, axis := range axes {
		steps = inputs[name].Shape[axis]
	}
	if steps == 0 {
		t.Fatal("there are no steps")
	}
	s := m.NewState()
	for i := range steps {
		fed := map[string]tensor.Tensor{}
		for name, x := range inputs {
			fed[name] = x
			if axis, ok := axes[name]; ok {
				fed[name] = stepOf(x, axis, i)
			}
		}
		for _, p := range m.State() {
			if i > 0 {
				delete(fed, p.Input)
			}
		}
		if i == steps/2 { // and on from what was saved
			saved := save(t, s)
			s = m.NewState()
			restore(t, s, saved)
		}
		got, err := m.StepTensors(t.Context(), s, fed)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if len(got) != len(whole) {
			t.Fatalf("step %d has %d outputs of %d", i, len(got), len(whole))
		}
		for name, y := range got {
			want := whole[name]
			if axis := differ(y.Shape, want.Shape); axis >= 0 {
				want = stepOf(want, axis, i)
			} else if i < steps-1 {
				continue
			}
			if d := distance(y, want); !(d <= 1e-5) {
				t.Errorf("output %q of step %d of %d differs by %g", name, i+1, steps, d)
			}
		}
	}
}

// differ returns the axis in which two shapes differ, or -1.
func differ(a, b []int) int {
	for k := range a {
		if a[k] != b[k] {
			return k
		}
	}
	return -1
}

// distance is the largest difference of two tensors of one shape, infinite for
// integers that are not the same.
func distance(a, b tensor.Tensor) float64 {
	x, ok := a.Data.([]float32)
	if !ok && reflect.DeepEqual(a, b) {
		return 0
	}
	y, fine := b.Data.([]float32)
	if !ok || !fine || !slices.Equal(a.Shape, b.Shape) || len(x) != len(y) {
		return math.Inf(1)
	}
	largest := 0.0
	for i := range x {
		d := math.Abs(float64(x[i]) - float64(y[i]))
		if !(d <= largest) {
			largest = d
		}
	}
	return largest
}

// random returns a tensor for an input: of 0 and 1 if it is of integers.
func random(t *testing.T, info tensor.Info, shape ...int) tensor.Tensor {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	size, err := tensor.Size(shape)
	if err != nil {
		t.Fatal(err)
	}
	if info.Type == tensor.Int32 {
		tokens := make([]int32, size)
		for i := range tokens {
			tokens[i] = rng.Int32N(5)
		}
		return tensor.Of(tokens, shape...)
	}
	if info.Type == tensor.Int64 {
		tokens := make([]int64, size)
		for i := range tokens {
			tokens[i] = rng.Int64N(5)
		}
		return tensor.Of(tokens, shape...)
	}
	x := make([]float32, size)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return tensor.Of(x, shape...)
}

// everySpec has models of every cell, of one layer and of more, and of every readout
// that can run step by step.
func everySpec() (specs []models.Spec) {
	for _, cell := range []models.Cell{models.RNN, models.LSTM, models.GRU} {
		for _, layers := range []int{1, 3} {
			for _, readout := range []models.Readout{models.ReadLast, models.ReadFinal, models.ReadAll} {
				specs = append(specs, models.Spec{Cell: cell, Features: 2, Hidden: 3, Layers: layers, Readout: readout, Outputs: 2})
			}
			specs = append(specs, models.Spec{
				Cell: cell, Vocabulary: 5, Embedding: 2, Hidden: 3, Layers: layers, Readout: models.ReadAll, Outputs: 5,
			})
		}
	}
	return append(specs, models.Spec{
		Cell: models.RNN, Activation: models.ReLU, Features: 1, Hidden: 4, Layers: 2, Readout: models.ReadLast,
		Outputs: 1,
	})
}

// TestStepsOfEveryForm has each model without states, ours and a nameless one: its
// steps are the whole, and its state goes on in the form that has states.
func TestStepsOfEveryForm(t *testing.T) {
	for _, e := range engines(t) {
		for _, spec := range everySpec() {
			t.Run(fmt.Sprintf("%s/%s/%d/%s/%d", e, spec.Cell, spec.Layers, spec.Readout, spec.Vocabulary), func(t *testing.T) {
				with, without := exported(t, spec), exportedWithoutState(t, spec)
				shape := []int{3, 6, spec.Features}
				if spec.Vocabulary > 0 {
					shape = shape[:2]
				}
				simplified := edited(t, with, withoutState) // its metadata tells of a state that is lost
				for _, data := range [][]byte{with, without, simplified, anonymous(t, without, otherNames)} {
					m := open(t, data, e)
					if err := m.Streams(); err != nil {
						t.Fatal(err)
					}
					in := m.Inputs()[0]
					checkSteps(t, m, map[string]tensor.Tensor{in.Name: random(t, in, shape...)}, map[string]int{in.Name: 1})
				}
				checkSavedStates(t, open(t, with, e), open(t, without, e))
			})
		}
	}
}

// exportedWithoutState returns the file of the model that exported does, in the form
// that begins every run with zeros.
func exportedWithoutState(t testing.TB, spec models.Spec) []byte {
	t.Helper()
	m, err := models.New(models.Metadata{Spec: spec}, 7)
	if err != nil {
		t.Fatal(err)
	}
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestStepsOfTheOldForm has files whose state is an input with a default.
func TestStepsOfTheOldForm(t *testing.T) {
	for _, e := range engines(t) {
		m, err := infer.Open("../export/testdata/optional_state_lstm2_tokens.onnx", infer.With(e))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		checkSteps(t, m, map[string]tensor.Tensor{"input": random(t, m.Inputs()[0], 3, 6)}, map[string]int{"input": 1})
		bidirectional, err := infer.Open("../export/testdata/optional_state_gru2_bi.onnx", infer.With(e))
		if err != nil {
			t.Fatal(err)
		}
		defer bidirectional.Close()
		if err := bidirectional.Streams(); err == nil || !strings.Contains(err.Error(), "bidirectional") {
			t.Errorf("%s: the error is %v", e, err)
		}
	}
}

// withoutState makes a graph one that begins with zeros, which the nodes do not name.
func withoutState(g *onnxgraph.Graph) {
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v onnxgraph.Value) bool { return v.Name == "h0" || v.Name == "c0" })
	g.Outputs = slices.DeleteFunc(g.Outputs, func(v onnxgraph.Value) bool { return v.Name == "hn" || v.Name == "cn" })
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n onnxgraph.Node) bool {
		recurrent := n.OpType == "GRU" || n.OpType == "RNN" || n.OpType == "LSTM"
		return n.OpType == "Split" || slices.Contains(n.Outputs, "hn") && !recurrent || slices.Contains(n.Outputs, "cn") && n.OpType == "Concat"
	})
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.OpType == "GRU" || n.OpType == "RNN" || n.OpType == "LSTM" {
			n.Inputs = n.Inputs[:4]
		}
	}
}

// checkSavedStates continues in one model with the state of the other.
func checkSavedStates(t *testing.T, a, b *infer.Model) {
	t.Helper()
	in := a.Inputs()[0]
	shape := slices.Repeat([]int{1}, len(in.Shape))
	if len(shape) == 3 {
		shape[2] = in.Shape[2].Size
	}
	x := map[string]tensor.Tensor{"input": random(t, in, shape...)}
	var want tensor.Tensor
	for _, pair := range [][2]*infer.Model{{a, a}, {a, b}, {b, a}, {b, b}} {
		s := pair[0].NewState()
		if _, err := pair[0].StepTensors(t.Context(), s, x); err != nil {
			t.Fatal(err)
		}
		var restored infer.State
		restore(t, &restored, save(t, s))
		got, err := pair[1].StepTensors(t.Context(), &restored, x, "output")
		if err != nil {
			t.Fatal(err)
		}
		if want.Data == nil {
			want = got["output"]
		}
		if d := distance(got["output"], want); !(d <= 1e-6) {
			t.Errorf("a saved state gives an answer that differs by %g", d)
		}
	}
}

// TestStepsOfTorch has models as PyTorch exports them, whose time is one size.
func TestStepsOfTorch(t *testing.T) {
	refused := map[string]string{
		"all_bi":    `node "/rnn/GRU" (GRU) reads the sequence from its end too`,
		"attention": `(Concat) mixes the steps`,
	}
	files, err := filepath.Glob("../cmd/rnnkit/internal/repair/testdata/*_torchscript.onnx")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	streamed := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), "_torchscript.onnx")
		for _, e := range engines(t) {
			m, err := infer.Open(file, infer.With(e))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if name == "state" {
				continue
			}
			if err := m.Streams(); err != nil {
				if want := refused[name]; !strings.Contains(err.Error(), want) {
					t.Errorf("%s: the error is %v, not %q", name, err, want)
				}
				continue
			}
			streamed++
			inputs, axes := map[string]tensor.Tensor{}, map[string]int{}
			for i, in := range m.Inputs() {
				shape := make([]int, len(in.Shape))
				for k, d := range in.Shape {
					if shape[k] = d.Size; d.Symbol == "n" {
						shape[k] = 2
					} else if d.Symbol != "" {
						shape[k] = 4
					}
				}
				inputs[in.Name] = random(t, in, shape...)
				if i == 0 {
					axes[in.Name] = 1
				}
			}
			t.Run(name+"/"+e.String(), func(t *testing.T) { checkSteps(t, m, inputs, axes) })
		}
	}
	t.Log(streamed)
}

// TestStepsOfShared has the shared models that carry no state.
func TestStepsOfShared(t *testing.T) {
	want := map[string]string{
		"keras_lstm_k1": "", "keras_lstm_k1_relu": "", "iisc_lstm": "",
		"ecg_bilstm_keras":  `node "LSTM__159" (LSTM) reads the sequence from its end too`,
		"fairtalk_lstm_app": `node "Conv_7" (Conv) reads the steps around each step`,
		"nnsplit_de":        `node "Conv_6" (Conv) reads the steps around each step`,
	}
	for _, dir := range testenv.SharedModels(t, "models/*") {
		reason, ok := want[filepath.Base(dir)]
		if !ok {
			continue
		}
		for _, e := range engines(t) {
			m, err := infer.Open(filepath.Join(dir, "model.onnx"), infer.With(e))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if err := m.Streams(); reason != "" || err != nil {
				if err == nil || reason == "" || !strings.Contains(err.Error(), reason) {
					t.Errorf("%s: the error is %v, not %q", dir, err, reason)
				}
				continue
			}
			in := m.Inputs()[0]
			shape := []int{max(1, in.Shape[0].Size), max(5, in.Shape[1].Size), in.Shape[2].Size}
			checkSteps(t, m, map[string]tensor.Tensor{in.Name: random(t, in, shape...)}, map[string]int{in.Name: 1})
		}
	}
}

// TestStepsOfONNXTests goes through sequences of other projects' tests of recurrent
// nodes, whose answers these are.
func TestStepsOfONNXTests(t *testing.T) {
	streamed := 0
	for _, dir := range testenv.SharedModels(t, "onnx-tests/recurrent/*/*") {
		sets, err := onnxtest.Sets(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range engines(t) {
			m, err := infer.Open(filepath.Join(dir, "model.onnx"), infer.With(e))
			if err != nil {
				continue // which the tests of the engines judge
			}
			defer m.Close()
			outline := onnxtest.ReadModel(t, filepath.Join(dir, "model.onnx"))
			if err := m.Streams(); err != nil {
				oneStep := sets[0].Inputs[0].Shape[0] == 1 // which is as much as a size of weights
				if direction := directionOf(outline); direction == "" && !strings.Contains(err.Error(), "lengths") && !oneStep {
					t.Errorf("%s: %v", dir, err)
				}
				continue
			}
			axes := timeOf(t, dir)
			if len(axes) == 0 {
				t.Log(dir, "carries its state, in steps of one size")
				continue
			}
			streamed++
			inputs, outputs := map[string]tensor.Tensor{}, map[string]tensor.Tensor{}
			for i, x := range sets[0].Inputs {
				inputs[m.Inputs()[i].Name] = x
			}
			for i, y := range sets[0].Outputs {
				outputs[m.Outputs()[i].Name] = y
			}
			t.Run(filepath.Base(dir)+"/"+e.String(), func(t *testing.T) { compareSteps(t, m, inputs, axes, outputs) })
		}
	}
	t.Log(streamed, "models")
}

// TestStepsOfField has models of other tools: with float16, int8 and bfloat16 within,
// and with operators of ONNX Runtime's own.
func TestStepsOfField(t *testing.T) {
	streamed := 0
	for _, dir := range testenv.SharedModels(t, "field/engine/*") {
		for _, e := range engines(t) {
			m, err := infer.Open(filepath.Join(dir, "model.onnx"), infer.With(e))
			if err != nil {
				continue // which the tests of the engines judge
			}
			defer m.Close()
			axes := timeOf(t, dir)
			if filepath.Base(dir) == "float16_converter_unsorted_casts" || m.Streams() != nil || len(axes) == 0 {
				continue // with float16 the native engine rounds less in a whole
			}
			sets, err := onnxtest.Sets(dir)
			if err != nil {
				t.Fatal(err)
			}
			inputs := map[string]tensor.Tensor{}
			for i, x := range sets[0].Inputs {
				inputs[m.Inputs()[i].Name] = x
			}
			streamed++
			t.Run(filepath.Base(dir)+"/"+e.String(), func(t *testing.T) { checkSteps(t, m, inputs, axes) })
		}
	}
	if streamed < 6 {
		t.Errorf("only %d models were streamed", streamed)
	}
}

// timeOf returns which dimension of the inputs is the time, none where the graph is taken
// at its word.
func timeOf(t *testing.T, dir string) map[string]int {
	t.Helper()
	data, err := onnxtest.Model(dir)
	if err != nil {
		t.Fatal(err)
	}
	axes := map[string]int{}
	m, err := onnxgraph.Outline(data)
	if err != nil {
		return axes
	}
	plan, err := stepwise.Of(m, onnxgraph.StatePairs(m))
	if err != nil {
		return axes
	}
	for _, in := range m.Graph.Inputs {
		if axis, ok := plan.Axes[in.Name]; ok {
			axes[in.Name] = axis
		}
	}
	return axes
}

// directionOf returns the direction of the recurrent nodes, "" for forward.
func directionOf(m *onnxgraph.Model) string {
	for _, n := range m.Graph.Nodes {
		if direction, ok := n.Attribute("direction"); ok && direction != "forward" {
			return direction.(string)
		}
	}
	return ""
}
