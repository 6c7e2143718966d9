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

// A direct forecaster learns a season of 12 steps and answers for the next 12, with an
// interval of 80%.
func ExampleForecast() {
	direct := &models.Direct{
		Window: 24, Horizon: 12, Segment: 12, Targets: 1, Center: models.CenterMean, Linear: 1, Quantiles: []float64{0.1, 0.5, 0.9},
	}
	model, err := models.New(models.Metadata{
		Task: models.Forecast, Window: direct.Window, Horizon: direct.Horizon,
		Spec: models.Spec{
			Cell: models.GRU, Features: 1, Embedding: 16, Hidden: 16, Layers: 1, Readout: models.ReadLast,
			Outputs: 12 * 3, Direct: direct,
		},
		Forecast: &models.Forecasting{Targets: []string{"sales"}},
	}, 1)
	if err != nil {
		log.Fatal(err)
	}
	month := func(t int) float32 { return 100 + 20*float32(t%12) }
	panel := seasons{month: month, windows: 60}
	options := trainer.Options{Epochs: 60, LearningRate: 0.01}
	if _, err := trainer.Fit(context.Background(), model, panel, nil, options); err != nil {
		log.Fatal(err)
	}
	var batch datasets.Batch
	if err := panel.Read(&batch, []int{0}); err != nil {
		log.Fatal(err)
	}
	quantiles, err := trainer.Forecast(model, &batch) // [1, 12, 3]
	if err != nil {
		log.Fatal(err)
	}
	january, june := quantiles[0*3:][:3], quantiles[5*3:][:3]
	fmt.Println("January is about 100:", january[1] > 90 && january[1] < 110)
	fmt.Println("June is about 200:", june[1] > 190 && june[1] < 210)
	fmt.Println("the interval is in order:", june[0] <= june[1] && june[1] <= june[2])
	// Output:
	// January is about 100: true
	// June is about 200: true
	// the interval is in order: true
}

// seasons is a Source of windows of a series.
type seasons struct {
	month   func(t int) float32
	windows int
}

func (s seasons) Len() int { return s.windows }

func (s seasons) Read(b *datasets.Batch, examples []int) error {
	*b = datasets.Batch{Size: len(examples), Time: 24}
	for _, first := range examples {
		for t := range 24 {
			b.Inputs = append(b.Inputs, s.month(first+t))
		}
		for t := range 12 {
			b.Targets = append(b.Targets, s.month(first+24+t))
		}
	}
	return nil
}
