package models_test

import (
	"errors"
	"fmt"

	"github.com/rnnkit/rnnkit/models"
)

func ExampleSpec() {
	spec := models.Spec{
		Cell:          models.GRU,
		Vocabulary:    30, // tokens instead of Features
		Embedding:     8,
		Hidden:        64,
		Layers:        2,
		Bidirectional: true,
		Dropout:       0.2,
		Readout:       models.ReadFinal,
		Outputs:       3,
	}
	fmt.Println(spec.Validate())
	fmt.Println(spec.Size(), "parameters, of which the head reads", spec.Width(), "values")
	fmt.Println("runs step by step:", spec.Stepwise())
	// Output:
	// <nil>
	// 103539 parameters, of which the head reads 128 values
	// runs step by step: false
}

// A direct forecaster reads two weeks of hours, a day at a time, and answers for two days
// with an interval of 80%.
func ExampleDirect() {
	direct := &models.Direct{
		Window: 336, Horizon: 48, Segment: 24, Targets: 1,
		Center: models.CenterMean, Linear: 1, Quantiles: []float64{0.1, 0.5, 0.9},
	}
	spec := models.Spec{
		Cell:      models.GRU,
		Features:  direct.Columns(),
		Embedding: 64,
		Hidden:    64,
		Layers:    1,
		Readout:   models.ReadLast,
		Outputs:   48 * 3,
		Direct:    direct,
	}
	fmt.Println(spec.Validate())
	fmt.Println(direct.WindowSegments(), "segments of", direct.Features(), "values")
	fmt.Println(spec.Size(), "parameters")
	// Output:
	// <nil>
	// 14 segments of 48 values
	// 53584 parameters
}

func ExampleSpec_Validate() {
	spec := models.Spec{
		Cell:     models.GRU,
		Features: 3,
		Hidden:   0,
		Layers:   1,
		Readout:  models.ReadLast,
		Outputs:  1,
	}
	fmt.Println(spec.Validate())
	spec.Hidden = 16
	fmt.Println(spec.Validate(), len(models.NewParams[float32](spec).Data))
	// Output:
	// Hidden is 0: it must be 1 or more
	// <nil> 1025
}

// A program can translate a field to what its users know.
func ExampleFieldError() {
	meta := models.Forecaster("sales", 7)
	meta.Spec.Cell = "lstm2"
	var field *models.FieldError
	if errors.As(meta.Validate(), &field) && field.Field == "Spec.Cell" {
		fmt.Printf("cell.type in config.yaml is %v, use %s\n", field.Value, field.Want)
	}
	// Output:
	// cell.type in config.yaml is lstm2, use rnn, lstm or gru
}

func ExampleNew() {
	meta := models.Forecaster("sales", 7)
	model, err := models.New(meta, 1, models.Orthogonal(), models.ForgetBias(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	model.InputScale = models.FitScale([]float32{10, 20, 30}, 1)
	model.OutputScale = model.InputScale
	fmt.Println(model.Validate(), len(model.Params.Data), "parameters, mean", model.InputScale.Mean[0])
	// Output:
	// <nil> 4513 parameters, mean 20
}
