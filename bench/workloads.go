package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// workload is a training run to measure. Its data are random: only their sizes affect
// the speed.
type workload struct {
	Name     string      `json:"name"`
	Notebook bool        `json:"notebook"` // a job of the original notebook
	Spec     models.Spec `json:"spec"`
	Loss     string      `json:"loss"` // a key of losses
	Rate     float64     `json:"rate"` // Adam's learning rate
	Examples int         `json:"examples"`
	Batch    int         `json:"batch"`
	Time     int         `json:"time"`
	Epochs   int         `json:"epochs"` // timed epochs, after the warm-up
}

var losses = map[string]trainer.Loss{
	"mse":                  trainer.MSE(),
	"cross-entropy":        trainer.CrossEntropy{},
	"binary cross-entropy": trainer.BinaryCrossEntropy(),
	"quantiles":            nil, // that of a direct forecaster
}

// workloads lists the six jobs of the notebook and some larger ones. The number of
// batches makes an epoch take about a second.
var workloads = []workload{
	{"chars", true, models.Spec{Cell: models.LSTM, Vocabulary: 30, Embedding: 32, Hidden: 64, Layers: 1, Readout: models.ReadAll, Outputs: 30}, "cross-entropy", 1e-3, 73, 32, 40, 100},
	{"sine", true, models.Spec{Cell: models.LSTM, Features: 1, Hidden: 32, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "mse", 1e-3, 760, 32, 50, 60},
	{"echo-rnn", true, models.Spec{Cell: models.RNN, Features: 1, Hidden: 16, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "binary cross-entropy", 1e-2, 2000, 64, 50, 40},
	{"echo-lstm", true, models.Spec{Cell: models.LSTM, Features: 1, Hidden: 16, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "binary cross-entropy", 1e-2, 2000, 64, 50, 40},
	{"palindrome-uni", true, models.Spec{Cell: models.RNN, Vocabulary: 10, Embedding: 8, Hidden: 16, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "binary cross-entropy", 1e-2, 3000, 64, 7, 80},
	{
		"palindrome-bi", true,
		models.Spec{Cell: models.RNN, Vocabulary: 10, Embedding: 8, Hidden: 16, Layers: 1, Bidirectional: true, Readout: models.ReadLast, Outputs: 1},
		"binary cross-entropy", 1e-2, 3000, 64, 7, 80,
	},
	{"lstm-128", false, models.Spec{Cell: models.LSTM, Features: 64, Hidden: 128, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "mse", 1e-3, 8 * 32, 32, 64, 5},
	{"gru-128", false, models.Spec{Cell: models.GRU, Features: 64, Hidden: 128, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "mse", 1e-3, 8 * 32, 32, 64, 5},
	{"lstm-256", false, models.Spec{Cell: models.LSTM, Features: 128, Hidden: 256, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "mse", 1e-3, 4 * 32, 32, 64, 5},
	{"gru-256", false, models.Spec{Cell: models.GRU, Features: 128, Hidden: 256, Layers: 1, Readout: models.ReadLast, Outputs: 1}, "mse", 1e-3, 4 * 32, 32, 64, 5},
	{"lstm-512x2", false, models.Spec{Cell: models.LSTM, Features: 64, Hidden: 512, Layers: 2, Readout: models.ReadLast, Outputs: 1}, "mse", 1e-3, 2 * 64, 64, 100, 3},
	{"m4-hourly", false, direct(models.ReadLast, 0), "quantiles", 1e-3, 8 * 128, 128, 336, 40},
	{"demand", false, direct(models.ReadAll, 3), "quantiles", 1e-3, 8 * 128, 128, 336, 40},
}

// direct returns a direct forecaster that reads two weeks of hours, a day at a time, and
// answers for two days.
func direct(readout models.Readout, future int) models.Spec {
	d := &models.Direct{
		Window: 336, Horizon: 48, Segment: 24, Targets: 1, Future: future,
		Center: models.CenterMean, Linear: 8, Quantiles: []float64{0.025, 0.1, 0.5, 0.9, 0.975},
	}
	outputs := d.Horizon * len(d.Quantiles)
	if readout == models.ReadAll {
		outputs = d.Segment * len(d.Quantiles)
	}
	return models.Spec{Cell: models.GRU, Features: d.Columns(), Embedding: 64, Hidden: 64, Layers: 1, Readout: readout, Outputs: outputs, Direct: d}
}

func find(name string) (workload, error) {
	var names []string
	for _, w := range workloads {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return workload{}, fmt.Errorf("there is no workload %q: use one of %s", name, strings.Join(names, ", "))
}

// MarshalJSON adds the data that another trainer needs and the operations per epoch.
func (w workload) MarshalJSON() ([]byte, error) {
	type plain workload
	return json.Marshal(struct {
		plain
		Warmup     int `json:"warmup"`
		Parameters int `json:"parameters"`
		Operations int `json:"operations"`
	}{plain(w), w.warmup(), len(models.NewParams[float32](w.Spec).Data), w.operations()})
}

// operations returns the number of floating-point operations in the matrix products
// of an epoch, two per multiply-add. With G gates, I inputs and H hidden units, one
// example takes these multiply-adds per layer and direction:
//
//	G H I T       x Wᵀ forward
//	G H I T       dW backward
//	G H I T       dx backward, if anything below has parameters
//	3 G H H (T-1) h Rᵀ, dR and dh, except in the first step
//
// Each row that the head answers adds 3 times its inputs times its outputs (forward,
// dW, dx), and so does the gate of a direct forecaster, whose T are segments. Its dense
// layer and its linear maps add twice theirs (forward, dW). The count has the masks of
// windows that lack nothing, which rnnkit does not multiply. It leaves out activations,
// biases, the pointwise part of the cells, the loss and the optimizer.
func (w workload) operations() int {
	s, time := w.Spec, w.Time
	rows := 1
	if s.Readout == models.ReadAll {
		rows = w.Time
	}
	multiplyAdds := 0
	if d := s.Direct; d != nil {
		time, rows = d.WindowSegments(), 1
		if s.Readout == models.ReadAll {
			rows = d.HorizonSegments()
			time += rows
		}
		multiplyAdds = 2*(time*d.Features()*s.Embedding+d.Window*d.Linear*d.Horizon) + 3*s.Hidden*d.Linear
	}
	multiplyAdds += 3 * rows * s.Width() * s.Outputs
	for layer := range s.Layers {
		products := 3
		if layer == 0 && s.Vocabulary == 0 && s.Direct == nil {
			products = 2
		}
		perGate := products*s.LayerInputs(layer)*time + 3*s.Hidden*(time-1)
		multiplyAdds += s.Directions() * s.Cell.Gates() * s.Hidden * perGate
	}
	return 2 * multiplyAdds * w.Examples
}

// setUp draws the same parameters and data every time.
func (w workload) setUp() (*models.Model, *examples, error) {
	meta := models.Metadata{Spec: w.Spec}
	if d := w.Spec.Direct; d != nil {
		meta.Task, meta.Window, meta.Horizon = models.Forecast, d.Window, d.Horizon
		meta.Forecast = &models.Forecasting{Targets: make([]string, d.Targets), Future: make([]string, d.Future)}
	}
	m, err := models.New(meta, 1)
	if err != nil {
		return nil, nil, err
	}
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	below := func(limit, n int) []int64 {
		x := make([]int64, n)
		for i := range x {
			x[i] = rng.Int64N(int64(limit))
		}
		return x
	}
	data := &examples{Size: w.Examples, Time: w.Time}
	if w.Spec.Vocabulary > 0 {
		data.Tokens = below(w.Spec.Vocabulary, w.Examples*w.Time)
	} else {
		data.Inputs = normal(w.Examples * w.Time * w.Spec.Features)
	}
	rows := w.Examples
	if w.Spec.Readout == models.ReadAll {
		rows *= w.Time
	}
	switch w.Loss {
	case "quantiles":
		data.Targets = normal(w.Examples * w.Spec.Direct.Horizon)
		data.Ahead = normal(w.Examples * w.Spec.Direct.Horizon * w.Spec.Direct.Future)
	case "cross-entropy":
		data.Labels = below(w.Spec.Outputs, rows)
	case "binary cross-entropy":
		for _, bit := range below(2, rows*w.Spec.Outputs) {
			data.Targets = append(data.Targets, float32(bit))
		}
	default:
		data.Targets = normal(rows * w.Spec.Outputs)
	}
	return m, data, nil
}

// examples is a Source of one batch of examples.
type examples datasets.Batch

func (e *examples) Len() int { return e.Size }

func (e *examples) Read(b *datasets.Batch, which []int) error {
	*b = datasets.Batch{Size: len(which), Time: e.Time, Inputs: b.Inputs[:0], Tokens: b.Tokens[:0], Targets: b.Targets[:0], Labels: b.Labels[:0], Ahead: b.Ahead[:0]}
	for _, i := range which {
		b.Inputs = append(b.Inputs, part(e.Inputs, i, e.Size)...)
		b.Tokens = append(b.Tokens, part(e.Tokens, i, e.Size)...)
		b.Targets = append(b.Targets, part(e.Targets, i, e.Size)...)
		b.Labels = append(b.Labels, part(e.Labels, i, e.Size)...)
		b.Ahead = append(b.Ahead, part(e.Ahead, i, e.Size)...)
	}
	return nil
}

// part returns part i of n equal parts of x.
func part[T any](x []T, i, n int) []T { return x[len(x)/n*i : len(x)/n*(i+1)] }

// fit is a training run of a workload on GOMAXPROCS threads.
type fit struct {
	workload
	model       *models.Model
	data        *examples
	allocations float64 // average per step
}

// warmup returns the number of epochs before the timed ones. The buffers grow in the
// first and the allocations are counted in the last. The system needs some to spread
// the threads over the cores.
func (w workload) warmup() int { return 2 + w.Epochs/4 }

func (w workload) newFit() (*fit, error) {
	m, data, err := w.setUp()
	return &fit{workload: w, model: m, data: data}, err
}

func (f *fit) run(ctx context.Context, epochs int, onEpoch func(trainer.Epoch)) ([]trainer.Epoch, error) {
	var before, after runtime.MemStats
	return trainer.Fit(ctx, f.model, f.data, &examples{}, trainer.Options{
		Loss:         losses[f.Loss],
		LearningRate: f.Rate,
		Epochs:       epochs,
		Batch:        f.Batch,
		NoShuffle:    true,
		OnEpoch:      onEpoch,
		OnBatch: func(p trainer.Progress) {
			switch {
			case p.Epoch != f.warmup():
			case p.Batch == 1:
				runtime.ReadMemStats(&before)
			case p.Batch == p.Batches:
				runtime.ReadMemStats(&after)
				f.allocations = float64(after.Mallocs-before.Mallocs) / float64(p.Batches-1)
			}
		},
	})
}
