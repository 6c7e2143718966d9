package infer_test

import (
	"context"
	_ "embed"
	"fmt"
	"log"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
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
	probabilities, err := classifier.Classify(context.Background(), engine.Of(series, len(series), 1))
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
