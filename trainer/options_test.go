package trainer

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

func TestOptionErrors(t *testing.T) {
	one, three := models.Forecaster("y", 5).Spec, models.Forecaster("y", 5).Spec
	three.Outputs = 3
	both, averaged := one, one
	both.Bidirectional, averaged.Readout = true, models.ReadMean
	for want, test := range map[string]struct {
		spec models.Spec
		opts Options
	}{
		"Optimizer.Method is": {one, Options{Optimizer: Optimizer{Method: "lion"}}},
		"Optimizer.Nesterov is true: it must be false without a momentum": {
			one, Options{Optimizer: Optimizer{Method: SGD, Nesterov: true}},
		},
		"Optimizer.Momentum is 0.9: it must be 0 for adam": {one, Options{Optimizer: Optimizer{Momentum: 0.9}}},
		"Optimizer.Alpha is 0.9: it must be 0 for sgd": {
			one, Options{Optimizer: Optimizer{Method: SGD, Alpha: 0.9}},
		},
		"Optimizer.Beta2 is 1: it must be at least 0 and less":                           {one, Options{Optimizer: Optimizer{Beta2: 1}}},
		"Optimizer.Epsilon is -1":                                                        {one, Options{Optimizer: Optimizer{Epsilon: -1}}},
		"Optimizer.Epsilon is 1e-46: it must be more than 0 and finite as a float32":     {one, Options{Optimizer: Optimizer{Epsilon: 1e-46}}},
		"Optimizer.WeightDecay is 1e+39: it must be more than 0 and finite as a float32": {one, Options{Optimizer: Optimizer{WeightDecay: 1e39}}},
		"LearningRate is 1e+39: it must be more than 0 and finite as a float32":          {one, Options{LearningRate: 1e39}},
		"LearningRate is 1e-46: it must be more than 0 and finite as a float32":          {one, Options{LearningRate: 1e-46}},
		"Optimizer.WeightDecay is NaN": {
			one, Options{Optimizer: Optimizer{WeightDecay: math.NaN()}},
		},
		"Schedule.Shape is":     {one, Options{Schedule: Schedule{Shape: "zigzag"}}},
		"Schedule.Warmup is -1": {one, Options{Schedule: Schedule{Warmup: -1}}},
		"Schedule.Warmup is 5: it must be 0 for onecycle": {
			one, Options{Schedule: Schedule{Shape: OneCycle, Warmup: 5}},
		},
		"Schedule.Every is 5":    {one, Options{Schedule: Schedule{Shape: Cosine, Every: 5}}},
		"Schedule.Gamma is 1":    {one, Options{Schedule: Schedule{Shape: Step, Gamma: 1}}},
		"Schedule.Patience is 2": {one, Options{Schedule: Schedule{Patience: 2}}},
		"ClipNorm is -1":         {one, Options{ClipNorm: -1}},
		"ClipNorm is NaN":        {one, Options{ClipNorm: math.NaN()}},
		"Patience is -1":         {one, Options{Patience: -1}},
		"Stateful is true: it must be false for a bidirectional model":                     {both, Options{Stateful: true}},
		"Stateful is true: it must be false for the readout mean":                          {averaged, Options{Stateful: true}},
		"Loss.quantiles is of length 0: it must be of length 1 or more":                    {one, Options{Loss: Pinball()}},
		"Loss.quantiles[0] is 1: it must be more than 0 and less than 1":                   {one, Options{Loss: Pinball(1)}},
		"Loss.quantiles is of length 2: it must be of a length that divides the 3 outputs": {three, Options{Loss: Pinball(0.1, 0.9)}},
		"Loss is cross-entropy(weights [], smoothing 0): it must be binary cross-entropy":  {one, Options{Loss: CrossEntropy{}}},
		"Loss.Weights is of length 2: it must be of length 3": {
			three, Options{Loss: CrossEntropy{Weights: []float64{1, 2}}},
		},
		"Loss.Weights[1] is -1":                                    {three, Options{Loss: CrossEntropy{Weights: []float64{1, -1, 1}}}},
		"Loss.Smoothing is 1":                                      {three, Options{Loss: CrossEntropy{Smoothing: 1}}},
		"Loss is *trainer.CrossEntropy":                            {three, Options{Loss: &CrossEntropy{}}},
		"Loss is *trainer.CrossEntropy: it must be a CrossEntropy": {three, Options{Loss: (*CrossEntropy)(nil)}},
		"Loss.delta is 0":                                          {one, Options{Loss: Huber(0)}},
		"Loss.delta is -1":                                         {one, Options{Loss: Huber(-1)}},
		"Loss.delta is NaN":                                        {one, Options{Loss: Huber(math.NaN())}},
		"Loss.delta is 1e-46":                                      {one, Options{Loss: Huber(1e-46)}},
		"Loss is struct":                                           {three, Options{Loss: struct{ Loss }{CrossEntropy{}}}},
	} {
		source := examples{spec: test.spec, count: 4, time: 3}
		_, err := Fit(t.Context(), newModel(t, test.spec), source, source, test.opts)
		var field *models.FieldError
		if !errors.As(err, &field) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
		if described := test.opts.Validate(test.spec); described == nil || described.Error() != err.Error() {
			t.Errorf("Validate returns %v, Fit %v", described, err)
		}
	}
}

func TestBatchErrors(t *testing.T) {
	spec := models.Spec{Cell: models.LSTM, Features: 1, Hidden: 2, Layers: 1, Readout: models.ReadLast, Outputs: 3}
	for want, damage := range map[string]func(*datasets.Batch){
		"batch.Lengths is of length 1: it must be empty or of length 4": func(b *datasets.Batch) { b.Lengths = []int{3} },
		"batch.Lengths[1] is 0: it must be from 1 to the 3":             func(b *datasets.Batch) { b.Lengths = []int{3, 0, 3, 3} },
		"batch.Lengths[1] is 4: it must be from 1 to the 3":             func(b *datasets.Batch) { b.Lengths = []int{3, 4, 3, 3} },
		"batch.H0 is of length 1: it must be of length 8":               func(b *datasets.Batch) { b.H0 = []float32{1} },
		"batch.C0 is of length 0: it must be of length 8":               func(b *datasets.Batch) { b.H0 = make([]float32, 8) },
		"batch.Tokens is of length 3: it must be of length 0":           func(b *datasets.Batch) { b.Tokens = make([]int64, 3) },
		"batch.Labels is of length 3: it must be of length 4":           func(b *datasets.Batch) { b.Labels = b.Labels[:3] },
		"batch.Labels[2] is 3: it must be from 0 to 2":                  func(b *datasets.Batch) { b.Labels[2] = 3 },
		"batch.Labels[1] is -2: it must be from 0 to 2":                 func(b *datasets.Batch) { b.Labels[1] = -2 },
	} {
		source := examples{spec: spec, count: 4, time: 3, damage: func(b *datasets.Batch) {
			b.Targets, b.Labels = nil, []int64{0, 1, 2, datasets.Ignore}
			damage(b)
		}}
		_, err := Fit(t.Context(), newModel(t, spec), source, nil, Options{Loss: CrossEntropy{}})
		if field := (*models.FieldError)(nil); !errors.As(err, &field) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// TestTargetsOfAnotherLoss gives each source examples that do not fit the loss. The
// error names the field before the first update.
func TestTargetsOfAnotherLoss(t *testing.T) {
	spec := models.Spec{Cell: models.LSTM, Features: 1, Hidden: 2, Layers: 1, Readout: models.ReadLast, Outputs: 2}
	values := func(b *datasets.Batch) {}
	labels := func(b *datasets.Batch) { b.Targets, b.Labels = nil, make([]int64, b.Size) }
	everyStep := func(b *datasets.Batch) { b.Targets = make([]float32, 2*b.Size*b.Time) }
	for _, test := range []struct {
		want      string
		loss      Loss
		good, bad func(*datasets.Batch)
	}{
		{"Loss", CrossEntropy{}, labels, values},
		{"Loss", MSE(), values, labels},
		{"m.Spec.Readout", MSE(), values, everyStep},
	} {
		good, bad := examples{spec: spec, count: 4, time: 3, damage: test.good}, examples{spec: spec, count: 4, time: 3, damage: test.bad}
		for name, sources := range map[string][3]datasets.Source{
			"":             {bad, good, nil},
			"test: ":       {good, bad, nil},
			"validation: ": {good, good, bad},
		} {
			updates := 0
			_, err := Fit(t.Context(), newModel(t, spec), sources[0], sources[1], Options{
				Loss: test.loss, Validation: sources[2], OnBatch: func(Progress) { updates++ },
			})
			var field *models.FieldError
			if !errors.As(err, &field) || field.Field != test.want || !strings.HasPrefix(err.Error(), name+field.Field) || updates > 0 {
				t.Errorf("%s%s: after %d updates the error is %v", name, test.want, updates, err)
			}
		}
	}
}

// TestLabelsOfPadding puts invalid labels into the padding.
func TestLabelsOfPadding(t *testing.T) {
	spec := models.Spec{Cell: models.LSTM, Features: 1, Hidden: 2, Layers: 1, Readout: models.ReadAll, Outputs: 3}
	fit := func(padding int64) []Epoch {
		t.Helper()
		source := examples{spec: spec, count: 2, time: 3, damage: func(b *datasets.Batch) {
			b.Targets, b.Lengths, b.Labels = nil, []int{1, 3}, []int64{2, padding, padding, 0, 1, 2}
		}}
		history, err := Fit(t.Context(), newModel(t, spec), source, source, Options{
			Loss: CrossEntropy{Weights: []float64{1, 2, 3}}, Epochs: 1, NoShuffle: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return history
	}
	want := fit(0)[0]
	for _, padding := range []int64{datasets.Ignore, -100, 3} {
		if got := fit(padding)[0]; got.TrainLoss != want.TrainLoss || got.TestLoss != want.TestLoss || got.TestAccuracy != want.TestAccuracy {
			t.Errorf("with labels %d in the padding: %+v, not %+v", padding, got, want)
		}
	}
}

// TestIgnoredLabels trains on a batch in which no label counts.
func TestIgnoredLabels(t *testing.T) {
	spec := models.Spec{Cell: models.GRU, Features: 1, Hidden: 2, Layers: 1, Readout: models.ReadLast, Outputs: 3}
	source := examples{spec: spec, count: 4, time: 3, damage: func(b *datasets.Batch) {
		b.Targets, b.Labels = nil, slices.Repeat([]int64{datasets.Ignore}, b.Size)
	}}
	m := newModel(t, spec)
	before := slices.Clone(m.Params.Data)
	history, err := Fit(t.Context(), m, source, source, Options{Loss: CrossEntropy{}, Epochs: 2})
	if err != nil || history[1].TrainLoss != 0 || !slices.Equal(m.Params.Data, before) {
		t.Errorf("%+v, %v", history, err)
	}
}

// TestStateful trains on examples of 5 steps with a learning rate that changes nothing.
// The losses must be those of whole streams.
func TestStateful(t *testing.T) {
	var series []float32
	for _, y := range datasets.Sine(401, 0.1, 1) {
		series = append(series, float32(y))
	}
	for _, cell := range []models.Cell{models.RNN, models.LSTM, models.GRU} {
		spec := models.Spec{Cell: cell, Features: 1, Hidden: 6, Layers: 2, Readout: models.ReadAll, Outputs: 1}
		loss := func(time int, stateful bool) Epoch {
			t.Helper()
			streams, err := datasets.NewStreams(series, 20, time)
			if err != nil {
				t.Fatal(err)
			}
			m := newModel(t, spec)
			for i := range m.Params.Data {
				m.Params.Data[i] *= 2
			}
			history, err := Fit(t.Context(), m, streams, streams, Options{
				Epochs: 2, Batch: 20, LearningRate: 1e-30, Stateful: stateful, NoShuffle: true, Threads: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			return history[1]
		}
		whole, parts, apart := loss(20, false), loss(5, true), loss(5, false)
		for _, pair := range [][2]float64{{whole.TrainLoss, parts.TrainLoss}, {whole.TestLoss, parts.TestLoss}} {
			if !(math.Abs(pair[0]-pair[1]) <= 1e-6*pair[0]) {
				t.Errorf("%s: the loss is %g over whole streams, %g over parts", cell, pair[0], pair[1])
			}
		}
		if math.Abs(apart.TrainLoss-whole.TrainLoss) <= 1e-6*whole.TrainLoss {
			t.Errorf("%s: the state makes no difference", cell)
		}
	}
}

// cut is a Source of streams whose targets are their values. A row of steps holds the
// lengths of the next part of each stream.
type cut struct {
	steps [][]int // 0 for the streams, the last ones, that have ended
}

func (c cut) Len() (n int) {
	for _, part := range c.steps {
		for _, steps := range part {
			n += min(steps, 1)
		}
	}
	return n
}

func (c cut) Read(b *datasets.Batch, examples []int) error {
	*b = datasets.Batch{Size: len(examples)}
	var values [][]float32
	at := make([]int, len(c.steps[0]))
	for _, part := range c.steps {
		for stream, steps := range part {
			if steps == 0 {
				continue
			}
			x := make([]float32, steps)
			for i := range x {
				x[i] = float32(math.Sin(float64((stream+1)*(at[stream]+i+1)))) * 2
			}
			at[stream] += steps
			values = append(values, x)
		}
	}
	for _, i := range examples {
		b.Time = max(b.Time, len(values[i]))
	}
	for _, i := range examples {
		padded := append(slices.Clip(values[i]), make([]float32, b.Time-len(values[i]))...)
		b.Lengths = append(b.Lengths, len(values[i]))
		b.Inputs = append(b.Inputs, padded...)
		b.Targets = append(b.Targets, padded...)
	}
	return nil
}

// TestStatefulInTheSamePlace cuts streams at different steps, so that their order by
// length changes. Some end before the others.
func TestStatefulInTheSamePlace(t *testing.T) {
	last := func(steps, streams int) []int { // in a batch of 19, two shards
		return append(slices.Repeat([]int{steps}, streams), make([]int, 19-streams)...)
	}
	first, second := make([]int, 19), make([]int, 19)
	for i := range first {
		first[i] = 1 + 3*i%5
		second[i] = 6 - first[i]
	}
	for name, test := range map[string]struct{ whole, parts cut }{
		"even":   {cut{[][]int{last(6, 19)}}, cut{[][]int{last(2, 19), last(4, 19)}}},
		"ragged": {cut{[][]int{last(6, 19)}}, cut{[][]int{first, second}}},
		"fewer at last": {
			cut{[][]int{append(slices.Repeat([]int{6}, 11), slices.Repeat([]int{2}, 8)...)}},
			cut{[][]int{last(2, 19), last(4, 11)}},
		},
	} {
		for _, cell := range []models.Cell{models.RNN, models.LSTM, models.GRU} {
			spec := models.Spec{Cell: cell, Features: 1, Hidden: 4, Layers: 2, Readout: models.ReadAll, Outputs: 1}
			loss := func(source cut, stateful bool) Epoch {
				t.Helper()
				m := newModel(t, spec)
				for i := range m.Params.Data {
					m.Params.Data[i] *= 3
				}
				history, err := Fit(t.Context(), m, source, source, Options{
					Epochs: 1, Batch: 19, LearningRate: 1e-30, Stateful: stateful, NoShuffle: true, Threads: 2,
				})
				if err != nil {
					t.Fatal(err)
				}
				return history[0]
			}
			whole, parts, apart := loss(test.whole, false), loss(test.parts, true), loss(test.parts, false)
			for _, pair := range [][2]float64{{whole.TrainLoss, parts.TrainLoss}, {whole.TestLoss, parts.TestLoss}} {
				if !(math.Abs(pair[0]-pair[1]) <= 1e-6*pair[0]) {
					t.Errorf("%s, %s: the loss is %g over whole streams, %g over parts", name, cell, pair[0], pair[1])
				}
			}
			if math.Abs(apart.TrainLoss-whole.TrainLoss) <= 1e-4*whole.TrainLoss {
				t.Errorf("%s, %s: the state makes no difference", name, cell)
			}
		}
	}
}

func TestStatefulNeedsABatchOfAllStreams(t *testing.T) {
	streams, err := datasets.NewStreams(make([]float32, 101), 20, 5)
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(t, models.Spec{Cell: models.RNN, Features: 1, Hidden: 2, Layers: 1, Readout: models.ReadAll, Outputs: 1})
	_, err = Fit(t.Context(), m, streams, streams, Options{Stateful: true, Batch: 10})
	if err == nil || !strings.Contains(err.Error(), "it must be the number of streams, 20") {
		t.Errorf("the error is %v", err)
	}
}

// TestPatience trains with a learning rate that makes the loss worse. The fit ends
// early, with the best parameters.
func TestPatience(t *testing.T) {
	m, train, test := sine(t, 0)
	var best []float32
	lowest := math.Inf(1)
	history, err := Fit(t.Context(), m, train, test, Options{Epochs: 60, LearningRate: 0.1, Patience: 3, OnEpoch: func(e Epoch) {
		if e.TestLoss < lowest {
			lowest, best = e.TestLoss, slices.Clone(m.Params.Data)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	n := len(history)
	if n == 60 || history[n-4].TestLoss != lowest {
		t.Errorf("after %d epochs, the best with %g: %+v", n, lowest, history)
	}
	if !slices.Equal(m.Params.Data, best) {
		t.Error("the parameters are not those of the best epoch")
	}
}

// TestPlateauStops checks that the rate is not reduced by 1e-8 or less, as in
// ReduceLROnPlateau.
func TestPlateauStops(t *testing.T) {
	s := Schedule{Gamma: 0.1, Patience: 1}
	p := plateau{Factor: 1, Best: 1}
	for i, want := range []float64{1e-6, 1e-7, 1e-7, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8} {
		p.observe(s, 1e-6, 1)
		if got := 1e-6 * p.Factor; !(math.Abs(got-want) <= 1e-12*want) {
			t.Errorf("after %d bad epochs the rate is %g, not %g", i+1, got, want)
		}
	}
}

// spoiled is a Source that reads NaN after a number of batches.
type spoiled struct {
	datasets.Source
	left *int
}

func (s spoiled) Read(b *datasets.Batch, indexes []int) error {
	err := s.Source.Read(b, indexes)
	if *s.left--; *s.left < 0 {
		b.Inputs[0] = float32(math.NaN())
	}
	return err
}

// TestBestParametersAfterALossThatIsNotFinite reads NaN in the first epoch, when there
// are no best parameters, in the second, and after epochs that were not the best.
func TestBestParametersAfterALossThatIsNotFinite(t *testing.T) {
	for _, epochs := range []int{0, 1, 12} {
		m, train, test := sine(t, 0)
		batches := 24*epochs + 3
		var best []float32
		var losses []float64
		_, err := Fit(t.Context(), m, spoiled{train, &batches}, test, Options{Epochs: 20, LearningRate: 0.1, Patience: 20,
			OnEpoch: func(e Epoch) {
				if losses = append(losses, e.TestLoss); e.TestLoss == slices.Min(losses) {
					best = slices.Clone(m.Params.Data)
				}
			},
		})
		if err == nil || !strings.Contains(err.Error(), "the loss is NaN") || len(losses) != epochs {
			t.Fatalf("%d epochs: %v, %v", epochs, losses, err)
		}
		if epochs == 0 {
			first, _, _ := sine(t, 0)
			best = first.Params.Data
		}
		if !slices.Equal(m.Params.Data, best) {
			t.Errorf("after %d epochs: not the best parameters of those with %g", epochs, losses)
		}
		if epochs == 12 && losses[11] == slices.Min(losses) {
			t.Errorf("the last is the best of %g, which proves nothing", losses)
		}
	}
}
