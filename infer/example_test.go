package infer_test

import (
	"context"
	_ "embed"
	"fmt"
	"log"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
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
