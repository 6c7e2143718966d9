package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/onnxgo"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

// engineFlags choose what runs a model.
type engineFlags struct {
	engine    string
	provider  string
	required  bool // of the provider, that it computes all
	ortLib    string
	maxMemory int // of a run of the native engine, in MiB
}

func (f *engineFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.engine, "engine", "auto", "native, onnxruntime, or auto: onnxruntime where it is installed and takes the model, else native")
	flags.StringVar(&f.provider, "provider", "cpu", "cpu or cuda, which is onnxruntime's")
	flags.BoolVar(&f.required, "require-provider", false, "fail if the provider cuda leaves operators to the CPU that compute more than shapes")
	addOrtLib(flags, &f.ortLib)
	flags.IntVar(&f.maxMemory, "max-memory", native.DefaultMemory>>20, "MiB that a run of the native engine may take")
}

func addOrtLib(flags *pflag.FlagSet, path *string) {
	flags.StringVar(path, "ort-lib", "", "path of ONNX Runtime's library (default: where 'rnnkit runtime status' finds it)")
}

func (f *engineFlags) validate() error {
	switch f.engine {
	case "auto", "native", "onnxruntime":
	default:
		return usagef("--engine is %q: it must be auto, native or onnxruntime", f.engine)
	}
	switch {
	case f.maxMemory < 1 || f.maxMemory > math.MaxInt>>20:
		return usagef("--max-memory is %d: it must be a number of MiB from 1 on", f.maxMemory)
	case f.provider != "cpu" && f.provider != "cuda":
		return usagef("--provider is %q: it must be cpu or cuda", f.provider)
	case f.required && f.provider == "cpu":
		return usagef("--require-provider needs --provider cuda: nothing falls back from the CPU")
	case f.provider == "cuda" && f.engine == "native":
		return usagef("--provider cuda needs --engine onnxruntime: the native engine computes on the CPU")
	}
	return nil
}

// open loads the model at path and says on log which engine runs it.
func (f *engineFlags) open(path string, log io.Writer) (*infer.Model, error) {
	m, why, err := f.choose(path)
	if err == nil {
		fmt.Fprintf(log, "engine: %s%s\n", m.Engine(), why)
	}
	return m, err
}

// choose also returns why auto did not take ONNX Runtime, in parentheses.
func (f *engineFlags) choose(path string) (*infer.Model, string, error) {
	data, err := readModel(path)
	if err != nil {
		return nil, "", err
	}
	open := func(e engine.Engine, why string) (*infer.Model, string, error) {
		m, err := infer.OpenBytes(data, infer.With(e))
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		return m, why, nil
	}
	pure := native.New(native.MaxMemory(f.maxMemory << 20))
	switch {
	case f.engine == "native":
		return open(pure, "")
	case f.provider == "cuda":
		opts := []ort.Option{ort.Library(f.ortLib)}
		if f.required {
			opts = append(opts, ort.RequireProvider())
		}
		return open(ort.CUDA(0, opts...), "")
	case f.engine == "onnxruntime":
		return open(ort.CPU(ort.Library(f.ortLib)), "")
	}
	_, err = ortlib.Find(f.ortLib)
	if err != nil && !errors.Is(err, ortlib.ErrNotFound) {
		return nil, "", err
	}
	if err == nil {
		var m *infer.Model
		if m, _, err = open(ort.CPU(ort.Library(f.ortLib)), ""); err == nil {
			return m, "", nil
		}
	}
	return open(pure, fmt.Sprintf(" (%v)", err))
}

// engineNames are the engines that verify and bench compare.
var engineNames = []string{"native", "onnxruntime", "cuda", "onnx-go"}

// checkEngines checks a list of engineNames.
func checkEngines(flag string, list []string) error {
	if len(list) == 0 {
		return usagef("%s is empty: name %s", flag, orList(engineNames))
	}
	for i, name := range list {
		switch {
		case !slices.Contains(engineNames, name):
			return usagef("%s has %q: it must be %s", flag, name, orList(engineNames))
		case slices.Contains(list[:i], name):
			return usagef("%s has %q twice: name each engine once", flag, name)
		}
	}
	return nil
}

// enginesOf returns the engines of those names.
func enginesOf(list []string, ortLib string) []engine.Engine {
	var engines []engine.Engine
	for _, name := range list {
		switch name {
		case "native":
			engines = append(engines, native.New())
		case "onnxruntime":
			engines = append(engines, ort.CPU(ort.Library(ortLib)))
		case "cuda":
			engines = append(engines, ort.CUDA(0, ort.Library(ortLib)))
		case "onnx-go":
			engines = append(engines, onnxgo.Engine())
		}
	}
	return engines
}

// candidate is a model on one of the engines, or the reason why it is not.
type candidate struct {
	name  string
	model *infer.Model
	err   error
}

// openAll opens a model on every engine that there is.
func openAll(data []byte, engines ...engine.Engine) []candidate {
	all := make([]candidate, len(engines))
	for i, e := range engines {
		m, err := infer.OpenBytes(data, infer.With(e))
		all[i] = candidate{e.String(), m, err}
	}
	return all
}

func closeAll(all []candidate) {
	for _, c := range all {
		if c.model != nil {
			c.model.Close()
		}
	}
}
