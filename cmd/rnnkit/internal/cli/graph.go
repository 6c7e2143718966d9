package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tensorfile"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/graphs"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// graphFlags tell of a model what its file does not.
type graphFlags struct {
	layouts []string
	given   []string // inputs with their values
	seed    uint64
}

func (f *graphFlags) add(flags *pflag.FlagSet) {
	f.addLayout(flags)
	flags.StringArrayVar(&f.given, "input", nil, "NAME=VALUE: feed an input that .npy or .json file, or that JSON; others get random values")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the random inputs")
}

func (f *graphFlags) addLayout(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.layouts, "layout", nil, "NAME=LETTERS: what the dimensions of an input are: b batch, t time, f others, as btf (default: what the graph tells)")
}

// graph is a model's graph, its inputs, and the values of those that --input gives.
type graph struct {
	model  *onnxgraph.Model
	inputs []inputs.Input
	given  map[string]tensor.Tensor
}

// maxExternal limits the bytes of a model's weights that lie in files of their own.
const maxExternal = 1 << 30

// modelFile is the file of a model, read and parsed once.
type modelFile struct {
	data  []byte
	graph *onnxgraph.Model // nil where nobody has parsed it yet
}

// engine returns an engine of a name in engineNames. The native one opens the graph, if
// nothing is left out of it, and does not parse the file again.
func (f modelFile) engine(name, ortLib string) engine.Engine {
	if name == "native" && f.graph != nil && !f.graph.Partial {
		return graphs.Loaded(native.New(), f.graph)
	}
	return engineOf(name, ortLib)
}

// readModel reads the model at path, with the weights that lie in other files of
// its folder.
func readModel(path string) ([]byte, error) {
	data, err := onnxgraph.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	if data, err = onnxgraph.Whole(data, onnxgraph.External{Dir: filepath.Dir(path), Limit: maxExternal}); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// readGraph reads the model at path, for any engine, as bytes too.
func readGraph(path string) (*onnxgraph.Model, []byte, error) {
	data, err := readModel(path)
	if err != nil {
		return nil, nil, err
	}
	m, err := onnxgraph.UnmarshalAny(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, data, nil
}

// read reads the model at path, as bytes too.
func (f *graphFlags) read(path string) (*graph, []byte, error) {
	m, data, err := readGraph(path)
	if err != nil {
		return nil, nil, err
	}
	g, err := f.graphOf(m)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, data, nil
}

func (f *graphFlags) graphOf(m *onnxgraph.Model) (*graph, error) {
	layouts, err := assignments("--layout", f.layouts, m)
	if err != nil {
		return nil, err
	}
	g := &graph{model: m, given: map[string]tensor.Tensor{}}
	if g.inputs, err = inputs.Of(m, layouts); err != nil {
		return nil, err
	}
	values, err := assignments("--input", f.given, m)
	if err != nil {
		return nil, err
	}
	for _, in := range g.inputs {
		value, ok := values[in.Name]
		if !ok {
			continue
		}
		if g.given[in.Name], err = tensorfile.Read(value, in.Type); err != nil {
			return nil, fmt.Errorf("--input %s: %w", in.Name, err)
		}
		delete(values, in.Name)
	}
	for name := range values {
		return nil, usagef("--input %s: the model has no such input to feed", name)
	}
	return g, nil
}

// random returns inputs of that batch and time: those that are given, and random ones.
func (g *graph) random(batch, time int, seed uint64) (map[string]tensor.Tensor, error) {
	return inputs.Random(g.inputs, g.given, batch, time, seed)
}

// assignments splits NAME=VALUE, where the model's only input need not be named.
func assignments(flag string, list []string, m *onnxgraph.Model) (map[string]string, error) {
	values := map[string]string{}
	for _, text := range list {
		name, value, ok := cutName(text, m)
		switch {
		case !ok && len(m.Graph.Inputs) == 1:
			name, value = m.Graph.Inputs[0].Name, text
		case !ok:
			return nil, usagef("%s is %q: it must be NAME=VALUE, with the name of an input", flag, text)
		}
		values[name] = value
	}
	return values, nil
}

// cutName splits NAME=VALUE. The name of an input may have a = in it.
func cutName(text string, m *onnxgraph.Model) (name, value string, ok bool) {
	for _, v := range m.Graph.Inputs {
		if rest, found := strings.CutPrefix(text, v.Name+"="); found {
			return v.Name, rest, true
		}
	}
	return strings.Cut(text, "=")
}
