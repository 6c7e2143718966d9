package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

// engineFlags choose what runs a model.
type engineFlags struct {
	engine    string
	provider  string
	required  bool // the provider must compute all
	ortLib    string
	maxMemory int    // of a run of the native engine, in MiB
	nan       string // pass, refuse or ""
}

func (f *engineFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.engine, "engine", "auto", "native, onnxruntime, or auto: native, or where that refuses the model onnxruntime")
	flags.StringVar(&f.provider, "provider", "cpu", "cpu or cuda, which is onnxruntime's")
	flags.BoolVar(&f.required, "require-provider", false, "fail if the provider cuda leaves operators to the CPU that compute more than shapes")
	addOrtLib(flags, &f.ortLib)
	flags.IntVar(&f.maxMemory, "max-memory", native.DefaultMemory>>20, "MiB that a run of the native engine may take")
	flags.StringVar(&f.nan, "nan", "", "pass or refuse: what to do with NaN and infinities that go in or come out (default pass, but refuse what onnxruntime would make numbers of)")
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
	case f.nan != "" && f.nan != "pass" && f.nan != "refuse":
		return usagef("--nan is %q: it must be pass or refuse", f.nan)
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
func (f *engineFlags) open(ctx context.Context, path string, log io.Writer) (*infer.Model, error) {
	data, err := readModel(path)
	if err != nil {
		return nil, err
	}
	m, why, err := f.choose(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	fmt.Fprintln(log, printable(fmt.Sprintf("engine: %s%s", m.Engine(), why)))
	return m, nil
}

// choose opens a model on the engine that the flags ask for. Where auto takes ONNX
// Runtime, why says in parentheses why the native engine refused the model.
func (f *engineFlags) choose(ctx context.Context, data []byte) (m *infer.Model, why string, err error) {
	if f.ortLib != "" { // a wrong path is an error even where the native engine opens the model
		if _, err := ortlib.Find(f.ortLib); err != nil {
			return nil, "", err
		}
	}
	if f.engine == "onnxruntime" && f.provider != "cuda" {
		m, err := f.openApart(ctx, data)
		return m, "", err
	}
	m, refusal := infer.OpenBytesContext(ctx, data, infer.With(f.first()))
	if refusal == nil || f.engine != "auto" || f.provider == "cuda" {
		return m, "", refusal
	}
	if _, err := onnxgraph.Outline(data); err != nil { // the file is at fault, not the engine
		return nil, "", refusal
	}
	m, err = f.openApart(ctx, data)
	if err != nil {
		return nil, "", fmt.Errorf("%w; %w", refusal, err)
	}
	return m, fmt.Sprintf(" (native: %v)", refusal), nil
}

// maxOpen is how long ONNX Runtime may take to open a model.
const maxOpen = 10 * time.Second

// openApart opens a model on ONNX Runtime after a process of its own has opened it.
func (f *engineFlags) openApart(ctx context.Context, data []byte) (*infer.Model, error) {
	ctx, cancel := withTimeout(ctx, maxOpen)
	defer cancel()
	t := trial{engine: "onnxruntime", library: f.ortLib, memory: f.maxMemory << 20}
	if _, err := t.run(ctx, data); err != nil {
		return nil, err
	}
	return infer.OpenBytesContext(ctx, data, infer.With(f.onnxRuntime()))
}

// first returns the engine that the flags ask for, and for auto the native one.
func (f *engineFlags) first() engine.Engine {
	if f.engine == "onnxruntime" || f.provider == "cuda" {
		return f.onnxRuntime()
	}
	return f.withNaN(native.New(native.MaxMemory(f.maxMemory << 20)))
}

func (f *engineFlags) onnxRuntime() engine.Engine {
	opts := []ort.Option{ort.Library(f.ortLib), ort.PassNaN(f.nan == "pass")}
	if f.provider != "cuda" {
		return f.withNaN(ort.CPU(opts...))
	}
	if f.required {
		opts = append(opts, ort.RequireProvider())
	}
	return f.withNaN(ort.CUDA(0, opts...))
}

// withNaN returns e, which refuses NaN and infinities if --nan says so.
func (f *engineFlags) withNaN(e engine.Engine) engine.Engine {
	if f.nan == "refuse" {
		return engine.Finite(e)
	}
	return e
}

// engineNames are the engines that verify and bench compare.
var engineNames = []string{"native", "onnxruntime", "cuda"}

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

// engineOf returns the engine of a name in engineNames. It lets NaN pass.
func engineOf(name, ortLib string) engine.Engine {
	switch name {
	case "onnxruntime":
		return ort.CPU(ort.Library(ortLib), ort.PassNaN(true))
	case "cuda":
		return ort.CUDA(0, ort.Library(ortLib))
	}
	return native.New()
}

// candidate is a model on one of the engines, or the reason why it is not.
type candidate struct {
	name  string
	model *infer.Model
	err   error
}

// tryAll opens a model on each engine of a list of engineNames, as tryOpen does.
func tryAll(ctx context.Context, file modelFile, names []string, ortLib string, each time.Duration) []candidate {
	all := make([]candidate, len(names))
	for i, name := range names {
		m, err := tryOpen(ctx, file, name, ortLib, each)
		all[i] = candidate{engineOf(name, ortLib).String(), m, err}
	}
	return all
}

// tryOpen opens a model on an engine, which has until the timeout. ONNX Runtime opens
// it in a process of its own first.
func tryOpen(ctx context.Context, file modelFile, name, ortLib string, timeout time.Duration) (*infer.Model, error) {
	ctx, cancel := withTimeout(ctx, timeout)
	defer cancel()
	if name == "onnxruntime" || name == "cuda" {
		t := trial{engine: name, library: ortLib, memory: native.DefaultMemory}
		if _, err := t.run(ctx, file.data); err != nil {
			return nil, err
		}
	}
	return waitFor(ctx, "opening the model", func() (*infer.Model, error) {
		return infer.OpenBytesContext(ctx, file.data, infer.With(file.engine(name, ortLib)))
	})
}

func closeAll(all []candidate) {
	for _, c := range all {
		if c.model != nil {
			c.model.Close()
		}
	}
}
