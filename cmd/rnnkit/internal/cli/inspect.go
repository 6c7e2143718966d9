package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

type inspectOptions struct {
	*streams
	json    bool
	dot     bool
	runs    bool
	timeout time.Duration
	ortLib  string
}

const inspectLong = `Show the inputs, outputs, operators, parameters and metadata of any ONNX model,
which of its outputs is fed back as which input, and which engines open it, and if
not why. ONNX Runtime opens it in a process of its own, with the native engine's
limit of memory. An engine that takes longer than --timeout is given up.

The model does not run, unless --run asks for it: then experiments tell where an
exporter has baked its example's batch or time into the graph, which 'rnnkit repair'
makes symbolic. They too are given up after --timeout.

Characters of the file's strings that a terminal would not print are escaped.`

const inspectExample = `  rnnkit inspect sine.onnx
  rnnkit inspect exported.onnx --run
  rnnkit inspect sine.onnx --json
  rnnkit inspect sine.onnx --dot | dot -Tsvg > sine.svg`

func newInspectCmd(s *streams) *cobra.Command {
	return newVerbCmd(&inspectOptions{streams: s}, &cobra.Command{
		Use:     "inspect MODEL.onnx",
		Short:   "Show what is in a model",
		Long:    inspectLong,
		Example: inspectExample,
		Args:    oneModel("rnnkit inspect MODEL.onnx"),
	})
}

func (o *inspectOptions) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	flags.BoolVar(&o.dot, "dot", false, "print the graph for Graphviz")
	flags.BoolVar(&o.runs, "run", false, "run the model, to tell what is baked in")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long each engine, and --run, may take")
	addOrtLib(flags, &o.ortLib)
}

func (o *inspectOptions) validate() error {
	switch {
	case o.json && o.dot:
		return usagef("--json and --dot exclude each other: choose one")
	case o.timeout <= 0:
		return usagef("--timeout is %v: it must be more than 0", o.timeout)
	}
	return nil
}

func (o *inspectOptions) run(ctx context.Context, args []string) error {
	path := args[0]
	m, data, err := readGraph(path)
	if err != nil {
		return err
	}
	if o.dot {
		return printDot(o.Out, &m.Graph)
	}
	r := newInspection(path, len(data), m)
	r.try(ctx, modelFile{data, m}, o)
	if o.runs {
		r.Baked = o.baked(ctx, m, r)
	}
	if o.json {
		return printJSON(o.Out, r)
	}
	return r.print(o.Out)
}

// baked returns what is baked into m, or why that cannot be told.
func (o *inspectOptions) baked(ctx context.Context, m *onnxgraph.Model, r *inspection) []string {
	if !r.Engines[0].Runs {
		return []string{"cannot be told: the native engine does not run the model"}
	}
	ctx, cancel := withTimeout(ctx, o.timeout)
	defer cancel()
	list, err := waitFor(ctx, "running the model", func() ([]string, error) { return baked(ctx, m), nil })
	if err != nil {
		return []string{"cannot be told: " + oneLine(err)}
	}
	return append([]string{}, list...)
}

func (r *inspection) print(out io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	r.printLines(func(heading, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", heading, printable(fmt.Sprintf(format, args...)))
	})
	if err := w.Flush(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		var document bytes.Buffer
		if err := json.Indent(&document, r.Metadata[key], "", "  "); err != nil {
			return err
		}
		fmt.Fprintf(&text, "metadata %s: %s\n", printable(key), printableJSON(document.String()))
	}
	_, err := out.Write(text.Bytes())
	return err
}

// printLines prints all but the metadata, each by a call of line.
func (r *inspection) printLines(line func(heading, format string, args ...any)) {
	line("file", "%s, %d bytes", r.File, r.Size)
	line("producer", "%s", r.Producer)
	var opsets []string
	for _, o := range r.Opsets {
		opsets = append(opsets, strings.TrimSpace(fmt.Sprintf("%s %d", o.Domain, o.Version)))
	}
	line("format", "IR %d, opset %s", r.IR, strings.Join(opsets, ", "))
	for i, v := range r.Inputs {
		line(once(i, "inputs"), "%s", v)
	}
	for i, v := range r.Outputs {
		line(once(i, "outputs"), "%s", v)
	}
	r.printState(line)
	for i, op := range r.Ops {
		line(once(i, "ops"), "%s %d", op.Op, op.Count)
	}
	line("parameters", "%d", r.Parameters)
	for i, e := range r.Engines {
		if e.Runs {
			line(once(i, "engines"), "%s runs it", e.Engine)
		} else {
			line(once(i, "engines"), "%s does not: %s", e.Engine, e.Reason)
		}
	}
	for i, change := range r.Baked {
		line(once(i, "baked in"), "%s", change)
	}
	if r.Baked == nil {
		line("baked in", "not looked for, which takes runs of the model: --run")
	}
}

// printState prints the state, and whether the model streams.
func (r *inspection) printState(line func(heading, format string, args ...any)) {
	for i, pair := range r.State {
		line(once(i, "state"), "%s goes on as %s", pair.Output, pair.Input)
	}
	for i, pair := range r.Lost {
		line(once(i, "lost state"), "%s, which the metadata names: a tool has taken the input out of the graph: go back to the model before", pair.Input)
	}
	switch {
	case r.Streams:
		line("steps", "one by one too: it streams")
	case r.Whole != "":
		line("steps", "%s", r.Whole)
	}
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
