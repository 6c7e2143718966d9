package ort

import (
	"errors"
	"fmt"
)

// Option changes how an engine runs its models. The defaults suit small recurrent
// models in a service with many concurrent requests: each run uses one thread, which
// sleeps while it waits, and keeps no memory plans.
type Option func(*ortEngine)

// Library sets the path of the library to load. By default it is the library of the
// environment variable ONNXRUNTIME_SHARED_LIBRARY_PATH, else the one that `rnnkit
// runtime install` installed, else the system's. An installed library must still have
// its original SHA-256.
func Library(path string) Option {
	return func(e *ortEngine) { e.library = path }
}

// Threads sets the number of threads per operator of a Run. The default of 1 suits
// small models and many concurrent Runs.
func Threads(n int) Option {
	return func(e *ortEngine) { e.threads = n }
}

// Spinning lets threads spin while they wait for work. This shortens a Run of several
// threads but takes processor time from everything else. It is off by default.
func Spinning(on bool) Option {
	return func(e *ortEngine) { e.spinning = on }
}

// Arena keeps the CPU memory of Runs for later ones, up to the most ever in use. It
// is on by default.
func Arena(on bool) Option {
	return func(e *ortEngine) { e.arena = on }
}

// MemoryPattern lets a session plan the memory of each combination of input shapes at
// its first Run, and keep the plan. It is off by default, since a service with
// sequences of all lengths would collect plans.
func MemoryPattern(on bool) Option {
	return func(e *ortEngine) { e.pattern = on }
}

// Level says how far ONNX Runtime optimizes a graph when it opens a model:
// https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html.
type Level int

// The levels of optimization. Each includes the ones before it.
const (
	NoOptimization Level = iota
	Basic
	Extended
	All
)

// Optimization sets how far ONNX Runtime optimizes the graph. The default is All.
func Optimization(level Level) Option {
	return func(e *ortEngine) { e.level = level }
}

// Profile writes the time of each operator of each Run to a JSON file in the format
// of Chrome's trace viewer when a session is closed. The file's path begins with
// prefix, which may contain folders, and ends with a timestamp. Open fails if it
// cannot create a file there.
func Profile(prefix string) Option {
	return func(e *ortEngine) { e.profile = prefix }
}

// PassNaN lets models with recurrent operators run on NaN and infinities, which ONNX
// Runtime's CPU code turns into numbers. It is off by default.
func PassNaN(on bool) Option {
	return func(e *ortEngine) { e.passNaN = on }
}

// TF32 lets CUDA round the factors of float32 products to 10 bits. This is faster,
// with errors of up to 1e-3. It is off by default.
func TF32(on bool) Option {
	return func(e *ortEngine) { e.tf32 = on }
}

// MemoryLimit sets the most bytes of GPU memory that a CUDA session's arena may take.
// By default it may take all.
func MemoryLimit(bytes int) Option {
	return func(e *ortEngine) { e.memory, e.limited = bytes, true }
}

// RequireProvider makes Open fail if CUDA leaves operators to the CPU, unless they
// compute only shapes. The error lists them: see [Placements]. Open then runs the
// model once.
func RequireProvider() Option {
	return func(e *ortEngine) { e.required = true }
}

const maxThreads = 1024

func (e *ortEngine) validate() error {
	switch {
	case e.threads < 1 || e.threads > maxThreads:
		return fmt.Errorf("%d threads: there must be from 1 to %d", e.threads, maxThreads)
	case e.level < NoOptimization || e.level > All:
		return fmt.Errorf("optimization level %d: there are %d to %d", e.level, NoOptimization, All)
	case e.device < 0:
		return errors.New("there is no such device: the first is cuda:0")
	case e.limited && e.memory < 1:
		return fmt.Errorf("a memory limit of %d bytes: there must be at least 1", e.memory)
	case !e.cuda && (e.tf32 || e.limited || e.required):
		return errors.New("TF32, MemoryLimit and RequireProvider are options of CUDA: leave them out")
	}
	return nil
}
