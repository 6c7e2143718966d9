package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

func newInspectCmd(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:     "inspect MODEL.onnx",
		Short:   "Show what is in a model",
		Long:    "Show the inputs, outputs, operators, parameters and metadata of any ONNX model.",
		Example: "  rnnkit inspect sine.onnx",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := readModel(args[0])
			if err != nil {
				return err
			}
			m, err := onnxgraph.Unmarshal(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return inspect(s.Out, args[0], len(data), m)
		},
	}
}

func readModel(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	return data, nil
}

func inspect(out io.Writer, path string, size int, m *onnxgraph.Model) error {
	g := &m.Graph
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s, %d bytes\n", path, size)
	fmt.Fprintf(w, "producer\t%s\n", strings.TrimSpace(m.Producer+" "+m.ProducerVersion))
	var opsets []string
	for _, o := range m.Opsets {
		opsets = append(opsets, strings.TrimSpace(fmt.Sprintf("%s %d", o.Domain, o.Version)))
	}
	fmt.Fprintf(w, "format\tIR %d, opset %s\n", m.IRVersion, strings.Join(opsets, ", "))

	for i, v := range g.Inputs {
		line := describe(v)
		if slices.ContainsFunc(g.Initializers, func(t onnxgraph.Tensor) bool { return t.Name == v.Name }) {
			line += " (optional)"
		}
		fmt.Fprintf(w, "%s\t%s\n", once(i, "inputs"), line)
	}
	for i, v := range g.Outputs {
		fmt.Fprintf(w, "%s\t%s\n", once(i, "outputs"), describe(v))
	}
	for i, op := range countOps(g) {
		fmt.Fprintf(w, "%s\t%s\n", once(i, "ops"), op)
	}
	fmt.Fprintf(w, "parameters\t%d\n", countParameters(g))
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range m.Metadata {
		if p.Key != models.MetadataKey {
			fmt.Fprintf(&text, "metadata %s: %s\n", p.Key, p.Value)
			continue
		}
		var document bytes.Buffer
		if err := json.Indent(&document, []byte(p.Value), "", "  "); err != nil {
			return fmt.Errorf("%s: metadata %q is damaged: %w: export the model again", path, p.Key, err)
		}
		fmt.Fprintf(&text, "metadata %s: %s\n", p.Key, &document)
	}
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

func describe(v onnxgraph.Value) string {
	dims := make([]string, len(v.Shape))
	for i, d := range v.Shape {
		dims[i] = engine.Dim{Size: int(d.Size), Symbol: d.Symbol}.String()
	}
	return fmt.Sprintf("%s %s[%s]", v.Name, v.Type, strings.Join(dims, ", "))
}

// countOps returns "LSTM 2" for each operator of g, those of subgraphs too, the
// most frequent first.
func countOps(g *onnxgraph.Graph) []string {
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
	var ops []string
	for op := range counts {
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b string) int {
		if d := counts[b] - counts[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, op := range ops {
		ops[i] = fmt.Sprintf("%s %d", op, counts[op])
	}
	return ops
}

// countParameters counts the floats that are constants of the graph, which the
// defaults of inputs are not.
func countParameters(g *onnxgraph.Graph) int {
	sum := 0
	for _, t := range g.Initializers {
		if slices.ContainsFunc(g.Inputs, func(v onnxgraph.Value) bool { return v.Name == t.Name }) {
			continue
		}
		switch data := t.Data.(type) {
		case []float32:
			sum += len(data)
		case []float64:
			sum += len(data)
		}
	}
	return sum
}
