package trainer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

func ExampleFit() {
	var series []float32
	for _, y := range datasets.Sine(1000, 0.1, 0) {
		series = append(series, float32(y))
	}
	model, err := models.New(models.Forecaster("y", 50), 0)
	if err != nil {
		log.Fatal(err)
	}
	windows, err := datasets.NewWindows(series, model.Window)
	if err != nil {
		log.Fatal(err)
	}
	train, test, err := windows.Split(0.8)
	if err != nil {
		log.Fatal(err)
	}
	history, err := trainer.Fit(context.Background(), model, train, test, trainer.Options{Epochs: 8})
	if err != nil {
		log.Fatal(err)
	}
	last := history[len(history)-1]
	fmt.Printf("after epoch %d the test loss is below 0.02: %t\n", last.Epoch, last.TestLoss < 0.02)
	// Output:
	// after epoch 8 the test loss is below 0.02: true
}

// A model that reads a series step by step is trained on parallel streams. Gradients
// flow through 20 steps, and the state through the whole stream.
func ExampleOptions_stateful() {
	var series []float32
	for _, y := range datasets.Sine(2000, 0.1, 0) {
		series = append(series, float32(y))
	}
	meta := models.Forecaster("y", 20)
	meta.Spec.Readout = models.ReadAll // streams have targets at every step
	model, err := models.New(meta, 0)
	if err != nil {
		log.Fatal(err)
	}
	streams, err := datasets.NewStreams(series, 16, 20)
	if err != nil {
		log.Fatal(err)
	}
	options := trainer.Options{Stateful: true, Batch: streams.Streams(), Epochs: 10, LearningRate: 0.01}
	history, err := trainer.Fit(context.Background(), model, streams, nil, options)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the training loss is below 0.05: %t\n", history[len(history)-1].TrainLoss < 0.05)
	// Output:
	// the training loss is below 0.05: true
}

func ExampleOptions_Validate() {
	spec := models.Forecaster("y", 20).Spec
	fmt.Println(trainer.Options{Optimizer: trainer.Optimizer{Momentum: 0.9}}.Validate(spec))
	fmt.Println(trainer.Options{Loss: trainer.CrossEntropy{}}.Validate(spec))
	spec.Readout = models.ReadMean
	fmt.Println(trainer.Options{Stateful: true}.Validate(spec))
	// Output:
	// Optimizer.Momentum is 0.9: it must be 0 for adam, which does not use it
	// Loss is cross-entropy(weights [], smoothing 0): it must be binary cross-entropy for a model of one output: cross-entropy needs an output for each class
	// Stateful is true: it must be false for the readout mean, which needs all steps at once: use last, final or all
}

func ExamplePredict() {
	model, err := models.New(models.Forecaster("y", 3), 0)
	if err != nil {
		log.Fatal(err)
	}
	batch := &datasets.Batch{Size: 2, Time: 3, Inputs: []float32{1, 2, 3, 4, 5, 6}}
	outputs, err := trainer.Predict(model, batch)
	fmt.Println(len(outputs), "outputs,", err)
	// Output: 2 outputs, <nil>
}
