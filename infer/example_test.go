package infer_test

import (
	"context"
	_ "embed"
	"fmt"
	"log"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

//go:embed testdata/sine.onnx
var sineModel []byte // written by: rnnkit train sine -o sine.onnx

func Example() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		log.Fatal(err)
	}
	series := datasets.Sine(1000, 0.1, 0)
	next, err := forecaster.Forecast(context.Background(), series, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", next)
	// Output:
	// [0.12 0.24 0.35]
}

func ExampleModel_Step() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	state := model.NewState()
	var next []float32
	for _, y := range datasets.Sine(1000, 0.1, 0)[950:] {
		if next, err = model.Step(context.Background(), state, []float32{float32(y)}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%.2f\n", next)
	// Output:
	// [0.12]
}

// A model from elsewhere is stepped by the names of its own inputs and outputs.
func ExampleModel_StepTensors() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.State())
	state := model.NewState()
	series := tensor.Of(make([]float32, 3*50), 3, 50, 1) // three sequences
	y, err := model.StepTensors(context.Background(), state, map[string]tensor.Tensor{"input": series}, "output")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["output"].Shape)
	// Output:
	// [{h0 hn} {c0 cn}]
	// [3 1]
}

func ExampleState() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	state := model.NewState()
	if _, err := model.Step(context.Background(), state, []float32{0.5}); err != nil {
		log.Fatal(err)
	}
	saved, err := state.MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}
	var restored infer.State
	if err := restored.UnmarshalBinary(saved); err != nil {
		log.Fatal(err)
	}
	for _, s := range []*infer.State{state, state.Clone(), &restored} {
		y, err := model.Step(context.Background(), s, []float32{0.6})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.2f ", y)
	}
	// Output:
	// [0.06] [0.06] [0.06]
}

func ExampleModel_Run() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.Engine(), model.Inputs()[0])
	x := tensor.Of(make([]float32, 2*50), 2, 50, 1)
	results, err := model.Run(context.Background(), map[string]tensor.Tensor{"input": x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results["output"].Shape, results["hn"].Shape)
	// Output:
	// native input float32[batch, time, 1]
	// [2 1] [1 2 32]
}

// A service goes on answering while its model is swapped for a newer one.
func ExampleLive() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	live := infer.NewLive(model)
	defer live.Close()
	request := func() error {
		return live.Use(func(m *infer.Model) error {
			forecaster, err := infer.NewForecaster(m)
			if err != nil {
				return err
			}
			next, err := forecaster.Forecast(context.Background(), datasets.Sine(1000, 0.1, 0), 3)
			fmt.Printf("%.2f\n", next)
			return err
		})
	}
	if err := request(); err != nil {
		log.Fatal(err)
	}
	newer, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	if err := live.Swap(newer); err != nil {
		log.Fatal(err)
	}
	if err := request(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// [0.12 0.24 0.35]
	// [0.12 0.24 0.35]
}

func ExampleGenerator() {
	model, err := infer.OpenBytes(rhymeModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	generator, err := infer.NewGenerator(model)
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range generator.Generate(context.Background(), "Twinkle, ", infer.GenerateOptions{Length: 47}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(string(r))
	}
	// Output:
	// twinkle, little star,
	// How I wonder what you are
}

func ExampleClassifier() {
	model, err := infer.OpenBytes(trendModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	classifier, err := infer.NewClassifier(model)
	if err != nil {
		log.Fatal(err)
	}
	series := []float32{0.2, 0.1, 0.7, 0.9, 1.6, 1.3, 1.9, 2.2}
	probabilities, err := classifier.Classify(context.Background(), tensor.Of(series, len(series), 1))
	if err != nil {
		log.Fatal(err)
	}
	for i, label := range classifier.Labels() {
		fmt.Printf("%s %.2f\n", label, probabilities[i])
	}
	// Output:
	// falling 0.00
	// flat 0.00
	// rising 1.00
}
