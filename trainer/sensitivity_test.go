package trainer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// TestInputGradients compares with central differences of the loss of each example.
// There are more examples than in a shard, of different lengths.
func TestInputGradients(t *testing.T) {
	const size, time = 18, 5
	for _, spec := range []models.Spec{
		{Cell: models.LSTM, Features: 2, Hidden: 4, Layers: 2, Dropout: 0.5, Bidirectional: true, Readout: models.ReadMean, Outputs: 1},
		{Cell: models.GRU, Features: 2, Hidden: 3, Layers: 1, Readout: models.ReadLast, Outputs: 1},
	} {
		m := newModel(t, spec)
		m.InputScale = &models.Scale{Mean: []float32{0.5, -1}, Std: []float32{2, 4}}
		rng := rand.New(rand.NewPCG(5, 6))
		b := &datasets.Batch{Size: size, Time: time}
		for range size {
			b.Lengths = append(b.Lengths, 1+rng.IntN(time))
			b.Targets = append(b.Targets, float32(rng.IntN(2)))
		}
		for range size * time * 2 {
			b.Inputs = append(b.Inputs, float32(rng.NormFloat64()))
		}
		got, err := InputGradients(m, b, BinaryCrossEntropy())
		if err != nil {
			t.Fatal(err)
		}
		loss := func(example int) float64 {
			params := models.NewParams[float64](spec)
			kernels.Convert(params.Data, m.Params.Data)
			p, err := newRunner(&m.Metadata, params, BinaryCrossEntropy(), 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			p.batch = datasets.Batch{
				Size: 1, Time: time, Lengths: b.Lengths[example:][:1], Inputs: b.Inputs[example*time*2:][:time*2],
				Targets: b.Targets[example:][:1],
			}
			if err := p.checkTargets(); err != nil {
				t.Fatal(err)
			}
			return p.run(evaluating, 0)
		}
		for i, g := range got {
			const h = 1.0 / 128
			x := b.Inputs[i]
			b.Inputs[i] = x + h
			above := float64(b.Inputs[i])
			up := loss(i / (time * 2))
			b.Inputs[i] = x - h
			below := float64(b.Inputs[i])
			down := loss(i / (time * 2))
			b.Inputs[i] = x
			want := (up - down) / (above - below) * float64(m.InputScale.Std[i%2])
			if !(math.Abs(g-want) <= 1e-5) {
				t.Errorf("%s, value %d: gradient %g, central difference %g", spec.Cell, i, g, want)
			}
		}
	}
}

func TestInputGradientsOfTokens(t *testing.T) {
	spec := models.Spec{Cell: models.RNN, Vocabulary: 5, Embedding: 3, Hidden: 4, Layers: 1, Readout: models.ReadAll, Outputs: 5}
	m := newModel(t, spec)
	b := &datasets.Batch{Size: 2, Time: 3, Tokens: []int64{0, 1, 2, 3, 4, 0}, Labels: []int64{1, 2, 3, 4, 0, datasets.Ignore}}
	got, err := InputGradients(m, b, CrossEntropy{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2*3*3 || slices.Contains(got[:15], 0) || slices.ContainsFunc(got[15:], func(v float64) bool { return v != 0 }) {
		t.Errorf("%v", got)
	}
	if _, err := InputGradients(m, b, nil); err == nil {
		t.Error("no loss is taken for one")
	}
	b.Labels[0] = 5
	if _, err := InputGradients(m, b, CrossEntropy{}); err == nil {
		t.Error("a label that the model does not know is taken")
	}
	b.Tokens[0] = 5
	if _, err := InputGradients(m, b, CrossEntropy{}); err == nil {
		t.Error("a token that the model does not know is taken")
	}
}

// TestAccuracy counts the rows that Predict classifies correctly, over several batches
// and shards.
func TestAccuracy(t *testing.T) {
	for _, test := range []struct {
		outputs int
		loss    Loss
		want    bool
	}{{1, BinaryCrossEntropy(), true}, {3, CrossEntropy{}, true}, {1, MSE(), false}} {
		m := newModel(t, models.Spec{Cell: models.RNN, Features: 1, Hidden: 6, Layers: 1, Readout: models.ReadLast, Outputs: test.outputs})
		m.Params.Head.B[0] += 0.3 // answers on both sides of 0, and near it
		data := datasets.Echo(301, 4, 2)
		data.AsTargets = test.outputs == 1
		for i := range data.Labels {
			data.Labels[i] = (data.Labels[i] + int64(data.Inputs[i][3])) % int64(max(2, test.outputs))
		}
		history, err := Fit(t.Context(), m, data, data, Options{Epochs: 1, Loss: test.loss})
		if err != nil {
			t.Fatal(err)
		}
		var b datasets.Batch
		all := make([]int, data.Len())
		for i := range all {
			all[i] = i
		}
		if err := data.Read(&b, all); err != nil {
			t.Fatal(err)
		}
		answers, err := Predict(m, &b)
		if err != nil {
			t.Fatal(err)
		}
		right := 0.0
		for i, label := range data.Labels {
			row := answers[i*test.outputs:][:test.outputs]
			taken := slices.Index(row, slices.Max(row))
			if test.outputs == 1 && row[0] > 0 {
				taken = 1
			}
			if taken == int(label) {
				right++
			}
		}
		want := right / float64(len(all))
		if !test.want {
			want = 0
		} else if want == 0 || want == 1 {
			t.Fatalf("%d outputs: accuracy %g proves nothing", test.outputs, want)
		}
		if got := history[0].TestAccuracy; got != want {
			t.Errorf("%d outputs, %s: accuracy %g, not %g", test.outputs, test.loss, got, want)
		}
	}
}

// TestAccuracyOfTies gives all classes the same output: the first one counts.
func TestAccuracyOfTies(t *testing.T) {
	m, data := threeClasses(t)
	clear(m.Params.Head.W)
	copy(m.Params.Head.B, []float32{1, 1, 1}) // which a tiny step leaves alone
	history, err := Fit(t.Context(), m, data, data, Options{Epochs: 1, Loss: CrossEntropy{}, LearningRate: 1e-30})
	if err != nil || history[0].TestAccuracy != 1.0/3 {
		t.Errorf("the accuracy is not a third: %+v, %v", history, err)
	}
}

// TestAccuracyCountsClassesOfNoWeight tests on batches of 16, of which the first has
// only a class with weight 0.
func TestAccuracyCountsClassesOfNoWeight(t *testing.T) {
	m, data := threeClasses(t)
	slices.Sort(data.Labels)
	m.Params.Head.B[0] = 100 // says 0 always
	history, err := Fit(t.Context(), m, data, data, Options{
		Epochs: 1, Batch: 16, Loss: CrossEntropy{Weights: []float64{0, 1, 1}, Smoothing: 0.1}, LearningRate: 1e-30,
	})
	if err != nil || history[0].TestAccuracy != 1.0/3 {
		t.Errorf("the accuracy is not a third: %+v, %v", history, err)
	}
}

// threeClasses returns a model and 48 sequences with the labels 0, 1, 2, 0 and so on.
func threeClasses(t *testing.T) (*models.Model, *datasets.Sequences) {
	t.Helper()
	data := datasets.Echo(48, 4, 2)
	for i := range data.Labels {
		data.Labels[i] = int64(i % 3)
	}
	return newModel(t, models.Spec{Cell: models.RNN, Features: 1, Hidden: 6, Layers: 1, Readout: models.ReadLast, Outputs: 3}), data
}
