package trainer

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// recorded is a Source that records the order in which its examples are read.
type recorded struct {
	examples
	order *[]int
}

func (r recorded) Read(b *datasets.Batch, indexes []int) error {
	*r.order = append(*r.order, indexes...)
	return r.examples.Read(b, indexes)
}

func TestEveryEpochIsShuffled(t *testing.T) {
	const count, epochs = 83, 3
	spec := testSpecs()[0]
	inOrder := firstExamples(count)
	for _, noShuffle := range []bool{false, true} {
		var order []int
		train := recorded{examples{spec: spec, count: count, time: 2}, &order}
		if _, err := Fit(t.Context(), newModel(t, spec), train, train.examples, Options{Epochs: epochs, NoShuffle: noShuffle}); err != nil {
			t.Fatal(err)
		}
		var before []int
		for epoch := range slices.Chunk(order, count) {
			if slices.Equal(epoch, inOrder) != noShuffle {
				t.Errorf("NoShuffle %t: an epoch has the order %v", noShuffle, epoch)
			}
			if !noShuffle && slices.Equal(epoch, before) {
				t.Error("an epoch has the order of the one before")
			}
			if sorted := slices.Sorted(slices.Values(epoch)); !slices.Equal(sorted, inOrder) {
				t.Errorf("NoShuffle %t: an epoch has the examples %v", noShuffle, sorted)
			}
			before = epoch
		}
		if len(order) != count*epochs {
			t.Errorf("%d examples were read, not %d", len(order), count*epochs)
		}
	}
}

func TestDropout(t *testing.T) {
	spec := models.Spec{Cell: models.RNN, Features: 1, Hidden: 50, Layers: 2, Dropout: 0.2, Readout: models.ReadLast, Outputs: 1}
	source := examples{spec: spec, count: 32, time: 20}
	m := newModel(t, spec)
	p := testRunner(t, m, 1, 1)
	defer p.close()
	if err := p.read(source, firstExamples(32)); err != nil {
		t.Fatal(err)
	}
	p.run(training, 0)
	first, second := slices.Clone(p.shards[0].recurrent.layers[0].mask), p.shards[1].recurrent.layers[0].mask
	dropped := 0
	for _, k := range first {
		if k == 0 {
			dropped++
		} else if k != 1.25 {
			t.Fatalf("what is kept is multiplied by %g, not 1/(1-0.2)", k)
		}
	}
	n := float64(len(first)) // 16,000 values: the deviation of the rate is 0.003
	if rate := float64(dropped) / n; !(math.Abs(rate-0.2) < 0.015) {
		t.Errorf("%g of the values are dropped, not 0.2", rate)
	}
	if slices.Equal(first, second) {
		t.Error("two shards drop the same values")
	}
	p.run(training, 1)
	if slices.Equal(first, p.shards[0].recurrent.layers[0].mask) {
		t.Error("two updates drop the same values")
	}

	// Nothing is dropped when a loss is measured.
	without := *m
	without.Spec.Dropout = 0
	q := testRunner(t, &without, 1, 1)
	defer q.close()
	if err := q.read(source, firstExamples(32)); err != nil {
		t.Fatal(err)
	}
	if got, want := p.run(evaluating, 0), q.run(evaluating, 0); got != want {
		t.Errorf("the loss is %g with dropout, %g without", got, want)
	}
}

// TestDropoutOfALargeBatch compares the dropout of the examples from 65,536 on with
// that of the first examples in the next update. They must differ.
func TestDropoutOfALargeBatch(t *testing.T) {
	spec := models.Spec{Cell: models.RNN, Features: 1, Hidden: 3, Layers: 2, Dropout: 0.5, Readout: models.ReadLast, Outputs: 1}
	const far = 1 << 16
	p := testRunner(t, newModel(t, spec), 7, 1)
	defer p.close()
	p.batch = datasets.Batch{Size: far + 32, Time: 1, Inputs: make([]float32, far+32), Targets: make([]float32, far+32)}
	p.run(training, 0)
	kept := slices.Clone(p.shards[far/p.shardSize].recurrent.layers[0].mask)
	p.run(training, 1)
	if slices.Equal(kept, p.shards[0].recurrent.layers[0].mask) {
		t.Error("they drop the same values")
	}
}

// TestLossIsInScaledUnits compares the losses with the outputs of Predict.
func TestLossIsInScaledUnits(t *testing.T) {
	for _, spec := range testSpecs() {
		spec.Dropout = 0
		m := newModel(t, spec)
		m.OutputScale = &models.Scale{Mean: []float32{100, -7, 0}[:spec.Outputs], Std: []float32{10, 0.5, 3}[:spec.Outputs]}
		source := examples{spec: spec, count: 37, time: 4}
		var all datasets.Batch
		if err := source.Read(&all, firstExamples(37)); err != nil {
			t.Fatal(err)
		}
		answers, err := Predict(m, &all)
		if err != nil {
			t.Fatal(err)
		}
		var want float64
		for i, y := range answers {
			d := float64(y-all.Targets[i]) / float64(m.OutputScale.Std[i%spec.Outputs])
			want += d * d / float64(len(answers))
		}
		history, err := Fit(t.Context(), m, source, source, Options{Epochs: 1, LearningRate: 1e-30})
		if err != nil {
			t.Fatal(err)
		}
		if e := history[0]; !(math.Abs(e.TrainLoss-want) <= 1e-4*want) || !(math.Abs(e.TestLoss-want) <= 1e-4*want) {
			t.Errorf("%s: the losses are %g and %g, not %g", spec.Cell, e.TrainLoss, e.TestLoss, want)
		}
	}
}

// TestShardsAddUpToTheBatch compares the gradient of a batch with the mean of the
// gradients of its examples.
func TestShardsAddUpToTheBatch(t *testing.T) {
	for _, spec := range testSpecs() {
		spec.Dropout = 0
		m := newModel(t, spec)
		source := examples{spec: spec, count: 37, time: 4}
		gradient := func(examples ...int) []float32 {
			p := testRunner(t, m, 0, 1)
			defer p.close()
			if err := p.read(source, examples); err != nil {
				t.Fatal(err)
			}
			p.run(training, 0)
			sum := make([]float32, len(m.Params.Data))
			for _, s := range p.active() {
				for i, g := range s.grads.Data {
					sum[i] += g
				}
			}
			return sum
		}
		want := make([]float64, len(m.Params.Data))
		for e := range 37 {
			for i, g := range gradient(e) {
				want[i] += float64(g) / 37
			}
		}
		for i, g := range gradient(firstExamples(37)...) {
			if !(math.Abs(float64(g)-want[i]) <= 1e-6) {
				t.Fatalf("%s: gradient %d of the batch is %g, the mean of the examples' %g", spec.Cell, i, g, want[i])
			}
		}
	}
}

// TestUpdateIsAdam compares some updates with algorithm 1 of Kingma and Ba, in float64.
func TestUpdateIsAdam(t *testing.T) {
	spec := models.Spec{Cell: models.RNN, Features: 1, Hidden: 1, Layers: 1, Readout: models.ReadLast, Outputs: 1}
	m := newModel(t, spec)
	source := examples{spec: spec, count: 20, time: 1}
	f := testFit(t, m, source, Options{LearningRate: 0.01, Threads: 1})
	if err := f.read(source, firstExamples(20)); err != nil {
		t.Fatal(err)
	}
	f.runner.run(training, 0)
	want, mean, square := float64(m.Params.Data[0]), 0.0, 0.0
	for step := 1; step <= 5; step++ {
		var g float64
		for i, s := range f.active() {
			s.grads.Data[0] = float32(step*step)/4 - float32(i)
			g += float64(s.grads.Data[0])
		}
		if err := f.update(1, step, 0); err != nil {
			t.Fatal(err)
		}
		mean, square = 0.9*mean+0.1*g, 0.999*square+0.001*g*g
		k := float64(step)
		want -= 0.01 * mean / (1 - math.Pow(0.9, k)) / (math.Sqrt(square/(1-math.Pow(0.999, k))) + 1e-8)
		if got := float64(m.Params.Data[0]); !(math.Abs(got-want) <= 1e-6) {
			t.Errorf("after update %d: %g, not %g", step, got, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	got, err := Options{}.withDefaults(testSpecs()[0])
	got.Loss = nil // a function
	want := Options{
		MedianWeight: 1, Epochs: 15, Batch: 32, Patience: math.MaxInt, CheckpointEvery: 30 * time.Second, LearningRate: 1e-3, Threads: runtime.GOMAXPROCS(0),
		Optimizer: Optimizer{Method: Adam, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
		Schedule:  Schedule{Shape: Constant, Every: 10, Gamma: 0.1, Patience: 10},
	}
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("the defaults are %+v (%v), not %+v", got, err, want)
	}
}

// TestDivergedFitHasTheParametersOfTheLastEpoch puts a NaN into a batch of the first,
// the second or the fourth epoch.
func TestDivergedFitHasTheParametersOfTheLastEpoch(t *testing.T) {
	for _, epochs := range []int{0, 1, 3} {
		m, train, test := sine(t, 0)
		batches := 24*epochs + 3
		want := slices.Clone(m.Params.Data)
		history, err := Fit(t.Context(), m, spoiled{train, &batches}, test, Options{LearningRate: 0.01, OnEpoch: func(Epoch) {
			want = slices.Clone(m.Params.Data)
		}})
		if !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "the loss is NaN") || len(history) != epochs {
			t.Fatalf("%d epochs: %+v (%v)", epochs, history, err)
		}
		if !slices.Equal(m.Params.Data, want) {
			t.Errorf("after %d epochs: other parameters than those of the last", epochs)
		}
	}
}

// TestLossOfTestsThatIsNotFinite puts a NaN into the examples to test or to validate
// on.
func TestLossOfTestsThatIsNotFinite(t *testing.T) {
	for _, validation := range []bool{false, true} {
		m, train, test := sine(t, 0)
		tests := 1 + 12 // the first batch before training, and the six batches of an epoch twice
		opts := Options{LearningRate: 0.01}
		var measured datasets.Source = spoiled{test, &tests}
		if validation {
			opts.Validation, measured = measured, test
		}
		var want []float32
		opts.OnEpoch = func(Epoch) { want = slices.Clone(m.Params.Data) }
		history, err := Fit(t.Context(), m, train, measured, opts)
		if !errors.Is(err, ErrDiverged) || len(history) != 2 || !slices.Equal(m.Params.Data, want) {
			t.Errorf("validation %v: %+v (%v), or other parameters than of the last epoch", validation, history, err)
		}
	}
}

// TestValidationChooses uses examples for Patience and Plateau that differ from those
// of the test.
func TestValidationChooses(t *testing.T) {
	m, train, test := sine(t, 0)
	// What is learned makes the loss of random values worse sooner or later.
	random := examples{spec: m.Spec, count: 33, time: 5}
	opts := Options{Epochs: 30, LearningRate: 0.02, Patience: 4}
	byTest, err := Fit(t.Context(), m, train, random, opts)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(m.Params.Data)

	if m, err = models.New(m.Metadata, 0); err != nil {
		t.Fatal(err)
	}
	opts.Validation = random
	history, err := Fit(t.Context(), m, train, test, opts)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(history); n != len(byTest) || n == opts.Epochs {
		t.Fatalf("%d of %d epochs, where the same examples as a test gave %d", n, opts.Epochs, len(byTest))
	}
	if !slices.Equal(m.Params.Data, want) {
		t.Error("the parameters are not those where the same examples are the test")
	}
	for i, e := range history {
		if e.ValidationLoss != byTest[i].TestLoss || e.TestLoss == e.ValidationLoss {
			t.Errorf("epoch %d: %+v, not %+v", i+1, e, byTest[i])
		}
	}
	if _, err := Fit(t.Context(), m, train, nil, opts); err != nil {
		t.Errorf("without test examples: %v", err)
	}
	opts.Validation = &datasets.Sequences{}
	if _, err := Fit(t.Context(), m, train, test, opts); err == nil {
		t.Error("no error without examples to choose by")
	}
}

// TestPredictExact compares outputs in float64 with those in float32, and with those of
// an input that differs by less than float32 can tell.
func TestPredictExact(t *testing.T) {
	for _, spec := range testSpecs() {
		m := newModel(t, spec)
		if spec.Vocabulary == 0 {
			m.InputScale = &models.Scale{Mean: make([]float32, spec.Features), Std: slices.Repeat([]float32{3}, spec.Features)}
		}
		m.OutputScale = &models.Scale{Mean: slices.Repeat([]float32{2}, spec.Outputs), Std: slices.Repeat([]float32{7}, spec.Outputs)}
		var b datasets.Batch
		if err := (examples{spec: spec, count: 5, time: 4}).Read(&b, []int{3, 0, 4}); err != nil {
			t.Fatal(err)
		}
		rounded, err := Predict(m, &b)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := PredictExact(m, &b)
		if err != nil || len(exact) != len(rounded) {
			t.Fatalf("%d answers, not %d (%v)", len(exact), len(rounded), err)
		}
		differ := 0
		for i, v := range exact {
			if !(math.Abs(v-float64(rounded[i])) <= 1e-5) {
				t.Errorf("answer %d is %g, not %g", i, v, rounded[i])
			}
			if v != float64(float32(v)) {
				differ++
			}
		}
		if differ == 0 {
			t.Error("all answers are float32")
		}
	}
	if _, err := PredictExact(&models.Model{}, &datasets.Batch{}); err == nil {
		t.Error("no error for no model")
	}
}

func TestProgressAddsUp(t *testing.T) {
	spec := testSpecs()[0]
	source := examples{spec: spec, count: 37, time: 4}
	var sum float64
	var seen []string
	history, err := Fit(t.Context(), newModel(t, spec), source, source, Options{Epochs: 1, Batch: 16, OnBatch: func(p Progress) {
		sum += p.Loss * float64(min(16, 37-16*(p.Batch-1)))
		seen = append(seen, fmt.Sprintf("%d/%d %d/%d", p.Epoch, p.Epochs, p.Batch, p.Batches))
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := history[0].TrainLoss; !(math.Abs(sum/37-want) <= 1e-12*want) {
		t.Errorf("the batches' losses come to %g, the epoch's is %g", sum/37, want)
	}
	if want := []string{"1/1 1/3", "1/1 2/3", "1/1 3/3"}; !slices.Equal(seen, want) {
		t.Errorf("progress %v, not %v", seen, want)
	}
	if !(history[0].Seconds > 0 || testenv.CoarseClock) {
		t.Errorf("the epoch took %g s", history[0].Seconds)
	}
}

// sized is a Source that records the size of the largest batch that is read.
type sized struct {
	examples
	largest *int
}

func (s sized) Read(b *datasets.Batch, indexes []int) error {
	*s.largest = max(*s.largest, len(indexes))
	return s.examples.Read(b, indexes)
}

// TestTestsTakeNoLargerBatches checks that evaluation does not need much more memory
// than training.
func TestTestsTakeNoLargerBatches(t *testing.T) {
	spec := testSpecs()[0]
	for batch, want := range map[int]int{1: 16, 32: 32, 100: 100, 1000: 256} {
		largest := 0
		test := sized{examples{spec: spec, count: 600, time: 2}, &largest}
		if _, err := Fit(t.Context(), newModel(t, spec), examples{spec: spec, count: 20, time: 2}, test, Options{Epochs: 1, Batch: batch}); err != nil {
			t.Fatal(err)
		}
		if largest != want {
			t.Errorf("batches of %d: the test takes %d examples at once, not %d", batch, largest, want)
		}
	}
}

// TestABatchOfAll trains on all examples at once, with a Batch of their number and
// more, and resumes after such a batch.
func TestABatchOfAll(t *testing.T) {
	spec := testSpecs()[2]
	source := examples{spec: spec, count: 10, time: 3}
	for _, shape := range []Shape{Constant, Cosine, OneCycle} {
		var want []float32
		for _, batch := range []int{10, math.MaxInt} {
			path := filepath.Join(t.TempDir(), "c")
			opts := Options{Epochs: 4, Batch: batch, Schedule: Schedule{Shape: shape}, Checkpoint: path, CheckpointEvery: 1}
			var checkpoint []byte
			opts.OnEpoch = func(e Epoch) {
				if e.Epoch == 2 { // and the checkpoint is from before its test
					checkpoint, _ = os.ReadFile(path)
				}
			}
			for _, opts.Resume = range []bool{false, true} {
				m := newModel(t, spec)
				if _, err := Fit(t.Context(), m, source, nil, opts); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want = m.Params.Data
				}
				if !slices.Equal(m.Params.Data, want) {
					t.Errorf("%s, batches of %d, resume %t: other parameters than with batches of 10", shape, batch, opts.Resume)
				}
				if err := os.WriteFile(path, checkpoint, 0o666); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestThreads checks that several goroutines run shards, and that none is left after
// Fit, which synctest.Test would report.
func TestThreads(t *testing.T) {
	spec := testSpecs()[0]
	for _, threads := range []int{1, 3} {
		p := testRunner(t, newModel(t, spec), 0, threads)
		p.close()
		if got := p.pool.workers + 1; got != threads {
			t.Errorf("%d threads: the team has %d", threads, got)
		}
		synctest.Test(t, func(t *testing.T) {
			source := examples{spec: spec, count: 37, time: 4}
			if _, err := Fit(t.Context(), newModel(t, spec), source, source, Options{Epochs: 1, Threads: threads}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
