package ort

import (
	"errors"
	"fmt"
)

// An Option changes how an engine runs its models. What is not set suits small
// recurrent models in a service with many requests at once: one thread a run,
// which sleeps while it waits, and no memory kept for shapes that come once.
type Option func(*ortEngine)

// Library sets the path of the library to load. Without it the library is that
// of the environment variable ONNXRUNTIME_SHARED_LIBRARY_PATH, else the one
// that `rnnkit runtime install` installed, which must have the SHA-256 that it had
// then, else the system's.
func Library(path string) Option {
	return func(e *ortEngine) { e.library = path }
}

// Threads sets the number of threads that one Run computes an operator with.
// It is 1 if not set, which suits small models and many concurrent Runs.
func Threads(n int) Option {
	return func(e *ortEngine) { e.threads = n }
}

// Spinning lets threads that wait for work spin, which shortens a Run of several
// threads and takes processor time from everything else. It is off if not set.
func Spinning(on bool) Option {
	return func(e *ortEngine) { e.spinning = on }
}

// Arena keeps memory on the CPU that Runs have used for the next ones, up to the
// most that was ever in use. It is on if not set.
func Arena(on bool) Option {
	return func(e *ortEngine) { e.arena = on }
}

// MemoryPattern lets a session plan the memory of each combination of input shapes
// at its first Run, and keep the plan. It is off if not set, since a service that
// reads sequences of all lengths would collect plans.
func MemoryPattern(on bool) Option {
	return func(e *ortEngine) { e.pattern = on }
}

// Level is how far ONNX Runtime rewrites a graph when it opens a model:
// https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html.
type Level int

// The levels, each with the rewrites of those before.
const (
	NoOptimization Level = iota
	Basic
	Extended
	All
)

// Optimization sets how far the graph is rewritten. It is All if not set.
func Optimization(level Level) Option {
	return func(e *ortEngine) { e.level = level }
}

// Profile writes what each operator of each Run took to a JSON file, in the format
// of Chrome's trace viewer, when a session is closed. The file's name begins with
// the given prefix, which may have folders in it, and goes on with the time. Open
// fails where no file can be made there.
func Profile(prefix string) Option {
	return func(e *ortEngine) { e.profile = prefix }
}

// PassNaN lets models with recurrent operators run on NaN and infinities, of which
// ONNX Runtime's CPU code makes numbers. It is off if not set.
func PassNaN(on bool) Option {
	return func(e *ortEngine) { e.passNaN = on }
}

// TF32 lets CUDA round the factors of float32 products to 10 bits, which is faster,
// and wrong by up to 1e-3. It is off if not set.
func TF32(on bool) Option {
	return func(e *ortEngine) { e.tf32 = on }
}

// MemoryLimit sets how many bytes of the GPU's memory a CUDA session's arena may
// take. Without it that is all.
func MemoryLimit(bytes int) Option {
	return func(e *ortEngine) { e.memory, e.limited = bytes, true }
}

// RequireProvider makes it an error of Open, which lists them, if CUDA leaves
// operators to the CPU that compute more than shapes: see [Placements]. Open then
// runs the model once.
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
