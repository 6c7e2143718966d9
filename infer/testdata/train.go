//go:build ignore

// Trains the models of the tests beside this file: go run infer/testdata/train.go
//
// The files that are there have the form of earlier versions, whose state is an input
// with a default. They stay, so that tests read it.
package main

import (
	"context"
	"log"
	"math/rand/v2"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

func main() {
	rhyme()
	trend()
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
	opts.Loss, opts.ClipNorm = trainer.CrossEntropy{}, 1
	history, err := trainer.Fit(context.Background(), m, data, &datasets.Sequences{}, opts)
	if err != nil {
		log.Fatal(err)
	}
	if err := export.WriteFile(path, m); err != nil {
		log.Fatal(err)
	}
	log.Printf("%s: train loss %.3g", path, history[len(history)-1].TrainLoss)
}
