package export

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// golden is what testdata/torch_params.py writes of a PyTorch module.
type golden struct {
	Spec        models.Spec
	Files       []string
	Batch, Time int
	Input       []float32
	Output      []float32
	Embedding   []float32
	Layers      []models.Layer[float32]
	HeadW       []float32 `json:"head_w"`
	HeadB       []float32 `json:"head_b"`
}

func goldens(t testing.TB) map[string]golden {
	t.Helper()
	data, err := os.ReadFile("testdata/torch_params.json")
	if err != nil {
		t.Fatal(err)
	}
	var modules map[string]golden
	if err := json.Unmarshal(data, &modules); err != nil {
		t.Fatal(err)
	}
	return modules
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestLoadParamsPyTorch compares with the weights in the module's state_dict,
// and what the model then predicts with what the module answered.
func TestLoadParamsPyTorch(t *testing.T) {
	for name, g := range goldens(t) {
		for _, file := range g.Files {
			t.Run(file, func(t *testing.T) {
				m := &models.Model{Metadata: models.Metadata{Spec: g.Spec}, Params: drawn(g.Spec, 1)}
				before := slices.Clone(m.Params.Head.W)
				left, err := LoadParams(m.Params, g.Spec, readTestdata(t, file))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "embedding", m.Params.Embedding, g.Embedding)
				for i, want := range g.Layers {
					equal(t, fmt.Sprintf("layer %d W", i), m.Params.Layers[i].W, want.W)
					equal(t, fmt.Sprintf("layer %d R", i), m.Params.Layers[i].R, want.R)
					equal(t, fmt.Sprintf("layer %d B", i), m.Params.Layers[i].B, want.B)
				}
				if name == "lstm_headless" {
					equal(t, "head", m.Params.Head.W, before)
					lines(t, left, "head: the file has none")
					return
				}
				lines(t, left)
				equal(t, "head W", m.Params.Head.W, g.HeadW)
				equal(t, "head B", m.Params.Head.B, g.HeadB)
				got, err := trainer.Predict(m, batchOf(g.Spec, g.Batch, g.Time, g.Input))
				if err != nil {
					t.Fatal(err)
				}
				closeTo(t, got, g.Output, 1e-5)
			})
		}
	}
}

// TestLoadParamsRoundTrip reads what Marshal wrote, bit for bit.
func TestLoadParamsRoundTrip(t *testing.T) {
	for _, s := range allSpecs() {
		for _, scaled := range []bool{false, true} {
			m := &models.Model{Metadata: models.Metadata{Spec: s}, Params: drawn(s, 3)}
			m.Params.Data[0] = float32(math.Copysign(0, -1))
			m.Params.Data[len(m.Params.Data)-1] = math.SmallestNonzeroFloat32
			if scaled {
				m.State = s.State()
				m.OutputScale = &models.Scale{Mean: []float32{1, 2}, Std: []float32{3, 4}}
				if s.Features > 0 {
					m.InputScale = &models.Scale{Mean: []float32{5, 6, 7}, Std: []float32{8, 9, 10}}
				}
			}
			data, err := Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			p := drawn(s, 4)
			left, err := LoadParams(p, s, data)
			if err != nil {
				t.Fatalf("%+v: %v", s, err)
			}
			lines(t, left)
			equal(t, fmt.Sprintf("%+v", s), p.Data, m.Params.Data)
		}
	}
}

func allSpecs() (specs []models.Spec) {
	for _, cell := range []models.Cell{models.RNN, "relu", models.LSTM, models.GRU} {
		for layers := 1; layers <= 3; layers++ {
			for _, bidirectional := range []bool{false, true} {
				for _, readout := range []models.Readout{models.ReadLast, models.ReadFinal, models.ReadMean, models.ReadMax, models.ReadAll} {
					s := models.Spec{Cell: cell, Features: 3, Hidden: 5, Layers: layers, Bidirectional: bidirectional, Readout: readout, Outputs: 2}
					if cell == "relu" {
						s.Cell, s.Activation = models.RNN, models.ReLU
					}
					specs = append(specs, s)
					s.Features, s.Vocabulary, s.Embedding = 0, 7, 4
					specs = append(specs, s)
				}
			}
		}
	}
	return specs
}

// TestLoadParamsTwoNodes reads bidirectional layers that are a forward and a
// backward node, the latter by its direction or by turning the time around. The
// native engine's answer shows that the graph is what it is meant to be.
func TestLoadParamsTwoNodes(t *testing.T) {
	s := models.Spec{Cell: models.LSTM, Features: 3, Hidden: 4, Layers: 2, Bidirectional: true, Readout: models.ReadLast, Outputs: 2}
	want := drawn(s, 5)
	x := ramp(2 * 6 * 3)
	for _, turned := range []bool{false, true} {
		data := marshalFile(t, twoNodes(s, want, turned))
		m := &models.Model{Metadata: models.Metadata{Spec: s}, Params: models.NewParams[float32](s)}
		left, err := LoadParams(m.Params, s, data)
		if err != nil {
			t.Fatal(err)
		}
		lines(t, left)
		equal(t, "params", m.Params.Data, want.Data)
		if turned {
			continue // the engine has no ReverseSequence
		}
		session, err := native.New().Open(data)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := session.Run(t.Context(), map[string]tensor.Tensor{"input": tensor.Of(x, 2, 6, 3)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := trainer.Predict(m, batchOf(s, 2, 6, x))
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, got, answer["output"].Data.([]float32), 1e-5)
	}

	turn := func(m *onnxgraph.Model, value, reader string) {
		at := slices.IndexFunc(m.Graph.Nodes, func(n onnxgraph.Node) bool { return n.Name == reader })
		inputs := m.Graph.Nodes[at].Inputs
		inputs[slices.Index(inputs, value)] = value + "_around"
		m.Graph.Nodes = slices.Insert(m.Graph.Nodes, at, onnxgraph.Node{
			OpType: "ReverseSequence", Inputs: []string{value, "lengths"}, Outputs: []string{value + "_around"},
		})
	}
	for _, test := range []struct {
		want   string
		change func(*onnxgraph.Model)
	}{
		{
			`layer 1 (LSTM "backward1") runs backward only; LSTM "forward1" is not one`,
			func(m *onnxgraph.Model) { slices.Reverse(nodeNamed(m, "joined1").Inputs) },
		},
		{`layer 1 (LSTM "forward1") is lstm with inputs 8`, func(m *onnxgraph.Model) { nodeNamed(m, "backward1").Inputs[0] = "x" }},
		{`layer 0 (LSTM "forward0") is lstm with inputs 3`, func(m *onnxgraph.Model) { turn(m, "backward0_flat", "joined0") }},
		{`layer 0 (LSTM "forward0") is lstm with inputs 3`, func(m *onnxgraph.Model) { turn(m, "forward0_flat", "joined0") }},
		{`LSTM "backward0" is not one of a stack of layers`, func(m *onnxgraph.Model) { nodeNamed(m, "joined0").Inputs[1] = "forward0_flat" }},
		{"has directions that differ", func(m *onnxgraph.Model) {
			n := nodeNamed(m, "backward1")
			n.OpType, n.Attributes = "RNN", []onnxgraph.Attribute{{Name: "direction", Value: "reverse"}}
			m.Graph.Initializers = append(m.Graph.Initializers, floats("w", 1, 4, 8), floats("r", 1, 4, 4))
			n.Inputs = []string{n.Inputs[0], "w", "r"}
		}},
		{"has two directions in each node", func(m *onnxgraph.Model) {
			for _, name := range []string{"forward0", "backward0"} {
				n := nodeNamed(m, name)
				m.Graph.Initializers = append(m.Graph.Initializers, floats("w", 2, 16, 3), floats("r", 2, 16, 4))
				n.Inputs = []string{n.Inputs[0], "w", "r"}
			}
			nodeNamed(m, "forward0").Attributes = []onnxgraph.Attribute{{Name: "direction", Value: "bidirectional"}}
			nodeNamed(m, "backward0").Attributes = []onnxgraph.Attribute{{Name: "direction", Value: "bidirectional"}}
			turn(m, "x", "backward0")
			turn(m, "backward0_flat", "joined0")
		}},
	} {
		m := twoNodes(s, want, false)
		test.change(m)
		refused(t, s, marshalFile(t, m), test.want)
	}
}

// twoNodes is a file of a bidirectional LSTM with a node for each direction. If
// turn, the backward one is a forward one of what ReverseSequence turned around.
func twoNodes(s models.Spec, p *models.Params[float32], turn bool) *onnxgraph.Model {
	var g onnxgraph.Graph
	node := func(op, name string, inputs []string, attributes ...onnxgraph.Attribute) string {
		g.Nodes = append(g.Nodes, onnxgraph.Node{Name: name, OpType: op, Inputs: inputs, Outputs: []string{name}, Attributes: attributes})
		return name
	}
	constant := func(name string, data any, shape ...int) string {
		g.Initializers = append(g.Initializers, onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: data}})
		return name
	}
	batch, steps := onnxgraph.Dim{Symbol: "batch"}, onnxgraph.Dim{Symbol: "time"}
	g.Inputs = []onnxgraph.Value{{Name: "input", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{batch, steps, {Size: s.Features}}}}
	g.Outputs = []onnxgraph.Value{{Name: "output", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{batch, {Size: s.Outputs}}}}
	one := constant("one", []int64{1}, 1)
	x := node("Transpose", "x", []string{"input"}, ints("perm", 1, 0, 2))
	for i := range s.Layers {
		rows := s.Cell.Gates() * s.Hidden
		var sides []string
		for d, side := range []string{"forward", "backward"} {
			side = fmt.Sprint(side, i)
			l := p.Layers[i].Direction(d, 2)
			w := constant(side+"W", l.W, 1, rows, s.LayerInputs(i))
			r := constant(side+"R", l.R, 1, rows, s.Hidden)
			b := constant(side+"B", l.B, 1, 2*rows)
			in, direction := x, "forward"
			switch {
			case d == 1 && turn:
				in = node("ReverseSequence", side+"_turned", []string{x, "lengths"})
			case d == 1:
				direction = "reverse"
			}
			y := node("LSTM", side, []string{in, w, r, b},
				onnxgraph.Attribute{Name: "hidden_size", Value: int64(s.Hidden)}, onnxgraph.Attribute{Name: "direction", Value: direction})
			y = node("Squeeze", side+"_flat", []string{y, one})
			if d == 1 && turn {
				y = node("ReverseSequence", side+"_back", []string{y, "lengths"})
			}
			sides = append(sides, y)
		}
		x = node("Concat", fmt.Sprint("joined", i), sides, axis(2))
	}
	constant("last", []int64{-1})
	x = node("Gather", "final", []string{x, "last"}, axis(0))
	x = node("MatMul", "product", []string{x, constant("head", p.Head.W, s.Width(), s.Outputs)})
	node("Add", "output", []string{constant("bias", p.Head.B, s.Outputs), x})
	if turn {
		constant("lengths", []int64{6, 6}, 2)
	}
	return &onnxgraph.Model{IRVersion: irVersion, Opsets: []onnxgraph.Opset{{Version: opsetVersion}}, Graph: g}
}

// TestLoadParamsRefused checks that what our cells do not compute, or the Spec
// does not have, is named, and that the parameters are then as they were.
func TestLoadParamsRefused(t *testing.T) {
	gru := models.Spec{Cell: models.GRU, Features: 3, Hidden: 4, Layers: 2, Readout: models.ReadAll, Outputs: 2}
	lstm := gru
	lstm.Cell = models.LSTM
	set := func(name string, value any) func(*onnxgraph.Node) {
		return func(n *onnxgraph.Node) {
			n.Attributes = slices.DeleteFunc(n.Attributes, func(a onnxgraph.Attribute) bool { return a.Name == name })
			if value != nil {
				n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: name, Value: value})
			}
		}
	}
	for _, test := range []struct {
		spec   models.Spec
		want   string
		change func(*onnxgraph.Node)
	}{
		{gru, `layer 1 (GRU "layers.1.gru") has linear_before_reset 0, which our cells do not compute`, set("linear_before_reset", int64(0))},
		{gru, `layer 1 (GRU "layers.1.gru") has linear_before_reset 0, which our cells do not compute`, set("linear_before_reset", nil)},
		{gru, "has activations [Sigmoid Relu]", set("activations", []string{"Sigmoid", "Relu"})},
		{gru, "has clip 3", set("clip", float32(3))},
		{gru, "has layout 1", set("layout", int64(1))},
		{gru, "has direction sideways", set("direction", "sideways")},
		{gru, "runs backward only", set("direction", "reverse")},
		{gru, "do not fit each other", set("direction", "bidirectional")},
		{
			gru, "has W [1 12 4], R [1 12 4] and B [1 24], which do not fit each other",
			func(n *onnxgraph.Node) { n.OpType = "RNN"; set("linear_before_reset", nil)(n) },
		},
		{lstm, "has activations [Sigmoid Tanh]", set("activations", []string{"Sigmoid", "Tanh"})},
		{lstm, "has input_forget 1", set("input_forget", int64(1))},
		{lstm, "has peepholes", func(n *onnxgraph.Node) { n.Inputs = append(n.Inputs, "layers.1.B") }},
		{lstm, "has a W that is not a constant of floats", func(n *onnxgraph.Node) { n.Inputs[1] = "input" }},
		{lstm, "has a R that is not a constant of floats", func(n *onnxgraph.Node) { n.Inputs = n.Inputs[:2] }},
		{lstm, "has a B that is not a constant of floats", func(n *onnxgraph.Node) { n.Inputs[3] = "joined_shape" }},
		{lstm, "must have three dimensions", func(n *onnxgraph.Node) { n.Inputs[1] = "head.B" }},
		{lstm, "do not fit each other", func(n *onnxgraph.Node) { n.Inputs[3] = "head.B" }},
		{lstm, "reads the final state of the layer before", func(n *onnxgraph.Node) { n.Inputs[0] = "layers.0.hn" }},
		{lstm, "hidden 4; LSTM \"layers.0.lstm\" is not one of a stack of layers", func(n *onnxgraph.Node) { n.Inputs[0] = "input" }},
		{lstm, "the number of layers is 1, the Spec's 2", func(n *onnxgraph.Node) { n.Domain = "com.example" }},
	} {
		file := ours(t, test.spec)
		test.change(nodeNamed(file, "layers.1."+string(test.spec.Cell)))
		refused(t, test.spec, marshalFile(t, file), test.want)
	}

	wider := lstm
	wider.Hidden = 6
	bidirectional := lstm
	bidirectional.Bidirectional = true
	deeper := lstm
	deeper.Layers = 3
	tokens := lstm
	tokens.Features, tokens.Vocabulary, tokens.Embedding = 0, 9, 7
	data := marshalFile(t, ours(t, lstm))
	for _, test := range []struct {
		spec  models.Spec
		wants []string
	}{
		{
			gru,
			[]string{`layer 0 (LSTM "layers.0.lstm") is lstm with inputs 3 and hidden 4, ` +
				`the Spec's gru with inputs 3 and hidden 4; layer 1 (LSTM "layers.1.lstm") is`},
		},
		{
			wider,
			[]string{`layer 0 (LSTM "layers.0.lstm") is lstm with inputs 3 and hidden 4, the Spec's lstm with inputs 3 and hidden 6`, "layer 1"},
		},
		{bidirectional, []string{"the Spec's bidirectional lstm with inputs 3", "the Spec's bidirectional lstm with inputs 8"}},
		{deeper, []string{"the number of layers is 2, the Spec's 3"}},
		{tokens, []string{"the Spec's lstm with inputs 7"}},
	} {
		refused(t, test.spec, data, test.wants...)
	}

	many := lstm
	many.Layers = 12
	data = marshalFile(t, ours(t, many))
	many.Hidden++
	refused(t, many, data, "layer 7", "; and 4 more")

	rnn := models.Spec{Cell: models.RNN, Features: 2, Hidden: 3, Layers: 1, Readout: models.ReadAll, Outputs: 3}
	refused(t, rnn, readTestdata(t, "rnn_relu_torchscript"),
		`layer 0 (RNN "/rnn/RNN") is rnn (relu) with inputs 2 and hidden 3, the Spec's rnn (tanh) with inputs 2 and hidden 3`)
	refused(t, rnn, readTestdata(t, "rnn_dynamo"), "no RNN, LSTM or GRU node lies between an input and an output of the graph", "dynamo=False")
	refused(t, rnn, []byte("time,value\n"), "not an ONNX model")
	refused(t, rnn, nil, "empty")
	if _, err := LoadParams(models.NewParams[float32](rnn), lstm, data); err == nil || !strings.Contains(err.Error(), "Params.Data is of length 33") {
		t.Errorf("parameters of another Spec: %v", err)
	}
	rnn.Hidden = -1
	if _, err := LoadParams(nil, rnn, data); err == nil || !strings.Contains(err.Error(), "Hidden is -1") {
		t.Errorf("no Spec: %v", err)
	}
}

// TestLoadParamsLeft checks that what stays as it is, is named.
func TestLoadParamsLeft(t *testing.T) {
	s := models.Spec{Cell: models.GRU, Vocabulary: 9, Embedding: 4, Hidden: 5, Layers: 2, Readout: models.ReadMean, Outputs: 2}
	file := func(change func(*onnxgraph.Model)) []byte {
		m := ours(t, s)
		change(m)
		return marshalFile(t, m)
	}
	insert := func(m *onnxgraph.Model, before, op string) {
		at := slices.IndexFunc(m.Graph.Nodes, func(n onnxgraph.Node) bool { return n.Name == before })
		n := &m.Graph.Nodes[at]
		added := onnxgraph.Node{OpType: op, Inputs: []string{n.Inputs[0], "head.W"}, Outputs: []string{"added"}}
		n.Inputs[0] = "added"
		m.Graph.Nodes = slices.Insert(m.Graph.Nodes, at, added)
	}
	same := func(*onnxgraph.Model) {}
	edited := func(edit func(*models.Spec)) models.Spec {
		to := s
		edit(&to)
		return to
	}
	for _, test := range []struct {
		spec   models.Spec
		change func(*onnxgraph.Model)
		want   []string
	}{
		{s, same, nil},
		{edited(func(s *models.Spec) { s.Outputs = 3 }), same, []string{`head: the file's (MatMul "head_product") is [5 2], the Spec's [5 3]`}},
		{
			edited(func(s *models.Spec) { s.Vocabulary = 8 }), same,
			[]string{`embedding: the file's (Gather "embedded") is [9 4], the Spec's [8 4]`},
		},
		{
			edited(func(s *models.Spec) { s.Vocabulary, s.Embedding, s.Features = 0, 0, 4 }), same,
			[]string{`embedding: the Spec has none, the file's (Gather "embedded") is [9 4]`},
		},
		{s, func(m *onnxgraph.Model) { nodeNamed(m, "steps").Inputs[0] = "input" }, []string{"embedding: the file has none"}},
		{s, func(m *onnxgraph.Model) {
			nodeNamed(m, "embedded").Attributes = []onnxgraph.Attribute{axis(1)}
		}, []string{"embedding: the file has none"}},
		{
			s, func(m *onnxgraph.Model) { nodeNamed(m, "steps").Domain = "com.example" },
			[]string{`not in the Spec: com.example.Transpose "steps"`},
		},
		{s, func(m *onnxgraph.Model) { m.Graph.Outputs = m.Graph.Outputs[1:] }, []string{"head: the file has none"}},
		{s, func(m *onnxgraph.Model) { slices.Reverse(m.Graph.Outputs) }, nil},
		{s, func(m *onnxgraph.Model) { // an output and an input that are left out are not the same value
			nodeNamed(m, "layers.1.gru").Outputs[1] = ""
			m.Graph.Nodes = slices.DeleteFunc(m.Graph.Nodes, func(n onnxgraph.Node) bool { return n.Name == "hn" })
			insert(m, "head_product", "Mul")
			nodeNamed(m, "").Inputs = []string{"", nodeNamed(m, "").Inputs[0]}
		}, []string{`not in the Spec: Mul "added"`}},
		{s, func(m *onnxgraph.Model) {
			insert(m, "layers.1.gru", "Add")
			nodeNamed(m, "").Inputs = []string{"steps", "layers.0.joined"}
		}, []string{`not in the Spec: Add "added"`}},
		{s, func(m *onnxgraph.Model) { insert(m, "steps", "Conv") }, []string{`not in the Spec: Conv "added"`}},
		{s, func(m *onnxgraph.Model) { insert(m, "layers.1.gru", "PRelu") }, []string{`not in the Spec: PRelu "added"`}},
		{s, func(m *onnxgraph.Model) { insert(m, "layers.1.gru", "MatMul") }, []string{`not in the Spec: MatMul "added"`}},
		{s, func(m *onnxgraph.Model) { insert(m, "steps", "MatMul") }, []string{`not in the Spec: MatMul "added"`}},
		{s, func(m *onnxgraph.Model) { insert(m, "head_product", "MatMul") },
			[]string{`not in the Spec: MatMul "head_product"`}},
		{s, func(m *onnxgraph.Model) {
			n := nodeNamed(m, "head_product")
			n.OpType, n.Attributes = "Gemm", []onnxgraph.Attribute{{Name: "alpha", Value: float32(2)}}
		}, []string{"head: the file has none", `not in the Spec: Gemm "head_product", Add "output"`}},
	} {
		p, before := drawn(test.spec, 6), drawn(test.spec, 6)
		left, err := LoadParams(p, test.spec, file(test.change))
		if err != nil {
			t.Fatal(err)
		}
		lines(t, left, test.want...)
		want := ourParams(s)
		for i, l := range p.Layers {
			equal(t, "W", l.W, want.Layers[i].W)
		}
		if n := len(left); n > 0 && strings.Contains(left[n-1], "head_product") {
			clear(want.Head.B) // which was added to another product
		}
		unchanged := func(part string) bool { return len(left) > 0 && strings.HasPrefix(left[0], part) }
		if unchanged("embedding") {
			want.Embedding = before.Embedding
		}
		if unchanged("head") {
			want.Head = before.Head
		}
		equal(t, "embedding", p.Embedding, want.Embedding)
		equal(t, "head W", p.Head.W, want.Head.W)
		equal(t, "head B", p.Head.B, want.Head.B)
	}

	// What the file says is 0 is set, not left.
	p := drawn(s, 6)
	if _, err := LoadParams(p, s, file(func(m *onnxgraph.Model) {
		nodeNamed(m, "layers.1.gru").Inputs[3] = ""
		nodeNamed(m, "output").OpType = "Sigmoid"
	})); err != nil {
		t.Fatal(err)
	}
	equal(t, "B", p.Layers[1].B, make([]float32, 30))
	equal(t, "head B", p.Head.B, make([]float32, 2))
}

// TestLoadParamsBeside gives a file what no Spec has, one thing at a time.
func TestLoadParamsBeside(t *testing.T) {
	s := models.Spec{Cell: models.LSTM, Features: 3, Hidden: 5, Layers: 2, Readout: models.ReadLast, Outputs: 2}
	constant := func(m *onnxgraph.Model, name string, data any, shape ...int) string {
		m.Graph.Initializers = append(m.Graph.Initializers, onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: shape, Data: data}})
		return name
	}
	state := slices.Repeat([]float32{0, 0.7}, 5) // [1, 2, 5]
	before := func(m *onnxgraph.Model, node string, added ...onnxgraph.Node) {
		at := slices.IndexFunc(m.Graph.Nodes, func(n onnxgraph.Node) bool { return n.Name == node })
		m.Graph.Nodes = slices.Insert(m.Graph.Nodes, at, added...)
	}
	after := func(m *onnxgraph.Model, added ...onnxgraph.Node) {
		m.Graph.Nodes = append(m.Graph.Nodes, added...)
		m.Graph.Outputs[0].Name = added[len(added)-1].Outputs[0]
	}
	node := func(op, name string, inputs ...string) onnxgraph.Node {
		return onnxgraph.Node{OpType: op, Name: name, Inputs: inputs, Outputs: []string{name}}
	}
	begin := func(m *onnxgraph.Model, input int, name string) {
		n := nodeNamed(m, "layers.1.lstm")
		n.Inputs = append(n.Inputs, make([]string, 7)...)[:7]
		n.Inputs[input] = name
	}
	full := func(v float32) onnxgraph.Attribute {
		return onnxgraph.Attribute{Name: "value", Value: onnxgraph.Tensor{Tensor: tensor.Of([]float32{v}, 1)}}
	}
	const layer = `layer 1 (LSTM "layers.1.lstm") `
	for name, test := range map[string]struct {
		want   string // "" for nothing to say
		change func(m *onnxgraph.Model)
	}{
		"h0": {
			layer + "begins with an initial_h that is a constant other than zero",
			func(m *onnxgraph.Model) { begin(m, 5, constant(m, "h", state, 1, 2, 5)) },
		},
		"c0": {
			layer + "begins with an initial_c that is a constant other than zero",
			func(m *onnxgraph.Model) { begin(m, 6, constant(m, "c", state, 1, 2, 5)) },
		},
		"zero c0": {"", func(m *onnxgraph.Model) { begin(m, 6, constant(m, "c", make([]float32, 10), 1, 2, 5)) }},
		"float64": {
			layer + "begins with an initial_c that is a constant other than zero",
			func(m *onnxgraph.Model) { begin(m, 6, constant(m, "c", []float64{1, 2, 3, 4, 5}, 1, 1, 5)) },
		},
		"bytes": {
			layer + "begins with an initial_c that is a constant of no floats",
			func(m *onnxgraph.Model) { begin(m, 6, constant(m, "c", []uint8{1, 2, 3, 4, 5}, 1, 1, 5)) },
		},
		"learned h0, widened to the batch": {layer + "begins with an initial_h that is a constant other than zero", func(m *onnxgraph.Model) {
			constant(m, "h", state[:5], 1, 1, 5)
			before(m, "steps", node("Shape", "shape", "input"), node("Expand", "wide", "h", "shape"))
			begin(m, 5, "wide")
		}},
		"ones": {layer + "begins with an initial_h that is a constant other than zero", func(m *onnxgraph.Model) {
			n := node("ConstantOfShape", "ones", "shape")
			n.Attributes = []onnxgraph.Attribute{full(1)}
			before(m, "steps", node("Shape", "shape", "input"), n, node("Identity", "same", "ones"))
			begin(m, 5, "same")
		}},
		"zeros": {"", func(m *onnxgraph.Model) {
			n := node("ConstantOfShape", "zeros", "shape")
			n.Attributes = []onnxgraph.Attribute{full(0)}
			before(
				m, "steps", node("Shape", "shape", "input"), node("ConstantOfShape", "none", "shape"), n,
				node("Concat", "joined", "zeros", "none"),
			)
			begin(m, 5, "joined")
		}},
		"zeros, doubled 60 times": {"", func(m *onnxgraph.Model) {
			before(m, "steps", node("Shape", "shape", "input"), node("ConstantOfShape", "0", "shape"))
			for i := range 60 {
				before(m, "steps", node("Concat", fmt.Sprint(i+1), fmt.Sprint(i), fmt.Sprint(i)))
			}
			begin(m, 5, "60")
		}},
		"one part of two": {layer + "begins with an initial_h that is a constant other than zero", func(m *onnxgraph.Model) {
			constant(m, "h", state, 1, 2, 5)
			before(m, "steps", node("Shape", "shape", "input"), node("ConstantOfShape", "zeros", "shape"), node("Concat", "joined", "zeros", "h"))
			begin(m, 5, "joined")
		}},
		"computed": {layer + `begins with an initial_h that is computed (ReduceSum "sum"), the Spec with zeros`, func(m *onnxgraph.Model) {
			before(m, "steps", node("ReduceSum", "sum", "input"))
			begin(m, 5, "sum")
		}},
		"lengths": {
			layer + "reads no further than constant sequence_lens",
			func(m *onnxgraph.Model) { begin(m, 4, constant(m, "lengths", []int32{3, 2}, 2)) },
		},
		"mean": {"readout: the file's is mean, the Spec's last", func(m *onnxgraph.Model) {
			n := node("ReduceMean", "mean", "hidden")
			n.Attributes = []onnxgraph.Attribute{ints("axes", 1)}
			before(m, "head_product", n)
			nodeNamed(m, "head_product").Inputs[0] = "mean"
		}},
		"second dense layer": {`not in the Spec: MatMul "second"`, func(m *onnxgraph.Model) {
			constant(m, "more", []float32{1, 2, 3, 4}, 2, 2)
			after(m, node("MatMul", "second", "output", "more"))
		}},
		"second dense layer, behind an activation": {`not in the Spec: Tanh "bent", MatMul "second"`, func(m *onnxgraph.Model) {
			constant(m, "more", []float32{1, 2, 3, 4}, 2, 2)
			after(
				m, node("Tanh", "bent", "output"), node("MatMul", "second", "bent", "more"),
				node("Add", "biased", "second", constant(m, "bias2", []float32{1, 2}, 2)),
			)
		}},
		"second output": {`not in the Spec: MatMul "other"`, func(m *onnxgraph.Model) {
			before(m, "head_product", node("MatMul", "other", nodeNamed(m, "head_product").Inputs[0], constant(m, "more", state, 5, 2)))
			m.Graph.Outputs = append(m.Graph.Outputs, onnxgraph.Value{Name: "other", Type: onnxgraph.Float32})
		}},
		"second output that nothing asks for": {"", func(m *onnxgraph.Model) {
			before(m, "head_product", node("MatMul", "other", nodeNamed(m, "head_product").Inputs[0], constant(m, "more", state, 5, 2)))
		}},
		"way around the layers": {`not in the Spec: Add "sum", MatMul "around"`, func(m *onnxgraph.Model) {
			before(m, "steps", node("MatMul", "around", "input", constant(m, "more", state[:6], 3, 2)))
			after(m, node("Add", "sum", "output", "around"))
		}},
		"scale between": {`not in the Spec: Mul "times"`, func(m *onnxgraph.Model) {
			before(m, "head_product", node("Mul", "times", nodeNamed(m, "head_product").Inputs[0], constant(m, "half", []float32{0.5})))
			nodeNamed(m, "head_product").Inputs[0] = "times"
		}},
		"position": {`not in the Spec: Add "placed"`, func(m *onnxgraph.Model) {
			before(m, "steps", node("Add", "placed", "input", constant(m, "positions", state[:6], 2, 3)))
			nodeNamed(m, "steps").Inputs[0] = "placed"
		}},
		"scale": {"", func(m *onnxgraph.Model) {
			before(m, "steps", node("Div", "smaller", "input", constant(m, "deviations", state[:3], 1, 3)))
			nodeNamed(m, "steps").Inputs[0] = "smaller"
			after(m, node("Mul", "larger", "output", constant(m, "two", []float32{2})))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := ours(t, s)
			test.change(m)
			p := drawn(s, 6)
			left, err := LoadParams(p, s, marshalFile(t, m))
			switch {
			case err != nil:
				t.Error(err)
			case test.want == "" && len(left) > 0 || test.want != "" && !strings.Contains(strings.Join(left, "\n"), test.want):
				t.Errorf("left is %q, not %q", left, test.want)
			}
			equal(t, "the first layer's W", p.Layers[0].W, ourParams(s).Layers[0].W)
		})
	}
}

// TestLoadParamsField reads files whose state begins with a constant, and one more.
func TestLoadParamsField(t *testing.T) {
	s := models.Spec{Cell: models.LSTM, Features: 1, Hidden: 8, Layers: 1, Readout: models.ReadLast, Outputs: 1}
	for _, name := range []string{"h0", "c0"} {
		data, err := os.ReadFile(testenv.Shared(t, "field", "f17-init-drops-initial-state", "init2_"+name+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		left, err := LoadParams(drawn(s, 1), s, data)
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(left, "\n"); !strings.Contains(all, "begins with an initial_"+name[:1]+" that is a constant other than zero, the Spec with zeros") {
			t.Errorf("%s: left is %q", name, left)
		}
	}
}

// TestLoadParamsShared reads the models that others trained.
func TestLoadParamsShared(t *testing.T) {
	spec := func(cell models.Cell, features, hidden, layers, outputs int) models.Spec {
		return models.Spec{Cell: cell, Features: features, Hidden: hidden, Layers: layers, Readout: models.ReadAll, Outputs: outputs}
	}
	bidirectional := func(s models.Spec) models.Spec { s.Bidirectional = true; return s }
	readLast := func(s models.Spec) models.Spec { s.Readout = models.ReadLast; return s }
	split := bidirectional(spec(models.LSTM, 0, 128, 3, 6))
	split.Vocabulary, split.Embedding = 256, 64
	sigmoid := func(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
	same := func(x float32) float32 { return x }
	for _, test := range []struct {
		model  string
		spec   models.Spec
		err    string
		left   []string
		answer func(float32) float32 // the file's, of what the model predicts
	}{
		{"keras_lstm_k1", readLast(spec(models.LSTM, 5, 3, 1, 3)), "", []string{"head: the file has none"}, same},
		{
			"keras_lstm_k1", spec(models.LSTM, 1, 3, 1, 3),
			`layer 0 (LSTM "lstm") is lstm with inputs 5 and hidden 3, the Spec's lstm with inputs 1 and hidden 3`, nil,
			nil,
		},
		{"keras_lstm_k1_relu", spec(models.LSTM, 5, 3, 1, 3), "has activations [Relu Tanh Tanh]", nil, nil},
		{"iisc_lstm", spec(models.LSTM, 10, 32, 2, 32), "", []string{"head: the file has none"}, same},
		{
			"ecg_bilstm_keras", bidirectional(spec(models.LSTM, 1, 64, 2, 1)), "",
			[]string{`not in the Spec: Sigmoid "StatefulPartitionedCall/sequential/dense/Sigmoid"`}, sigmoid,
		},
		{
			"fairtalk_lstm_app", spec(models.LSTM, 128, 16, 2, 1), "",
			[]string{`not in the Spec: Conv "Conv_7", PRelu "PRelu_8", Conv "Conv_9", PRelu "PRelu_10"`}, nil,
		},
		{"dtln_model_1", spec(models.LSTM, 257, 128, 2, 257), "", []string{`not in the Spec: Sigmoid "Sigmoid"`}, nil},
		{"nnsplit_de", split, "", []string{`not in the Spec: Conv "Conv_6"`}, nil},
		{"gtcrn_simple", spec(models.GRU, 8, 8, 1, 1), "is not one of a stack of layers", nil, nil},
		{"silero_vad_v4_legacy", spec(models.LSTM, 64, 64, 2, 1), "no RNN, LSTM or GRU node", nil, nil},
		{"silero_vad_openvino_16k", spec(models.LSTM, 128, 64, 1, 1), "is lstm with inputs 128 and hidden 128", nil, nil},
	} {
		t.Run(test.model, func(t *testing.T) {
			dir := testenv.SharedModels(t, "models/"+test.model)[0]
			data, err := onnxtest.Model(dir)
			if err != nil {
				t.Fatal(err)
			}
			if test.err != "" {
				refused(t, test.spec, data, test.err)
				return
			}
			m := &models.Model{Metadata: models.Metadata{Spec: test.spec}, Params: models.NewParams[float32](test.spec)}
			if test.spec.Outputs == test.spec.Width() { // for files without a head, one that changes nothing
				for i := range test.spec.Outputs {
					m.Params.Head.W[i*test.spec.Outputs+i] = 1
				}
			}
			left, err := LoadParams(m.Params, test.spec, data)
			if err != nil {
				t.Fatal(err)
			}
			lines(t, left, test.left...)
			if test.answer == nil {
				return
			}
			sets, err := onnxtest.Sets(dir)
			if err != nil {
				t.Fatal(err)
			}
			x := sets[0].Inputs[0]
			got, err := trainer.Predict(m, batchOf(test.spec, x.Shape[0], x.Shape[1], x.Data.([]float32)))
			if err != nil {
				t.Fatal(err)
			}
			for i, y := range got {
				got[i] = test.answer(y)
			}
			closeTo(t, got, sets[0].Outputs[0].Data.([]float32), 1e-5)
		})
	}
}

// TestConstants computes ONNX's own tests of the operators of constants.
func TestConstants(t *testing.T) {
	for op, least := range map[string]int{
		"concat": 6, "constant": 1, "identity": 1, "reshape": 9, "slice": 5, "squeeze": 2, "transpose": 6,
		"unsqueeze": 5,
	} {
		computed := 0
		for _, dir := range testenv.SharedModels(t, "onnx-tests/node/"+op+"/*") {
			sets, err := onnxtest.Sets(dir)
			if err != nil {
				continue // of a type that the project does not read
			}
			data, err := onnxtest.Model(dir)
			if err != nil {
				t.Fatal(err)
			}
			file, err := onnxgraph.Unmarshal(data)
			if err != nil || len(file.Graph.Nodes) != 1 {
				continue
			}
			for i, in := range sets[0].Inputs {
				file.Graph.Initializers = append(file.Graph.Initializers, onnxgraph.Tensor{Name: file.Graph.Inputs[i].Name, Tensor: in})
			}
			got, _ := newReader(&file.Graph, 1<<20).constants.Named(file.Graph.Outputs[0].Name)
			if got.Data == nil {
				continue
			}
			computed++
			if err := onnxtest.Compare(got.Tensor, sets[0].Outputs[0], 0, 0); err != nil {
				t.Errorf("%s: %v", filepath.Base(dir), err)
			}
		}
		if computed < least {
			t.Errorf("%s: %d of ONNX's tests are computed, not %d", op, computed, least)
		}
	}
}

// TestConstantsOfOldOpsets computes operators that have as attributes what newer
// ones read as inputs, and values of types that are converted.
func TestConstantsOfOldOpsets(t *testing.T) {
	x := onnxgraph.Tensor{Name: "x", Tensor: tensor.Of([]float64{1, 2, 3, 4, 5, 6}, 1, 2, 3)}
	for _, test := range []struct {
		op         string
		attributes []onnxgraph.Attribute
		shape      []int
		data       any // nil: not computed
	}{
		{"Squeeze", []onnxgraph.Attribute{ints("axes", 0)}, []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		{"Squeeze", nil, []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		{"Squeeze", []onnxgraph.Attribute{ints("axes", 1)}, nil, nil},
		{"Unsqueeze", []onnxgraph.Attribute{ints("axes", 0, -1)}, []int{1, 1, 2, 3, 1}, []float32{1, 2, 3, 4, 5, 6}},
		{"Unsqueeze", []onnxgraph.Attribute{ints("axes", 0, 0)}, nil, nil},
		{"Unsqueeze", []onnxgraph.Attribute{ints("axes", 0, 1, 2, 3, 4, 5)}, nil, nil},
		{
			"Slice", []onnxgraph.Attribute{ints("starts", 0, 1), ints("ends", 1, math.MaxInt64), ints("axes", 1, 2)},
			[]int{1, 1, 2}, []float32{2, 3},
		},
		{"Slice", []onnxgraph.Attribute{ints("starts", 1), ints("ends", math.MinInt64)}, nil, nil},
		{"Slice", []onnxgraph.Attribute{ints("starts", 1), ints("ends", 1, 2)}, nil, nil},
		{
			"Slice", []onnxgraph.Attribute{ints("starts", -3), ints("ends", 3), ints("axes", -1), ints("steps", 2)},
			[]int{1, 2, 2}, []float32{1, 3, 4, 6},
		},
		{"Reshape", []onnxgraph.Attribute{ints("shape", 3, -1)}, []int{3, 2}, []float32{1, 2, 3, 4, 5, 6}},
		{"Reshape", []onnxgraph.Attribute{ints("shape", 4, -1)}, nil, nil},
		{"Reshape", []onnxgraph.Attribute{ints("shape", -1, -1)}, nil, nil},
		{"Reshape", []onnxgraph.Attribute{ints("shape", math.MaxInt64, math.MaxInt64)}, nil, nil},
		{"Reshape", []onnxgraph.Attribute{ints("shape", 1, 1, 1, 1, 1, 1, 1, 1, 6)}, nil, nil},
		{"Transpose", nil, []int{3, 2, 1}, []float32{1, 4, 2, 5, 3, 6}},
		{"Transpose", []onnxgraph.Attribute{ints("perm", 0, 0, 1)}, nil, nil},
		{"Cast", []onnxgraph.Attribute{{Name: "to", Value: onnxgraph.Number(onnxgraph.Float32)}}, []int{1, 2, 3}, []float32{1, 2, 3, 4, 5, 6}},
		{"Cast", []onnxgraph.Attribute{{Name: "to", Value: onnxgraph.Number(onnxgraph.Int64)}}, nil, nil},
		{"Concat", []onnxgraph.Attribute{axis(3)}, nil, nil},
		{"Relu", nil, nil, nil},
	} {
		g := onnxgraph.Graph{
			Initializers: []onnxgraph.Tensor{x},
			Nodes:        []onnxgraph.Node{{OpType: test.op, Inputs: []string{"x"}, Outputs: []string{"y"}, Attributes: test.attributes}},
		}
		got, _ := newReader(&g, 100).constants.Named("y")
		if test.data == nil && got.Data != nil || test.data != nil && (fmt.Sprint(got.Data) != fmt.Sprint(test.data) || !slices.Equal(got.Shape, test.shape)) {
			t.Errorf("%s %v is %v %v, not %v %v", test.op, test.attributes, got.Shape, got.Data, test.shape, test.data)
		}
	}
}

// TestLoadParamsBudget checks that a small file cannot ask for much memory.
func TestLoadParamsBudget(t *testing.T) {
	m := ours(t, models.Spec{Cell: models.RNN, Features: 1, Hidden: 1, Layers: 1, Readout: models.ReadAll, Outputs: 1})
	name := "layers.0.W"
	for i := range 64 {
		twice := fmt.Sprint("twice", i)
		m.Graph.Nodes = slices.Insert(m.Graph.Nodes, i, onnxgraph.Node{
			OpType: "Concat", Inputs: []string{name, name}, Outputs: []string{twice},
			Attributes: []onnxgraph.Attribute{axis(0)},
		})
		name = twice
	}
	nodeNamed(m, "layers.0.rnn").Inputs[1] = name
	s := models.Spec{Cell: models.RNN, Features: 1, Hidden: 1, Layers: 1, Readout: models.ReadAll, Outputs: 1}
	refused(t, s, marshalFile(t, m), "has a W that is not a constant of floats")
}

// TestLoadParamsMalformed checks that files that break the specification are
// refused, or at least do no harm.
func TestLoadParamsMalformed(t *testing.T) {
	for _, dir := range testenv.SharedModels(t, "malformed/*") {
		data, err := onnxtest.Model(dir)
		if err != nil {
			t.Fatal(err)
		}
		s := models.Spec{Cell: models.LSTM, Features: 3, Hidden: 4, Layers: 1, Readout: models.ReadAll, Outputs: 1}
		if _, err := LoadParams(models.NewParams[float32](s), s, data); err == nil {
			t.Errorf("%s is not refused", filepath.Base(dir))
		}
	}
}

// TestLoadParamsLines loads a file in which each attribute, and each operator, in turn
// has a name or a value that is no line.
func TestLoadParamsLines(t *testing.T) {
	const hostile = "x\nwrote it\x1b[2J"
	s := models.Spec{Cell: models.LSTM, Features: 3, Hidden: 4, Layers: 1, Readout: models.ReadAll, Outputs: 1}
	for _, edit := range []func(*onnxgraph.Node){
		func(n *onnxgraph.Node) { n.OpType = hostile },
		func(n *onnxgraph.Node) { n.Domain = hostile },
		func(n *onnxgraph.Node) { n.Name, n.Outputs = hostile, n.Outputs[:1] },
		func(n *onnxgraph.Node) {
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: hostile, Value: int64(1)})
		},
		func(n *onnxgraph.Node) {
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: "direction", Value: hostile})
		},
		func(n *onnxgraph.Node) {
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: "activations", Value: []string{hostile}})
		},
		func(n *onnxgraph.Node) {
			n.Attributes = append(n.Attributes, onnxgraph.Attribute{Name: "body", Value: &onnxgraph.Graph{Name: hostile}})
		},
	} {
		for i := range ours(t, s).Graph.Nodes {
			m := ours(t, s)
			edit(&m.Graph.Nodes[i])
			_, err := LoadParams(models.NewParams[float32](s), s, marshalFile(t, m))
			if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("the error is not one line that can be printed: %q", err)
			}
		}
	}
}

// FuzzLoadParams loads mutated files: their bytes and, where they still parse,
// what they say, by edits. None may panic; what is refused leaves the parameters
// as they were.
func FuzzLoadParams(f *testing.F) {
	specs := []models.Spec{
		{Cell: models.RNN, Features: 2, Hidden: 3, Layers: 1, Readout: models.ReadAll, Outputs: 2},
		{Cell: models.LSTM, Features: 3, Hidden: 4, Layers: 2, Bidirectional: true, Readout: models.ReadLast, Outputs: 2},
		{Cell: models.GRU, Vocabulary: 9, Embedding: 4, Hidden: 5, Layers: 2, Readout: models.ReadLast, Outputs: 2},
	}
	add := func(data []byte, spec int) {
		f.Add(data, byte(spec), []byte{})
		for i := range byte(24) {
			f.Add(data, byte(spec), []byte{i, i / 3, i * 7, i * 5, i * 11, i})
		}
	}
	for i, s := range specs {
		add(marshalFile(f, ours(f, s)), i)
	}
	for _, turn := range []bool{false, true} {
		add(marshalFile(f, twoNodes(specs[1], ourParams(specs[1]), turn)), 1)
	}
	modules := goldens(f)
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		for _, file := range modules[name].Files {
			add(readTestdata(f, file), len(specs))
		}
		specs = append(specs, modules[name].Spec)
	}
	f.Fuzz(func(t *testing.T, data []byte, spec byte, edits []byte) {
		if m, err := onnxgraph.Unmarshal(data); err == nil && len(edits) > 2 {
			for ; len(edits) > 2; edits = edits[3:] {
				edit(&m.Graph, int(edits[0]), int(edits[1]), int(edits[2]))
			}
			if data, err = onnxgraph.Marshal(m); err != nil {
				return
			}
		}
		s := specs[int(spec)%len(specs)]
		p := drawn(s, 1)
		before := slices.Clone(p.Data)
		if _, err := LoadParams(p, s, data); err != nil {
			equal(t, "params", p.Data, before)
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("the error is not one line that can be printed: %q", err)
			}
		}
	})
}

// edit changes one thing that g says, without making it unfit to be written.
func edit(g *onnxgraph.Graph, at, what, value int) {
	if len(g.Nodes) == 0 || len(g.Initializers) == 0 {
		return
	}
	n, t := &g.Nodes[at%len(g.Nodes)], &g.Initializers[at%len(g.Initializers)]
	other := &g.Nodes[value%len(g.Nodes)]
	dims := []int64{-9, -2, -1, 0, 1, 2, 3, math.MaxInt64, math.MinInt64}
	dim := dims[value%len(dims)]
	switch what % 9 {
	case 0:
		ops := []string{
			"Squeeze", "Unsqueeze", "Reshape", "Slice", "Concat", "Transpose", "ReverseSequence", "Gemm", "RNN", "LSTM",
			"GRU", "Add", "Gather", "Constant",
		}
		n.OpType = ops[value%len(ops)]
	case 1:
		if len(n.Inputs) > 0 && len(other.Outputs) > 0 {
			n.Inputs[value%len(n.Inputs)] = other.Outputs[value%len(other.Outputs)]
		}
	case 2:
		if len(n.Inputs) > 0 {
			n.Inputs[value%len(n.Inputs)] = g.Initializers[value%len(g.Initializers)].Name
		}
	case 3:
		n.Inputs = n.Inputs[:value%(len(n.Inputs)+1)]
	case 4:
		n.Inputs = append(n.Inputs, t.Name)
	case 5:
		names := []string{"axes", "starts", "ends", "perm", "shape", "axis", "direction", "activations", "transB", "layout"}
		n.Attributes = append(n.Attributes, ints(names[at%len(names)], dim, 1), axis(dim))
	case 6:
		if data, ok := t.Data.([]int64); ok && len(data) > 0 {
			data[value%len(data)] = dim
		}
	case 7:
		slices.Reverse(t.Shape)
	case 8:
		g.Outputs = append(g.Outputs[:0:0], onnxgraph.Value{Name: append(other.Outputs, "")[0]})
	}
}

// ours is the file that Marshal writes of a model with ourParams.
func ours(t testing.TB, s models.Spec) *onnxgraph.Model {
	t.Helper()
	data, err := Marshal(&models.Model{Metadata: models.Metadata{Spec: s, State: s.State()}, Params: ourParams(s)})
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnxgraph.Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// drawn returns parameters from a seed.
func drawn(s models.Spec, seed uint64) *models.Params[float32] {
	p := models.NewParams[float32](s)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range p.Data {
		p.Data[i] = rng.Float32() - 0.5
	}
	return p
}

func ourParams(s models.Spec) *models.Params[float32] { return drawn(s, 2) }

func nodeNamed(m *onnxgraph.Model, name string) *onnxgraph.Node {
	for i := range m.Graph.Nodes {
		if m.Graph.Nodes[i].Name == name {
			return &m.Graph.Nodes[i]
		}
	}
	panic("no node " + name)
}

func floats(name string, shape ...int) onnxgraph.Tensor {
	return onnxgraph.Tensor{Name: name, Tensor: tensor.Zeros(tensor.Float32, shape...)}
}

func marshalFile(t testing.TB, m *onnxgraph.Model) []byte {
	t.Helper()
	data, err := onnxgraph.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refused checks that a file is refused in one line that has all of wants, and
// that the parameters stay.
func refused(t *testing.T, s models.Spec, data []byte, wants ...string) {
	t.Helper()
	p := drawn(s, 1)
	before := slices.Clone(p.Data)
	_, err := LoadParams(p, s, data)
	if err == nil {
		t.Errorf("it is not refused: want %q", wants)
		return
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %q, not about %q", err, want)
		}
	}
	equal(t, "parameters", p.Data, before)
}

func lines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("left is %q, not %q", got, want)
	}
}

func batchOf(s models.Spec, size, steps int, x []float32) *datasets.Batch {
	b := &datasets.Batch{Size: size, Time: steps, Inputs: x}
	if s.Vocabulary > 0 {
		b.Inputs = nil
		for _, v := range x {
			b.Tokens = append(b.Tokens, int64(v))
		}
	}
	return b
}

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	return x
}

// equal compares bit for bit.
func equal(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
		t.Errorf("%s is %v, not %v", what, got, want)
	}
}

func closeTo(t *testing.T, got, want []float32, tolerance float64) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Abs(float64(a)-float64(b)) <= tolerance }) {
		t.Errorf("the answer is %v, not %v", got, want)
	}
}
