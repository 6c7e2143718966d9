package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// inspection is what `rnnkit inspect --json` prints.
type inspection struct {
	File       string                     `json:"file"`
	Size       int                        `json:"size"`
	Producer   string                     `json:"producer"`
	IR         int64                      `json:"ir"`
	Opsets     []opset                    `json:"opsets"`
	Inputs     []value                    `json:"inputs"`
	Outputs    []value                    `json:"outputs"`
	State      []models.StatePair         `json:"state"`
	Lost       []models.StatePair         `json:"lost_state,omitempty"` // named by the metadata, and not in the graph
	Streams    bool                       `json:"streams"`              // step by step, in Go
	Whole      string                     `json:"whole,omitempty"`      // why it does not stream
	Ops        []opCount                  `json:"ops"`
	Parameters int                        `json:"parameters"`
	Engines    []engineStatus             `json:"engines"`
	Baked      []string                   `json:"baked"` // null without --run
	Metadata   map[string]json.RawMessage `json:"metadata"`
}

type opset struct {
	Domain  string `json:"domain"`
	Version int64  `json:"version"`
}

type value struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Shape    []string `json:"shape"` // null for any number of dimensions
	Optional bool     `json:"optional,omitempty"`
}

type opCount struct {
	Op    string `json:"op"`
	Count int    `json:"count"`
}

type engineStatus struct {
	Engine string `json:"engine"`
	Runs   bool   `json:"runs"`
	Reason string `json:"reason,omitempty"`
}

func newInspection(path string, size int, m *onnxgraph.Model) *inspection {
	r := &inspection{
		File: path, Size: size, IR: m.IRVersion, Producer: strings.TrimSpace(m.Producer + " " + m.ProducerVersion),
		Ops: countOps(&m.Graph), Parameters: countParameters(&m.Graph), State: []models.StatePair{}, Metadata: map[string]json.RawMessage{},
	}
	for _, o := range m.Opsets {
		r.Opsets = append(r.Opsets, opset(o))
	}
	defaults := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		defaults[t.Name] = true
	}
	for _, v := range m.Graph.Inputs {
		described := describe(v)
		described.Optional = defaults[v.Name]
		r.Inputs = append(r.Inputs, described)
	}
	for _, v := range m.Graph.Outputs {
		r.Outputs = append(r.Outputs, describe(v))
	}
	for _, p := range m.Metadata {
		document := json.RawMessage(p.Value)
		if !json.Valid(document) {
			document, _ = json.Marshal(p.Value) // a string cannot fail
		}
		r.Metadata[p.Key] = document
	}
	r.Lost = lostState(&m.Graph, r.Metadata[models.MetadataKey])
	return r
}

// lostState returns the pairs of a document of rnnkit's that the graph has not.
func lostState(g *onnxgraph.Graph, document json.RawMessage) (lost []models.StatePair) {
	var meta models.Metadata
	if json.Unmarshal(document, &meta) != nil {
		return nil
	}
	inputs := map[string]bool{}
	for _, v := range g.Inputs {
		inputs[v.Name] = true
	}
	for _, pair := range meta.State {
		if !inputs[pair.Input] {
			lost = append(lost, pair)
		}
	}
	return lost
}

// try opens the model on the engines.
func (r *inspection) try(ctx context.Context, file modelFile, o *inspectOptions) {
	m, err := tryOpen(ctx, file, "native", "", o.timeout)
	var state []models.StatePair
	if err == nil {
		state = m.State()
		r.stream(m)
		m.Close()
	}
	r.addEngine("native", state, err)
	ctx, cancel := withTimeout(ctx, o.timeout)
	defer cancel()
	t := trial{engine: "onnxruntime", library: o.ortLib, memory: native.DefaultMemory}
	state, err = t.run(ctx, file.data)
	r.addEngine(t.name(), state, err)
}

// stream says whether the model runs step by step.
func (r *inspection) stream(m *infer.Model) {
	err := m.Streams()
	if r.Streams = err == nil; err != nil {
		r.Whole = oneLine(err)
	}
}

// addEngine says whether an engine opens the model, and takes the state from the
// first that does.
func (r *inspection) addEngine(name string, state []models.StatePair, err error) {
	status := engineStatus{Engine: name, Runs: err == nil}
	if err != nil {
		status.Reason = oneLine(err)
	}
	r.Engines = append(r.Engines, status)
	if len(r.State) == 0 {
		r.State = append(r.State, state...)
	}
}

func describe(v onnxgraph.Value) value {
	described := value{Name: v.Name, Type: v.Type.String()}
	if v.Shape != nil {
		described.Shape = []string{}
	}
	for _, d := range v.Shape {
		described.Shape = append(described.Shape, d.String())
	}
	return described
}

func (v value) String() string {
	shape := strings.Join(v.Shape, ", ")
	if v.Shape == nil {
		shape = "..."
	}
	text := fmt.Sprintf("%s %s[%s]", v.Name, v.Type, shape)
	if v.Optional {
		text += " (optional)"
	}
	return text
}

// countOps counts each operator of g, those of subgraphs too, the most frequent
// first.
func countOps(g *onnxgraph.Graph) []opCount {
	counts := map[string]int{}
	for _, n := range onnxgraph.NewScope(g).All() {
		counts[strings.TrimPrefix(n.Domain+"."+n.OpType, ".")]++
	}
	var ops []opCount
	for op, n := range counts {
		ops = append(ops, opCount{op, n})
	}
	slices.SortFunc(ops, func(a, b opCount) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Op, b.Op))
	})
	return ops
}

// countParameters counts the floats, and the integers of 8 bits that quantized ones
// are, among the constants of the graph, which the defaults of inputs are not.
func countParameters(g *onnxgraph.Graph) int {
	inputs := map[string]bool{}
	for _, v := range g.Inputs {
		inputs[v.Name] = true
	}
	sum := 0
	for _, t := range g.Initializers {
		if inputs[t.Name] {
			continue
		}
		switch t.Type() {
		case onnxgraph.Float16, onnxgraph.BFloat16, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.Int8, onnxgraph.Uint8:
			size, _ := tensor.Size(t.Shape)
			sum += size
		}
	}
	return sum
}
