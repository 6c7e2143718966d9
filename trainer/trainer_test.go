package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// sine returns the model and the examples of the preset sine.
func sine(t testing.TB, seed uint64) (m *models.Model, train, test *datasets.Windows) {
	t.Helper()
	var series []float32
	for _, y := range datasets.Sine(1000, 0.1, seed) {
		series = append(series, float32(y))
	}
	m, err := models.New(models.Forecaster("y", 50), seed)
	if err != nil {
		t.Fatal(err)
	}
	windows, err := datasets.NewWindows(series, m.Window)
	if err != nil {
		t.Fatal(err)
	}
	train, test, err = windows.Split(0.8)
	if err != nil {
		t.Fatal(err)
	}
	return m, train, test
}

// TestSineLoss compares the test losses of the preset sine with those of PyTorch, whose
// median is 0.0116.
func TestSineLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("trains ten models")
	}
	var losses []float64
	for seed := range uint64(10) {
		m, train, test := sine(t, seed)
		history, err := Fit(t.Context(), m, train, test, Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, history[len(history)-1].TestLoss)
	}
	t.Logf("test MSE of seeds 0 to 9: %.4f", losses)
	slices.Sort(losses)
	if median := (losses[4] + losses[5]) / 2; !(median >= 0.0100 && median <= 0.0130) {
		t.Errorf("the median test MSE is %.4f, not from 0.0100 to 0.0130", median)
	}
	if !(losses[9] <= 0.016) {
		t.Errorf("the largest test MSE is %.4f, more than 0.016", losses[9])
	}
}

// testSpecs returns models of every kind, with dropout and tokens among them.
func testSpecs() []models.Spec {
	return []models.Spec{
		{Cell: models.RNN, Features: 2, Hidden: 7, Layers: 1, Readout: models.ReadFinal, Bidirectional: true, Outputs: 1},
		{Cell: models.GRU, Vocabulary: 5, Embedding: 3, Hidden: 5, Layers: 2, Dropout: 0.4, Readout: models.ReadAll, Outputs: 3},
		{Cell: models.LSTM, Features: 1, Hidden: 9, Layers: 3, Dropout: 0.1, Readout: models.ReadLast, Outputs: 2},
	}
}

// examples is a Source of random examples.
type examples struct {
	spec   models.Spec
	count  int
	time   int
	damage func(*datasets.Batch)
}

func (e examples) Len() int { return e.count }

func (e examples) Read(b *datasets.Batch, indexes []int) error {
	*b = datasets.Batch{Size: len(indexes), Time: e.time}
	for _, i := range indexes {
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		for range e.time {
			for range e.spec.Features {
				b.Inputs = append(b.Inputs, float32(rng.NormFloat64()))
			}
			if e.spec.Vocabulary > 0 {
				b.Tokens = append(b.Tokens, rng.Int64N(int64(e.spec.Vocabulary)))
			}
		}
		answers := 1
		if e.spec.Readout == models.ReadAll {
			answers = e.time
		}
		for range answers * e.spec.Outputs {
			b.Targets = append(b.Targets, float32(rng.NormFloat64()))
		}
	}
	if e.damage != nil {
		e.damage(b)
	}
	return nil
}

// testRunner returns a runner with the squared error.
func testRunner(t *testing.T, m *models.Model, seed uint64, threads int) *runner[float32] {
	t.Helper()
	p, err := newRunner(&m.Metadata, m.Params, MSE(), seed, threads)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testFit(t *testing.T, m *models.Model, train datasets.Source, opts Options) *fit[float32] {
	t.Helper()
	opts, err := opts.withDefaults(m.Spec)
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFit(&m.Metadata, m.Params, train, train, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func firstExamples(n int) []int {
	indexes := make([]int, n)
	for i := range indexes {
		indexes[i] = i
	}
	return indexes
}

func newModel(t *testing.T, spec models.Spec) *models.Model {
	t.Helper()
	m, err := models.New(models.Metadata{Spec: spec}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestThreadsDoNotChangeResults(t *testing.T) {
	defer kernels.Use(kernels.Variant())
	for _, variant := range kernels.Variants() {
		kernels.Use(variant)
		for _, spec := range testSpecs() {
			t.Run(variant+" "+string(spec.Cell), func(t *testing.T) { threadsDoNotChangeResults(t, spec) })
		}
	}
}

func threadsDoNotChangeResults(t *testing.T, spec models.Spec) {
	var want []float32
	for _, threads := range []int{1, 2, 8} {
		m := newModel(t, spec)
		source := examples{spec: spec, count: 83, time: 6}
		if _, err := Fit(t.Context(), m, source, source, Options{Epochs: 2, Batch: 40, Seed: 5, Threads: threads}); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = m.Params.Data
		}
		if !slices.Equal(m.Params.Data, want) {
			t.Errorf("%d threads give other parameters than 1", threads)
		}
	}
	m := newModel(t, spec)
	source := examples{spec: spec, count: 83, time: 6}
	if _, err := Fit(t.Context(), m, source, source, Options{Epochs: 2, Batch: 40, Seed: 6}); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(m.Params.Data, want) {
		t.Error("another seed gives the same parameters")
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	m, train, _ := sine(t, 0)
	for _, threads := range []int{1, 2} {
		f := testFit(t, m, train, Options{Threads: threads})
		defer f.close()
		step := func() {
			if err := f.read(train, f.order[:32]); err != nil {
				t.Fatal(err)
			}
			if err := f.update(1, 1, f.runner.run(training, 0)); err != nil {
				t.Fatal(err)
			}
		}
		step()
		if n := testing.AllocsPerRun(20, step); n != 0 {
			t.Errorf("a step on %d threads allocates %v times", threads, n)
		}
	}
}

// TestLossIsTheMeanOverExamples trains with a learning rate that changes nothing, so
// the training loss must be the test loss on the same examples, whatever the sizes of
// batches.
func TestLossIsTheMeanOverExamples(t *testing.T) {
	for _, spec := range testSpecs() {
		spec.Dropout = 0
		source := examples{spec: spec, count: 37, time: 4}
		for _, batch := range []int{1, 16, 32, 36, 37, 100} {
			history, err := Fit(t.Context(), newModel(t, spec), source, source, Options{Epochs: 1, Batch: batch, LearningRate: 1e-30})
			if err != nil {
				t.Fatal(err)
			}
			if e := history[0]; !(math.Abs(e.TrainLoss-e.TestLoss) <= 1e-6*e.TestLoss) || e.Examples != 37 {
				t.Errorf("%s, batches of %d: training loss %g on %d examples, test loss %g on 37", spec.Cell, batch, e.TrainLoss, e.Examples, e.TestLoss)
			}
		}
	}
}

// TestPredictByOnes checks that the output for an example does not depend on the rest
// of the batch, and that the scales are undone.
func TestPredictByOnes(t *testing.T) {
	for _, spec := range testSpecs() {
		m := newModel(t, spec)
		if spec.Features > 0 {
			m.InputScale = &models.Scale{Mean: []float32{5, -1}[:spec.Features], Std: []float32{2, 0.5}[:spec.Features]}
		}
		source := examples{spec: spec, count: 37, time: 4}
		var all, one datasets.Batch
		if err := source.Read(&all, firstExamples(37)); err != nil {
			t.Fatal(err)
		}
		together, err := Predict(m, &all)
		if err != nil {
			t.Fatal(err)
		}
		var apart []float32
		for i := range 37 {
			if err := source.Read(&one, []int{i}); err != nil {
				t.Fatal(err)
			}
			y, err := Predict(m, &one)
			if err != nil {
				t.Fatal(err)
			}
			apart = append(apart, y...)
		}
		if len(together) != len(apart) {
			t.Fatalf("%s: %d answers together, %d apart", spec.Cell, len(together), len(apart))
		}
		for i := range apart {
			if !(math.Abs(float64(together[i]-apart[i])) <= 1e-6) {
				t.Errorf("%s: answer %d is %g together, %g apart", spec.Cell, i, together[i], apart[i])
			}
		}

		m.OutputScale = &models.Scale{Mean: slices.Repeat([]float32{100}, spec.Outputs), Std: slices.Repeat([]float32{10}, spec.Outputs)}
		raw, err := Predict(m, &all)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			if want := together[i]*10 + 100; !(math.Abs(float64(raw[i]-want)) <= 1e-4) {
				t.Errorf("%s: answer %d is %g in raw units, not %g", spec.Cell, i, raw[i], want)
			}
		}
	}
}

// TestFitWithoutTest trains without a test and with an empty one, and refuses options
// that need test examples.
func TestFitWithoutTest(t *testing.T) {
	var params [2][]float32
	for i, test := range []datasets.Source{examples{}, nil} {
		m, train, _ := sine(t, 0)
		history, err := Fit(t.Context(), m, train, test, Options{Epochs: 2})
		if err != nil || len(history) != 2 || history[1].TestLoss != 0 {
			t.Errorf("%v: %+v, %v", test, history, err)
		}
		params[i] = m.Params.Data
	}
	if !slices.Equal(params[0], params[1]) {
		t.Error("the parameters differ")
	}
	for field, opts := range map[string]Options{"Patience": {Patience: 3}, "Schedule.Shape": {Schedule: Schedule{Shape: Plateau}}} {
		m, train, _ := sine(t, 0)
		if _, err := Fit(t.Context(), m, train, nil, opts); err == nil || !strings.HasPrefix(err.Error(), field+" is") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestFitOnLessThanNoExamples(t *testing.T) {
	m, train, _ := sine(t, 0)
	if _, err := Fit(t.Context(), m, examples{count: -1}, nil, Options{}); err == nil || !strings.Contains(err.Error(), "train.Len() is -1: it must be 1 or more") {
		t.Errorf("the error is %v", err)
	}
	if _, err := Fit(t.Context(), m, train, examples{count: -1}, Options{Patience: 2}); err == nil || !strings.Contains(err.Error(), "test.Len() is -1: it must be 0 or more") {
		t.Errorf("the error is %v", err)
	}
}

// TestPredictOfSizesThatOverflow gives sizes whose product overflows to 0.
func TestPredictOfSizesThatOverflow(t *testing.T) {
	spec := testSpecs()[2]
	if _, err := Predict(newModel(t, spec), &datasets.Batch{Size: 1 << 32, Time: 1 << 32}); err == nil || !strings.Contains(err.Error(), "b.Inputs is of length 0: it must be of length 18446744073709551616") {
		t.Errorf("the error is %v", err)
	}
}

func TestFitEndsAfterTheBatchWhenCancelled(t *testing.T) {
	m, train, test := sine(t, 0)
	before := slices.Clone(m.Params.Data)
	ctx, cancel := context.WithCancel(t.Context())
	batches := 0
	history, err := Fit(ctx, m, train, test, Options{OnBatch: func(p Progress) {
		if batches++; p.Epoch == 2 && p.Batch == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if batches != 24+3 || len(history) != 2 || history[0].Examples != 760 || history[1].Examples != 96 {
		t.Errorf("%d batches, history %+v", batches, history)
	}
	if slices.Equal(m.Params.Data, before) {
		t.Error("nothing was trained")
	}
	if history, err := Fit(ctx, m, train, test, Options{}); !errors.Is(err, context.Canceled) || len(history) != 0 {
		t.Errorf("cancelled before: %v, %v", history, err)
	}
}

func TestFitStopsAtALossThatIsNotFinite(t *testing.T) {
	m, train, test := sine(t, 0)
	_, err := Fit(t.Context(), m, train, test, Options{LearningRate: 1e38})
	if err == nil || !strings.Contains(err.Error(), "epoch 1, batch 2: lower the learning rate") {
		t.Errorf("the error is %v", err)
	}
}

func TestErrors(t *testing.T) {
	floats, tokens, all := testSpecs()[2], testSpecs()[1], testSpecs()[1]
	all.Vocabulary, all.Embedding, all.Features = 0, 0, 1
	good := func(spec models.Spec) examples { return examples{spec: spec, count: 5, time: 3} }
	damaged := func(spec models.Spec, damage func(*datasets.Batch)) examples {
		e := good(spec)
		e.damage = damage
		return e
	}
	for _, test := range []struct {
		spec   models.Spec
		source datasets.Source
		opts   Options
		want   string
	}{
		{floats, good(floats), Options{Epochs: -1}, "Epochs is -1"},
		{floats, good(floats), Options{Batch: -1}, "Batch is -1"},
		{floats, good(floats), Options{LearningRate: -1}, "LearningRate is -1"},
		{floats, good(floats), Options{LearningRate: math.NaN()}, "LearningRate is NaN"},
		{floats, good(floats), Options{LearningRate: math.Inf(1)}, "LearningRate is +Inf"},
		{floats, good(floats), Options{Threads: -1}, "Threads is -1"},
		{floats, examples{spec: floats, time: 3}, Options{}, "train.Len() is 0: it must be 1 or more"},
		{floats, nil, Options{}, "train is nil"},
		{floats, examples{spec: floats, count: 5}, Options{}, "batch.Time is 0: it must be 1 or more"},
		{floats, damaged(floats, func(b *datasets.Batch) { b.Inputs = b.Inputs[1:] }), Options{}, "batch.Inputs is of length 14: it must be of length 15"},
		{
			floats, damaged(floats, func(b *datasets.Batch) { b.Targets = b.Targets[1:] }), Options{},
			"batch.Targets is of length 9: it must be of length 10",
		},
		{
			all, damaged(all, func(b *datasets.Batch) { b.Targets = b.Targets[:15] }), Options{},
			"batch.Targets is of length 15: it must be of length 45",
		},
		{floats, fixed(datasets.Batch{Size: 7}), Options{Batch: 4}, "read 7 examples when asked for 4"},
		{tokens, damaged(tokens, func(b *datasets.Batch) { b.Tokens = b.Tokens[1:] }), Options{}, "batch.Tokens is of length 14: it must be of length 15"},
		{tokens, damaged(tokens, func(b *datasets.Batch) { b.Tokens[4] = 5 }), Options{}, "batch.Tokens[4] is 5: it must be from 0 to 4, the tokens of the model (step 1 of example 1)"},
		{tokens, damaged(tokens, func(b *datasets.Batch) { b.Tokens[0] = -1 }), Options{}, "batch.Tokens[0] is -1: it must be from 0 to 4"},
	} {
		_, err := Fit(t.Context(), newModel(t, test.spec), test.source, nil, test.opts)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("the error is %v, not %q", err, test.want)
		}
	}
}

func BenchmarkSineEpoch(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			m, train, test := sine(b, 0)
			for b.Loop() {
				if _, err := Fit(b.Context(), m, train, test, Options{Epochs: 1, Threads: threads}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
