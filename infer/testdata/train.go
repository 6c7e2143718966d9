//go:build ignore

// Trains the models of the tests beside this file: go run infer/testdata/train.go
//
// The files that are there have the form of earlier versions, whose state is an input
// with a default. They stay, so that tests read it.
package main

import (
	"context"
	"log"
	"math"
	"math/rand/v2"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

func main() {
	rhyme()
	trend()
	demand()
}

// rhyme learns four lines by heart.
func rhyme() {
	const window = 40
	vocabulary := datasets.Vocabulary(datasets.Rhyme())
	text, err := datasets.NewText(datasets.Rhyme(), vocabulary, window, 1)
	if err != nil {
		log.Fatal(err)
	}
	train(models.Metadata{
		Task: models.Generate,
		Spec: models.Spec{
			Cell: models.GRU, Vocabulary: len(vocabulary), Embedding: 8, Hidden: 24, Layers: 1,
			Readout: models.ReadAll, Outputs: len(vocabulary),
		},
		Window:     window,
		Vocabulary: vocabulary,
	}, text, trainer.Options{Epochs: 300, LearningRate: 1e-2}, "infer/testdata/rhyme.onnx")
}

// demand forecasts the load of a day by the hour from the temperature, with intervals.
func demand() {
	const days, day = 365, 24
	d := &models.Direct{
		Window: 2 * day, Horizon: day, Segment: day, Targets: 1, Future: 1,
		Center: models.CenterMean, Linear: 1, Quantiles: []float64{0.1, 0.5, 0.9},
	}
	rng := rand.New(rand.NewPCG(3, 4))
	load, temperature := make([]float64, days*day), make([]float64, days*day)
	level := 15.0 // of the temperature of the day
	for i := range load {
		if i%day == 0 {
			level += 0.2*(15-level) + 3*rng.NormFloat64()
		}
		hour := 2 * math.Pi * float64(i%day) / day
		temperature[i] = level - 5*math.Cos(hour) + rng.NormFloat64()/2
		load[i] = 50 + 2*math.Abs(temperature[i]-18) + 8*math.Sin(hour) + rng.NormFloat64()
	}
	panel := &datasets.Panel{
		Roles:  datasets.Roles{Targets: []string{"load"}, Future: []string{"temperature"}},
		Series: []datasets.PanelSeries{{Targets: [][]float64{load}, Future: [][]float64{temperature}}},
	}
	windows, err := panel.Windows(datasets.WindowOptions{Window: d.Window, Horizon: d.Horizon})
	if err != nil {
		log.Fatal(err)
	}
	_, scale, _ := panel.CovariateScales()
	train(models.Metadata{
		Task: models.Forecast,
		Spec: models.Spec{
			Cell: models.GRU, Features: d.Columns(), Embedding: 32, Hidden: 16, Layers: 1,
			Readout: models.ReadAll, Outputs: day * 3, Direct: d,
		},
		Window: d.Window, Horizon: d.Horizon,
		Forecast: &models.Forecasting{Targets: panel.Targets, Future: panel.Future, Frequency: "1h", Season: day, FutureScale: scale},
	}, windows, trainer.Options{Epochs: 150, Batch: 64, LearningRate: 5e-3, Schedule: trainer.Schedule{Shape: trainer.Cosine}}, "infer/testdata/demand.onnx")
}

// trend reports whether a noisy series rises or falls.
func trend() {
	rng := rand.New(rand.NewPCG(1, 2))
	series := &datasets.Sequences{Features: 1}
	for i := range 900 {
		label := i % 3
		values := make([]float32, 8+rng.IntN(9))
		level := float32(rng.NormFloat64())
		for t := range values {
			values[t] = level + 0.3*float32(label-1)*float32(t) + 0.3*float32(rng.NormFloat64())
		}
		series.Inputs = append(series.Inputs, values)
		series.Labels = append(series.Labels, int64(label))
	}
	train(models.Metadata{
		Task:   models.Classify,
		Spec:   models.Spec{Cell: models.GRU, Features: 1, Hidden: 8, Layers: 1, Readout: models.ReadLast, Outputs: 3},
		Labels: []string{"falling", "flat", "rising"},
	}, series, trainer.Options{Epochs: 30, LearningRate: 1e-2}, "infer/testdata/trend.onnx")
}

func train(meta models.Metadata, data datasets.Source, opts trainer.Options, path string) {
	m, err := models.New(meta, 0)
	if err != nil {
		log.Fatal(err)
	}
	opts.ClipNorm = 1
	if meta.Spec.Direct == nil {
		opts.Loss = trainer.CrossEntropy{}
	}
	history, err := trainer.Fit(context.Background(), m, data, &datasets.Sequences{}, opts)
	if err != nil {
		log.Fatal(err)
	}
	if err := export.WriteFile(path, m); err != nil {
		log.Fatal(err)
	}
	log.Printf("%s: train loss %.3g", path, history[len(history)-1].TrainLoss)
}
