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
