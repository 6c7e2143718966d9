package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

type inspectOptions struct {
	*streams
	json   bool
	dot    bool
	ortLib string
}

func newInspectCmd(s *streams) *cobra.Command {
	o := &inspectOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "inspect MODEL.onnx",
		Short: "Show what is in a model",
		Long: `Show the inputs, outputs, operators, parameters and metadata of any ONNX model,
which of its outputs is fed back as which input, which engines run it, and if not
why, and where an exporter has baked its example's batch or time into the graph,
which 'rnnkit repair' makes symbolic.`,
		Example: `  rnnkit inspect sine.onnx
  rnnkit inspect sine.onnx --json
  rnnkit inspect sine.onnx --dot | dot -Tsvg > sine.svg`,
		Args: oneModel("rnnkit inspect MODEL.onnx"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.json && o.dot {
				return usagef("--json and --dot exclude each other: choose one")
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	flags.BoolVar(&o.dot, "dot", false, "print the graph for Graphviz")
	addOrtLib(flags, &o.ortLib)
	return cmd
}

// oneModel asks for one argument, the model, and shows how it is given.
func oneModel(usage string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("name one model: %s", usage)
		}
		return nil
	}
}

// maxExternal is how many bytes a model's weights may have in files of their own.
const maxExternal = 1 << 30

// readModel reads the model at path, with the weights that lie in other files of
// its folder.
func readModel(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	if data, err = onnxgraph.Whole(data, onnxgraph.External{Dir: filepath.Dir(path), Limit: maxExternal}); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

func (o *inspectOptions) run(ctx context.Context, path string) error {
	m, data, err := readGraph(path)
	if err != nil {
		return err
	}
	if o.dot {
		return printDot(o.Out, &m.Graph)
	}
	r := newInspection(path, len(data), m)
	r.try(data, native.New(), ort.CPU(ort.Library(o.ortLib)))
	if r.Engines[0].Runs {
		r.Baked = append(r.Baked, baked(ctx, m)...)
	} else {
		r.Baked = append(r.Baked, "cannot be told: the native engine does not run the model")
	}
	if o.json {
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	return r.print(o.Out)
}

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
	Ops        []opCount                  `json:"ops"`
	Parameters int                        `json:"parameters"`
	Engines    []engineStatus             `json:"engines"`
	Baked      []string                   `json:"baked"`
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
		Ops: countOps(&m.Graph), Parameters: countParameters(&m.Graph), State: []models.StatePair{}, Baked: []string{}, Metadata: map[string]json.RawMessage{},
	}
	for _, o := range m.Opsets {
		r.Opsets = append(r.Opsets, opset(o))
	}
	for _, v := range m.Graph.Inputs {
		described := describe(v)
		described.Optional = slices.ContainsFunc(m.Graph.Initializers, func(t onnxgraph.Tensor) bool { return t.Name == v.Name })
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
	return r
}

// try opens the model, given its bytes, on engines, and takes the state from the
// first that runs it.
func (r *inspection) try(data []byte, engines ...engine.Engine) {
	all := openAll(data, engines...)
	defer closeAll(all)
	for _, c := range all {
		status := engineStatus{Engine: c.name, Runs: c.err == nil}
		if c.err != nil {
			status.Reason = oneLine(c.err)
		}
		if c.err == nil && len(r.State) == 0 {
			r.State = append(r.State, c.model.State()...)
		}
		r.Engines = append(r.Engines, status)
	}
}

func (r *inspection) print(out io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s, %d bytes\n", r.File, r.Size)
	fmt.Fprintf(w, "producer\t%s\n", r.Producer)
	var opsets []string
	for _, o := range r.Opsets {
		opsets = append(opsets, strings.TrimSpace(fmt.Sprintf("%s %d", o.Domain, o.Version)))
	}
	fmt.Fprintf(w, "format\tIR %d, opset %s\n", r.IR, strings.Join(opsets, ", "))
	for i, v := range r.Inputs {
		fmt.Fprintf(w, "%s\t%s\n", once(i, "inputs"), v)
	}
	for i, v := range r.Outputs {
		fmt.Fprintf(w, "%s\t%s\n", once(i, "outputs"), v)
	}
	for i, pair := range r.State {
		fmt.Fprintf(w, "%s\t%s goes on as %s\n", once(i, "state"), pair.Output, pair.Input)
	}
	for i, op := range r.Ops {
		fmt.Fprintf(w, "%s\t%s %d\n", once(i, "ops"), op.Op, op.Count)
	}
	fmt.Fprintf(w, "parameters\t%d\n", r.Parameters)
	for i, e := range r.Engines {
		answer := "runs it"
		if !e.Runs {
			answer = "does not: " + e.Reason
		}
		fmt.Fprintf(w, "%s\t%s %s\n", once(i, "engines"), e.Engine, answer)
	}
	for i, change := range r.Baked {
		fmt.Fprintf(w, "%s\t%s\n", once(i, "baked in"), change)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		var document bytes.Buffer
		if err := json.Indent(&document, r.Metadata[key], "", "  "); err != nil {
			return err
		}
		fmt.Fprintf(&text, "metadata %s: %s\n", key, &document)
	}
	_, err := out.Write(text.Bytes())
	return err
}

// printDot writes a graph in Graphviz's language: an ellipse for each input and
// output, a box for each node. Constants are left out.
func printDot(out io.Writer, g *onnxgraph.Graph) error {
	var text bytes.Buffer
	fmt.Fprintln(&text, "digraph model {")
	from := map[string]string{} // the box of each value
	for i, v := range g.Inputs {
		id := fmt.Sprintf("in%d", i)
		from[v.Name] = id
		fmt.Fprintf(&text, "  %s [label=%q];\n", id, describe(v).String())
	}
	for i, n := range g.Nodes {
		if n.OpType == "Constant" {
			continue
		}
		id := fmt.Sprintf("n%d", i)
		fmt.Fprintf(&text, "  %s [shape=box, label=%q];\n", id, n.OpType)
		for _, name := range n.Inputs {
			if source, ok := from[name]; ok {
				fmt.Fprintf(&text, "  %s -> %s;\n", source, id)
			}
		}
		for _, name := range n.Outputs {
			from[name] = id
		}
	}
	for i, v := range g.Outputs {
		fmt.Fprintf(&text, "  out%d [label=%q];\n", i, describe(v).String())
		if source, ok := from[v.Name]; ok {
			fmt.Fprintf(&text, "  %s -> out%d;\n", source, i)
		}
	}
	fmt.Fprintln(&text, "}")
	_, err := out.Write(text.Bytes())
	return err
}

// once returns the heading for the first of some lines.
func once(i int, heading string) string {
	if i == 0 {
		return heading
	}
	return ""
}

func describe(v onnxgraph.Value) value {
	described := value{Name: v.Name, Type: v.Type.String()}
	if v.Shape != nil {
		described.Shape = []string{}
	}
	for _, d := range v.Shape {
		described.Shape = append(described.Shape, engine.Dim{Size: int(d.Size), Symbol: d.Symbol}.String())
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
	var count func(*onnxgraph.Graph)
	count = func(g *onnxgraph.Graph) {
		for _, n := range g.Nodes {
			counts[strings.TrimPrefix(n.Domain+"."+n.OpType, ".")]++
			for _, a := range n.Attributes {
				if sub, ok := a.Value.(*onnxgraph.Graph); ok {
					count(sub)
				}
			}
		}
	}
	count(g)
	var ops []opCount
	for op, n := range counts {
		ops = append(ops, opCount{op, n})
	}
	slices.SortFunc(ops, func(a, b opCount) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Op, b.Op))
	})
	return ops
}

// countParameters counts the floats, and the integers of 8 bits that quantised ones
// are, among the constants of the graph, which the defaults of inputs are not.
func countParameters(g *onnxgraph.Graph) int {
	sum := 0
	for _, t := range g.Initializers {
		if slices.ContainsFunc(g.Inputs, func(v onnxgraph.Value) bool { return v.Name == t.Name }) {
			continue
		}
		switch t.Type() {
		case onnxgraph.Float16, onnxgraph.BFloat16, onnxgraph.Float32, onnxgraph.Float64, onnxgraph.Int8, onnxgraph.Uint8:
			size, _ := engine.Size(t.Shape)
			sum += size
		}
	}
	return sum
}
