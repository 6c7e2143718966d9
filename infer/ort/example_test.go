package ort_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/ort"
)

// An engine is a value: it loads the library when it first opens a model.
func Example() {
	for _, e := range []engine.Engine{ort.CPU(), ort.CPU(ort.Threads(4)), ort.CUDA(0)} {
		fmt.Println(e)
	}
	// Output:
	// onnxruntime/cpu
	// onnxruntime/cpu
	// onnxruntime/cuda:0
}
