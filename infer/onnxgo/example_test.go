package onnxgo_test

import (
	"fmt"
	"log"
	"os"

	"github.com/owulveryck/onnx-go"
	gorgonia "gorgonia.org/tensor"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer/onnxgo"
)

func Example() {
	data, err := os.ReadFile("../testdata/sine.onnx")
	if err != nil {
		log.Fatal(err)
	}
	backend := onnxgo.NewBackend()
	model := onnx.NewModel(backend)
	if err := model.UnmarshalBinary(data); err != nil {
		log.Fatal(err)
	}
	var window []float32
	for _, y := range datasets.Sine(1000, 0.1, 0)[950:] {
		window = append(window, float32(y))
	}
	if err := model.SetInput(0, gorgonia.New(gorgonia.WithShape(1, 50, 1), gorgonia.WithBacking(window))); err != nil {
		log.Fatal(err)
	}
	if err := backend.Run(); err != nil {
		log.Fatal(err)
	}
	outputs, err := model.GetOutputTensors()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", outputs[0].Data())
	// Output:
	// [0.12]
}
