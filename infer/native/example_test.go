package native_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

// Package infer does all this; the engine alone is for those who put something
// else on top of it.
func ExampleNew() {
	model, err := os.ReadFile("../testdata/sine.onnx")
	if err != nil {
		log.Fatal(err)
	}
	session, err := native.New().Open(model)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	fmt.Println(session.Inputs()[0])

	batch, time := 2, 50
	zeros := tensor.Of(make([]float32, batch*time), batch, time, 1)
	results, err := session.Run(context.Background(), map[string]tensor.Tensor{"input": zeros}, "output", "hn")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results["output"].Shape, results["hn"].Shape)
	// Output:
	// input float32[batch, time, 1]
	// [2 1] [1 2 32]
}
