package infer_test

import (
	"context"
	_ "embed"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

//go:embed testdata/trend.onnx
var trendModel []byte // written by testdata/train.go

// echo is an engine whose models answer with the first outputs of the first
// steps of a sequence: a value each, or for tokens the token's number.
type echo struct {
	fake
	outputs int
	batches *[]int // of each run
	scale   float32
}

func (e *echo) Open([]byte) (engine.Session, error) { return e, nil }

func (e *echo) Inputs() []tensor.Info {
	in := tensor.Info{
		Name: "input", Type: tensor.Float32,
		Shape: []tensor.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: e.meta.Spec.Features}},
	}
	if e.meta.Spec.Vocabulary > 0 {
		in.Type, in.Shape = tensor.Int64, in.Shape[:2]
	}
	return []tensor.Info{in}
}

func (e *echo) Run(ctx context.Context, inputs map[string]tensor.Tensor, _ ...string) (map[string]tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := engine.CheckInputs(e.Inputs(), inputs); err != nil {
		return nil, err
	}
	in := inputs["input"]
	batch, width := in.Shape[0], in.Len()/in.Shape[0]
	var y []float32
	for b := range batch {
		for i := range e.outputs {
			if values, ok := in.Data.([]float32); ok {
				y = append(y, e.scale*values[b*width+i%width])
			} else {
				y = append(y, e.scale*float32(in.Data.([]int64)[b*width+i%width]))
			}
		}
	}
	if e.batches != nil {
		*e.batches = append(*e.batches, batch)
	}
	return map[string]tensor.Tensor{"output": tensor.Of(y, batch, e.outputs)}, nil
}

// classes returns an engine whose models have those classes and features, or for
// 0 features 10 tokens.
func classes(features int, labels ...string) *echo {
	meta := &models.Metadata{
		Task:   models.Classify,
		Spec:   models.Spec{Cell: models.RNN, Features: features, Hidden: 1, Layers: 1, Readout: models.ReadLast, Outputs: len(labels)},
		Labels: labels,
	}
	if features == 0 {
		meta.Spec.Vocabulary, meta.Spec.Embedding = 10, 1
	}
	if len(labels) == 2 {
		meta.Spec.Outputs = 1
	}
	return &echo{fake: fake{meta: meta}, outputs: meta.Spec.Outputs, scale: 1}
}

func classifier(t *testing.T, e engine.Engine) *infer.Classifier {
	t.Helper()
	m, err := infer.OpenBytes(trendModel, infer.With(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := infer.NewClassifier(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func series(values ...float32) tensor.Tensor { return tensor.Of(values, len(values), 1) }

func tokens(values ...int64) tensor.Tensor { return tensor.Of(values, len(values)) }

// TestProbabilities compares with values by hand: e^1, e^2 and e^3 are 2.718,
// 7.389 and 20.086, and the sigmoid of log 3 is 3/4.
func TestProbabilities(t *testing.T) {
	log3 := float32(math.Log(3))
	for _, test := range []struct {
		engine   *echo
		sequence tensor.Tensor
		want     []float64
	}{
		{classes(1, "a", "b", "c"), series(1, 2, 3), []float64{0.0900306, 0.2447285, 0.6652410}},
		{classes(1, "a", "b", "c"), series(-1e38, 3e38, 0, 7), []float64{0, 1, 0}},
		{classes(2, "a", "b", "c", "d"), tensor.Of([]float32{5, 5, 5, 5}, 2, 2), []float64{0.25, 0.25, 0.25, 0.25}},
		{classes(1, "no", "yes"), series(log3), []float64{0.25, 0.75}},
		{classes(1, "no", "yes"), series(-log3, 9), []float64{0.75, 0.25}},
		{classes(1, "no", "yes"), series(-800), []float64{1, 0}},
		{classes(1, "no", "yes"), series(800), []float64{0, 1}},
		{classes(0, "no", "yes"), tokens(0, 9), []float64{0.5, 0.5}},
		{classes(0, "a", "b", "c"), tokens(9, 0, 9, 3), []float64{0.49996915, 0.0000617, 0.49996915}},
	} {
		got, err := classifier(t, test.engine).Classify(t.Context(), test.sequence)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, test.want, func(a, b float64) bool { return math.Abs(a-b) <= 1e-7 }) {
			t.Errorf("%v: %v, not %v", test.sequence, got, test.want)
		}
	}
}

// TestClassifyBatch mixes lengths: every sequence keeps its place, and those of
// one length go together.
func TestClassifyBatch(t *testing.T) {
	var batches []int
	e := classes(1, "no", "yes")
	e.batches = &batches
	c := classifier(t, e)
	rng := rand.New(rand.NewPCG(3, 4))
	var sequences []tensor.Tensor
	for range 300 {
		values := make([]float32, 1+rng.IntN(3))
		for i := range values {
			values[i] = float32(rng.NormFloat64())
		}
		sequences = append(sequences, series(values...))
	}
	got, err := c.ClassifyBatch(t.Context(), sequences)
	if err != nil || len(got) != len(sequences) {
		t.Fatal(len(got), err)
	}
	if len(batches) > 3*3 {
		t.Errorf("the batches have %v sequences", batches)
	}
	for i, s := range sequences {
		want, err := c.Classify(t.Context(), s)
		if err != nil || !slices.Equal(got[i], want) {
			t.Errorf("sequence %d: %v, alone %v (%v)", i, got[i], want, err)
		}
	}
	if got, err := c.ClassifyBatch(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no sequences: %v, %v", got, err)
	}
}

// TestClassifierOfAnyModel compares with what the model answers to the whole.
func TestClassifierOfAnyModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, meta := range []models.Metadata{
		{
			Spec: models.Spec{
				Cell: models.RNN, Vocabulary: 10, Embedding: 8, Hidden: 16, Layers: 1, Bidirectional: true,
				Readout: models.ReadFinal, Outputs: 1,
			},
			Labels: []string{"no", "yes"},
		},
		{
			Spec:   models.Spec{Cell: models.LSTM, Features: 3, Hidden: 5, Layers: 2, Readout: models.ReadMean, Outputs: 4},
			Labels: []string{"a", "b", "c", "d"},
		},
		{Spec: models.Spec{Cell: models.GRU, Features: 1, Hidden: 4, Layers: 1, Readout: models.ReadMax, Outputs: 2}, Labels: []string{"a", "b"}},
	} {
		meta.Task = models.Classify
		m, err := models.New(meta, 1)
		if err != nil {
			t.Fatal(err)
		}
		data, err := export.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		model, err := infer.OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		c, err := infer.NewClassifier(model)
		if err != nil {
			t.Fatal(err)
		}
		var sequences []tensor.Tensor
		for range 9 {
			n := 1 + rng.IntN(6)
			if meta.Spec.Vocabulary > 0 {
				s := make([]int64, n)
				for i := range s {
					s[i] = rng.Int64N(10)
				}
				sequences = append(sequences, tokens(s...))
				continue
			}
			s := make([]float32, n*meta.Spec.Features)
			for i := range s {
				s[i] = float32(rng.NormFloat64())
			}
			sequences = append(sequences, tensor.Of(s, n, meta.Spec.Features))
		}
		got, err := c.ClassifyBatch(t.Context(), sequences)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range sequences {
			one := tensor.Tensor{Shape: append([]int{1}, s.Shape...), Data: s.Data}
			results, err := model.Run(t.Context(), map[string]tensor.Tensor{"input": one}, "output")
			if err != nil {
				t.Fatal(err)
			}
			logits := results["output"].Data.([]float32)
			want := make([]float64, len(c.Labels()))
			if len(logits) == 1 {
				want[1] = 1 / (1 + math.Exp(-float64(logits[0])))
				want[0] = 1 - want[1]
			} else {
				sum := 0.0
				for _, z := range logits {
					sum += math.Exp(float64(z))
				}
				for k, z := range logits {
					want[k] = math.Exp(float64(z)) / sum
				}
			}
			if !slices.EqualFunc(got[i], want, func(a, b float64) bool { return math.Abs(a-b) <= 1e-6 }) {
				t.Errorf("%s, sequence %d: %v, not %v", meta.Spec.Readout, i, got[i], want)
			}
		}
	}
}

func TestClassifyErrors(t *testing.T) {
	nan := float32(math.NaN())
	for want, test := range map[string]struct {
		engine   *echo
		sequence tensor.Tensor
	}{
		" is float32 of shape [0 1]: it must be of one step or more": {classes(1, "a", "b"), series()},
		" is int64 of shape [0]: it must be of one step or more":     {classes(0, "a", "b"), tokens()},
		"[1][0] is NaN: it must be finite as a float32":              {classes(1, "a", "b"), series(1, nan)},
		"[0][1] is +Inf: it must be finite as a float32":             {classes(2, "a", "b"), tensor.Of([]float32{1, float32(math.Inf(1))}, 1, 2)},
		"[1] is -1: it must be a token of the model, from 0 to 9":    {classes(0, "a", "b"), tokens(3, -1)},
		"[2] is 10: it must be a token of the model, from 0 to 9":    {classes(0, "a", "b"), tokens(3, 1, 10)},
		" is int64 of shape [2]: it must be float32 [time, 1]":       {classes(1, "a", "b"), tokens(1, 2)},
		" is float32 of shape [2 1]: it must be float32 [time, 3]":   {classes(3, "a", "b"), series(1, 2)},
		" is float32 of shape [2 1]: it must be int64 [time]":        {classes(0, "a", "b"), series(1, 2)},
		" is int64 of shape [1 2]: it must be int64 [time]":          {classes(0, "a", "b"), tensor.Of([]int64{1, 2}, 1, 2)},
		" is float32 of shape [5 1] and 1 elements: it must be of a shape that its Data fills": {
			classes(1, "a", "b"), tensor.Tensor{Shape: []int{5, 1}, Data: []float32{1}},
		},
		" is undefined of shape [] and 0 elements: it must be of a shape": {classes(1, "a", "b"), tensor.Tensor{}},
	} {
		c := classifier(t, test.engine)
		_, err := c.Classify(t.Context(), test.sequence)
		checkField(t, err, "sequence"+want)
		_, err = c.ClassifyBatch(t.Context(), []tensor.Tensor{test.sequence})
		checkField(t, err, "sequences[0]"+want)
	}
	_, err := classifier(t, classes(1, "a", "b")).ClassifyBatch(t.Context(), []tensor.Tensor{series(1), series(nan)})
	checkField(t, err, "sequences[1][0][0] is NaN")
}

// TestClassifyAnswerErrors has models that answer what they must not: that is no fault of
// the sequence.
func TestClassifyAnswerErrors(t *testing.T) {
	unfit := classes(1, "a", "b", "c")
	unfit.outputs = 2
	diverged := classes(1, "no", "yes")
	diverged.scale = float32(math.NaN())
	for want, test := range map[string]struct {
		engine   *echo
		sequence tensor.Tensor
	}{
		"[1 2] for 1 sequences, not output \"output\" [batch, 3]": {unfit, series(1)},
		"the model answers [NaN]":                                 {diverged, series(1)},
	} {
		c := classifier(t, test.engine)
		p, err := c.Classify(t.Context(), test.sequence)
		if field := (*models.FieldError)(nil); p != nil || err == nil || !strings.Contains(err.Error(), want) || errors.As(err, &field) {
			t.Errorf("%v and %v, not %q", p, err, want)
		}
		ps, err := c.ClassifyBatch(t.Context(), []tensor.Tensor{test.sequence})
		if ps != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("batch: %v and %v, not %q", ps, err, want)
		}
	}
}

func TestNewClassifierErrors(t *testing.T) {
	for want, change := range map[string]func(*echo){
		"no rnnkit metadata":                 func(e *echo) { e.meta = nil },
		`task is "forecast", not "classify"`: func(e *echo) { e.meta.Task = models.Forecast },
		"names 0 classes":                    func(e *echo) { e.meta.Labels = nil },
		"names 1 classes":                    func(e *echo) { e.meta.Labels, e.meta.Spec.Outputs = []string{"a"}, 1 },
		`at every step (readout "all")`:      func(e *echo) { e.meta.Spec.Readout = models.ReadAll },
	} {
		e := classes(1, "a", "b")
		change(e)
		var fitting engine.Engine = e
		if e.meta == nil {
			fitting = &fake{}
		}
		m, err := infer.OpenBytes(nil, infer.With(fitting))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := infer.NewClassifier(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
	unfit := &fake{meta: classes(3, "a", "b").meta} // which takes one value a step
	m, err := infer.OpenBytes(nil, infer.With(unfit))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := infer.NewClassifier(m); err == nil || !strings.Contains(err.Error(), "the model has the input input float32[batch, time, 1], where") {
		t.Errorf("the error is %v", err)
	}
}

func TestClassifierIsSafeForConcurrentUse(t *testing.T) {
	m, err := infer.OpenBytes(trendModel)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := infer.NewClassifier(m)
	if err != nil {
		t.Fatal(err)
	}
	sequences := []tensor.Tensor{series(1, 2, 3, 4), series(5, 1), series(0, 0, 0, 0)}
	want, err := c.ClassifyBatch(t.Context(), sequences)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := c.ClassifyBatch(t.Context(), sequences)
			if err != nil || !slices.EqualFunc(got, want, slices.Equal[[]float64]) {
				t.Errorf("beside others: %v, %v", got, err)
			}
		})
	}
	wg.Wait()
}
