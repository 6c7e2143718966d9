package trainer

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// directModel returns the metadata of a direct forecaster that has everything, of odd sizes.
func directModel(change func(*models.Spec, *models.Direct)) *models.Metadata {
	d := &models.Direct{
		Window: 6, Horizon: 5, Segment: 3, Targets: 1, Past: 1, Future: 2, Static: 2,
		Categories: []models.Category{{Size: 3, Embedding: 2}, {Size: 4, Embedding: 1}},
		Center:     models.CenterMean, Linear: 1, Quantiles: []float64{0.1, 0.5, 0.9},
	}
	spec := models.Spec{Cell: models.GRU, Embedding: 4, Hidden: 5, Layers: 1, Readout: models.ReadAll, Direct: d}
	if change != nil {
		change(&spec, d)
	}
	spec.Features, spec.Outputs = d.Columns(), d.Segment*len(d.Quantiles)
	if spec.Readout == models.ReadLast {
		spec.Outputs = d.Horizon * len(d.Quantiles)
	}
	return &models.Metadata{Task: models.Forecast, Window: d.Window, Horizon: d.Horizon, Spec: spec, Forecast: forecastingOf(d)}
}

// forecastingOf returns what the columns of a direct forecaster are, with the scales of
// testdata/torch/direct.py.
func forecastingOf(d *models.Direct) *models.Forecasting {
	scale := func(n int) *models.Scale {
		s := &models.Scale{Mean: make([]float32, n), Std: make([]float32, n)}
		for i := range n {
			s.Mean[i], s.Std[i] = 0.25*float32(i+1), 1.5+float32(i)
		}
		return s
	}
	return &models.Forecasting{
		Targets: make([]string, d.Targets), Past: make([]string, d.Past), Future: make([]string, d.Future),
		Static: make([]string, d.Static), Categories: make([]models.CategoryValues, len(d.Categories)),
		PastScale: scale(d.Past), FutureScale: scale(d.Future), StaticScale: scale(d.Static),
	}
}

// directBatch returns examples with gaps for a direct forecaster. One window lacks all
// values. Those from the 17th on, a shard of their own, lack nothing.
func directBatch(d *models.Direct, size int, rng *rand.Rand) datasets.Batch {
	values := func(n int, missing float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			if x[i] = float32(2 + rng.NormFloat64()); rng.Float64() < missing {
				x[i] = float32(math.NaN())
			}
		}
		return x
	}
	b := datasets.Batch{
		Size: size, Time: d.Window,
		Inputs: values(size*d.Window*(1+d.Past+d.Future), 0.2), Targets: values(size*d.Horizon, 0.2),
		Ahead: values(size*d.Horizon*d.Future, 0.1), Static: values(size*d.Static, 0.1), Weights: values(size, 0),
	}
	for i := range b.Weights {
		b.Weights[i] = float32(math.Abs(float64(b.Weights[i])))
	}
	for range size {
		for _, c := range d.Categories {
			b.Categories = append(b.Categories, rng.Int64N(int64(c.Size)))
		}
	}
	columns := 1 + d.Past + d.Future
	for t := range size * d.Window {
		switch value := &b.Inputs[t*columns]; {
		case t < d.Window:
			*value = float32(math.NaN())
		case t >= 16*d.Window && *value != *value:
			*value = 1.5
		}
	}
	return b
}

// TestDirectGradients compares the gradient of every parameter with central differences,
// in float64. Each run has the same dropout.
func TestDirectGradients(t *testing.T) {
	for name, change := range map[string]func(*models.Spec, *models.Direct){
		"gru":     nil,
		"lstm":    func(s *models.Spec, _ *models.Direct) { s.Cell, s.Layers = models.LSTM, 2 },
		"rnn":     func(s *models.Spec, d *models.Direct) { s.Cell, d.Center = models.RNN, models.CenterLast },
		"log":     func(_ *models.Spec, d *models.Direct) { d.Log = 0.5 },
		"no path": func(_ *models.Spec, d *models.Direct) { d.Linear = 0 },
		"maps":    func(_ *models.Spec, d *models.Direct) { d.Linear = 3 },
		"plain":   func(_ *models.Spec, d *models.Direct) { d.Past, d.Future, d.Static, d.Categories = 0, 0, 0, nil },
		"whole":   func(_ *models.Spec, d *models.Direct) { d.Horizon = 6 },
		"last":    func(s *models.Spec, d *models.Direct) { s.Readout, d.Future, d.Linear = models.ReadLast, 0, 2 },
		"dropout": func(s *models.Spec, d *models.Direct) { s.Dropout, d.Linear = 0.4, 2 },
		"dropouts": func(s *models.Spec, d *models.Direct) {
			s.Dropout, s.Layers, s.Readout, d.Future = 0.4, 2, models.ReadLast, 0
		},
		"one step": func(_ *models.Spec, d *models.Direct) { d.Segment, d.Horizon = 1, 1 },
	} {
		t.Run(name, func(t *testing.T) { checkDirectGradients(t, directModel(change)) })
	}
}

func checkDirectGradients(t *testing.T, meta *models.Metadata) {
	if err := meta.Validate(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	params := models.NewParams[float64](meta.Spec)
	for i := range params.Data {
		params.Data[i] = 0.5 * rng.NormFloat64()
	}
	r, err := newRunner(meta, params, defaultLoss(meta.Spec), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for _, size := range []int{23, 19} { // the first batch leaves something in all buffers
		batch := directBatch(meta.Spec.Direct, size, rng)
		if err := r.read(fixed(batch), firstExamples(batch.Size)); err != nil {
			t.Fatal(err)
		}
		r.run(training, 0)
	}
	grads := models.NewParams[float64](meta.Spec)
	for _, s := range r.active() {
		kernels.AddScaled(grads.Data, 1, s.grads.Data)
	}
	const h = 1e-6
	for i, x := range params.Data {
		params.Data[i] = x + h
		up := r.run(training, 0)
		params.Data[i] = x - h
		down := r.run(training, 0)
		params.Data[i] = x
		want := (up - down) / (2 * h)
		if diff := math.Abs(grads.Data[i] - want); !(diff <= 1e-7*(1+math.Abs(want))) {
			t.Errorf("parameter %d of %d: gradient %g, central difference %g", i, len(params.Data), grads.Data[i], want)
		}
	}
}

// The dropout of a direct forecaster acts on the outputs of its only layer, which the head
// and the gate read, in training only.
func TestDirectDropout(t *testing.T) {
	const p = 0.3
	meta := directModel(func(s *models.Spec, d *models.Direct) { s.Dropout, s.Hidden, d.Linear = p, 64, 2 })
	m, err := models.New(*meta, 1)
	if err != nil {
		t.Fatal(err)
	}
	batch := directBatch(meta.Spec.Direct, 64, rand.New(rand.NewPCG(1, 2)))
	r, err := newRunner(meta, m.Params, defaultLoss(meta.Spec), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.read(fixed(batch), firstExamples(batch.Size)); err != nil {
		t.Fatal(err)
	}
	r.run(training, 0)
	var dropped, n float64
	for _, s := range r.active() {
		l := s.recurrent.layers[0]
		read := s.paths.x.steps.Data
		for i, y := range l.y {
			if n++; read[i] == 0 {
				dropped++
			} else if want := y / (1 - p); !(math.Abs(float64(read[i]-want)) <= 1e-6) {
				t.Fatalf("an output of %g becomes %g, not %g", y, read[i], want)
			}
		}
	}
	if share := dropped / n; !(math.Abs(share-p) <= 4*math.Sqrt(p*(1-p)/n)) {
		t.Errorf("of %g outputs %g are dropped, where the probability is %g", n, share, p)
	}
	with, err := Predict(m, &batch)
	if err != nil {
		t.Fatal(err)
	}
	m.Spec.Dropout = 0
	if without, err := Predict(m, &batch); err != nil || !slices.Equal(with, without) {
		t.Errorf("dropout changes what the model predicts: %v", err)
	}
}

// TestDirectPredict checks the answers that need no arithmetic: the center of a window
// that is constant, whatever the parameters, and 0 for a window without values.
func TestDirectPredict(t *testing.T) {
	for _, log := range []float64{0, 0.5} {
		m, err := models.New(*directModel(func(_ *models.Spec, d *models.Direct) { d.Log, d.Horizon = log, 4 }), 1)
		if err != nil {
			t.Fatal(err)
		}
		d := m.Spec.Direct
		b := directBatch(d, 3, rand.New(rand.NewPCG(1, 2)))
		columns := 1 + d.Past + d.Future
		for i := range d.Window {
			b.Inputs[(d.Window+i)*columns] = 7.25
		}
		got, err := Predict(m, &b)
		if err != nil {
			t.Fatal(err)
		}
		row := d.Horizon * len(d.Quantiles)
		if len(got) != 3*row {
			t.Fatalf("%d answers for 3 windows, %d steps and %d quantiles", len(got), d.Horizon, len(d.Quantiles))
		}
		for i, y := range got[:2*row] {
			want := 7.25
			if i < row && log > 0 {
				want = 1
			} else if i < row {
				want = 0
			}
			if !(math.Abs(float64(y)-want) <= 1e-6*want) {
				t.Errorf("log %g: answer %d is %g, not %g", log, i, y, want)
			}
		}
	}
}

// TestForecast follows the answers of an ensemble of an even number of members from their
// predictions to what the file answers.
func TestForecast(t *testing.T) {
	meta := directModel(nil)
	m, err := models.New(*meta, 1)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3) {
		params, err := models.Init(m.Spec, seed+2)
		if err != nil {
			t.Fatal(err)
		}
		m.Ensemble = append(m.Ensemble, params)
	}
	for i := range m.Params.Data {
		m.Params.Data[i] *= 3 // so that quantiles cross
	}
	least, most := 1.5, 2.5
	m.Forecast.Min, m.Forecast.Max = &least, &most
	for i := range m.Horizon * 3 {
		m.Forecast.Widths = append(m.Forecast.Widths, 0.5+float32(i)/10)
	}
	b := directBatch(m.Spec.Direct, 7, rand.New(rand.NewPCG(1, 2)))
	got, err := Forecast(m, &b)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := ForecastExact(m, &b)
	if err != nil {
		t.Fatal(err)
	}
	var members [][]float32
	for _, p := range append(m.Ensemble, m.Params) {
		y, err := Predict(&models.Model{Metadata: m.Metadata, Params: p}, &b)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, y)
	}
	crossed, clipped := 0, 0
	for i := 0; i < len(got); i += 3 {
		var q [3]float64
		for k := range q {
			v := []float32{members[0][i+k], members[1][i+k], members[2][i+k], members[3][i+k]}
			slices.Sort(v)
			q[k] = float64(v[1]+v[2]) / 2
		}
		if q[0] > q[1] || q[2] < q[1] {
			crossed++
		}
		widths := m.Forecast.Widths[i%(3*m.Horizon):]
		low, high := q[1]-max(0, q[1]-q[0])*float64(widths[0]), q[1]+max(0, q[2]-q[1])*float64(widths[2])
		for k, v := range []float64{low, q[1], high} {
			want := min(max(v, least), most)
			if want != v {
				clipped++
			}
			if !(math.Abs(float64(got[i+k])-want) <= 1e-5) || !(math.Abs(exact[i+k]-want) <= 1e-5) {
				t.Errorf("answer %d is %g, and %g in float64, not %g", i+k, got[i+k], exact[i+k], want)
			}
		}
	}
	if crossed == 0 || clipped == 0 || clipped == len(got) {
		t.Errorf("%d of %d steps have quantiles that cross, %d of %d answers are out of bounds", crossed, len(got)/3, clipped, len(got))
	}
	whole := []float64{0.5, 1.5, 2.75}
	if finish(whole, &models.Forecasting{Integer: true}, 0); !slices.Equal(whole, []float64{0, 2, 3}) {
		t.Errorf("0.5, 1.5 and 2.75 are rounded to %v", whole)
	}
	m.Forecast.Integer = true
	if got, err = Forecast(m, &b); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != 2 { // the only whole number between the bounds
			t.Errorf("answer %d is %g", i, v)
		}
	}
}

// TestForecastMixture compares what a mixture answers with the answers of its parts.
func TestForecastMixture(t *testing.T) {
	meta := directModel(nil)
	other := directModel(func(s *models.Spec, d *models.Direct) { s.Hidden, d.Log, d.Linear, d.Segment = 3, 0.5, 0, 2 })
	meta.Mixture = []models.Component{{Spec: other.Spec, Weight: 0.25}}
	m, err := models.New(*meta, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := directBatch(m.Spec.Direct, 7, rand.New(rand.NewPCG(1, 2)))
	got, err := Forecast(m, &b)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := ForecastExact(m, &b)
	if err != nil {
		t.Fatal(err)
	}
	plain := *meta
	plain.Mixture = nil
	first, err := Predict(&models.Model{Metadata: plain, Params: m.Params}, &b)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Predict(&models.Model{Metadata: *other, Params: m.Mixed[0][0]}, &b)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(got); i += 3 {
		var q [3]float64
		for k := range q {
			q[k] = 0.75*float64(first[i+k]) + 0.25*float64(second[i+k])
		}
		models.OrderQuantiles(q[:])
		for k, want := range q {
			if !(math.Abs(float64(got[i+k])-want) <= 1e-5) || !(math.Abs(exact[i+k]-want) <= 1e-5) {
				t.Errorf("answer %d is %g, and %g in float64, not %g", i+k, got[i+k], exact[i+k], want)
			}
		}
	}
}

// TestDirectThreads trains on any number of threads and compares the parameters.
func TestDirectThreads(t *testing.T) {
	meta := directModel(func(_ *models.Spec, d *models.Direct) { d.Linear = 2 })
	batch := directBatch(meta.Spec.Direct, 150, rand.New(rand.NewPCG(1, 2)))
	var first []float32
	for _, threads := range []int{1, 2, 7} {
		m, err := models.New(*meta, 1)
		if err != nil {
			t.Fatal(err)
		}
		history, err := Fit(t.Context(), m, fixed(batch), nil, Options{Epochs: 5, Batch: 150, Threads: threads, LearningRate: 0.01, ClipNorm: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !(history[4].TrainLoss < history[0].TrainLoss) {
			t.Errorf("the loss goes from %g to %g", history[0].TrainLoss, history[4].TrainLoss)
		}
		if first == nil {
			first = m.Params.Data
		} else if !slices.Equal(m.Params.Data, first) {
			t.Errorf("%d threads give other parameters than one", threads)
		}
	}
}

// TestDirectAllocates nothing in a step.
func TestDirectAllocates(t *testing.T) {
	meta := directModel(func(_ *models.Spec, d *models.Direct) { d.Linear, d.Log = 2, 0.5 })
	params := models.NewParams[float32](meta.Spec)
	r, err := newRunner(meta, params, defaultLoss(meta.Spec), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	batch := directBatch(meta.Spec.Direct, 40, rand.New(rand.NewPCG(1, 2)))
	if err := r.read(fixed(batch), firstExamples(batch.Size)); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { r.run(training, 0) }); n > 0 {
		t.Errorf("a step allocates %g times", n)
	}
}

func TestDirectBatchesRefused(t *testing.T) {
	meta := directModel(nil)
	nan := float32(math.NaN())
	for want, change := range map[string]func(b *datasets.Batch){
		"batch.Time":          func(b *datasets.Batch) { b.Time = 3 },
		"batch.Lengths":       func(b *datasets.Batch) { b.Lengths = []int{6, 6, 6} },
		"batch.Inputs":        func(b *datasets.Batch) { b.Inputs = b.Inputs[:len(b.Inputs)-1] },
		"batch.Ahead":         func(b *datasets.Batch) { b.Ahead = nil },
		"batch.Static":        func(b *datasets.Batch) { b.Static = append(b.Static, 1) },
		"batch.Categories":    func(b *datasets.Batch) { b.Categories = nil },
		"batch.Categories[1]": func(b *datasets.Batch) { b.Categories[1] = 4 },
		"batch.Categories[4]": func(b *datasets.Batch) { b.Categories[4] = -1 },
		"batch.Targets":       func(b *datasets.Batch) { b.Targets = b.Targets[1:] },
		"batch.Weights":       func(b *datasets.Batch) { b.Weights = b.Weights[1:] },
		"batch.Weights[2]":    func(b *datasets.Batch) { b.Weights[2] = nan },
		"batch.H0":            func(b *datasets.Batch) { b.H0 = make([]float32, 15) },
	} {
		m, err := models.New(*meta, 1)
		if err != nil {
			t.Fatal(err)
		}
		b := directBatch(meta.Spec.Direct, 3, rand.New(rand.NewPCG(1, 2)))
		change(&b)
		var field *models.FieldError
		if _, err := Fit(t.Context(), m, fixed(b), nil, Options{Epochs: 1, Batch: 3}); !errors.As(err, &field) || field.Field != want {
			t.Errorf("the error is %v, not about %s", err, want)
		}
	}
	for want, o := range map[string]Options{"Loss": {Loss: MSE()}, "Stateful": {Stateful: true}} {
		var field *models.FieldError
		if err := o.Validate(meta.Spec); !errors.As(err, &field) || field.Field != want {
			t.Errorf("the error is %v, not about %s", err, want)
		}
	}
	if _, err := InputGradients(&models.Model{Metadata: *meta, Params: models.NewParams[float32](meta.Spec)}, nil, MSE()); err == nil {
		t.Error("the gradients of a direct forecaster's inputs are given")
	}
}
