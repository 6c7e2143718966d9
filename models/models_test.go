package models

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func validSpec() Spec { return Forecaster("y", 50).Spec }

func TestValidateNamesTheField(t *testing.T) {
	for _, test := range []struct {
		field  string
		change func(*Spec)
	}{
		{"", func(s *Spec) {}},
		{"", func(s *Spec) { s.Vocabulary, s.Embedding, s.Features = 10, 4, 0 }},
		{"", func(s *Spec) { s.Layers, s.Dropout = 2, 0.5 }},
		{"Cell", func(s *Spec) { s.Cell = "" }},
		{"Cell", func(s *Spec) { s.Cell = "LSTM" }},
		{"Features", func(s *Spec) { s.Features = 0 }},
		{"Features", func(s *Spec) { s.Features = -1 }},
		{"Features", func(s *Spec) { s.Vocabulary, s.Embedding = 10, 4 }},
		{"Vocabulary", func(s *Spec) { s.Vocabulary = -1 }},
		{"Embedding", func(s *Spec) { s.Embedding = 4 }},
		{"Embedding", func(s *Spec) { s.Vocabulary, s.Features = 10, 0 }},
		{"Hidden", func(s *Spec) { s.Hidden = 0 }},
		{"Hidden", func(s *Spec) { s.Hidden = 1 << 20 }},
		{"Layers", func(s *Spec) { s.Layers = math.MaxInt }},
		{"Layers", func(s *Spec) { s.Layers = 0 }},
		{"Dropout", func(s *Spec) { s.Layers, s.Dropout = 2, 1 }},
		{"Dropout", func(s *Spec) { s.Layers, s.Dropout = 2, -0.1 }},
		{"Dropout", func(s *Spec) { s.Layers, s.Dropout = 2, math.NaN() }},
		{"Dropout", func(s *Spec) { s.Dropout = 0.1 }},
		{"", func(s *Spec) { s.Cell, s.Activation, s.Readout = RNN, ReLU, ReadMax }},
		{"Activation", func(s *Spec) { s.Activation = ReLU }},
		{"Activation", func(s *Spec) { s.Cell, s.Activation = RNN, "gelu" }},
		{"Readout", func(s *Spec) { s.Readout = "mean of all" }},
		{"Outputs", func(s *Spec) { s.Outputs = 0 }},
	} {
		s := validSpec()
		test.change(&s)
		err := s.Validate()
		var field *FieldError
		switch {
		case test.field == "" && err != nil:
			t.Errorf("%+v: %v", s, err)
		case test.field != "" && (!errors.As(err, &field) || field.Field != test.field):
			t.Errorf("%+v: the error is %v, not about %s", s, err, test.field)
		}
	}
}

func TestMetadataValidate(t *testing.T) {
	one := func(mean, std float32) *Scale { return &Scale{Mean: []float32{mean}, Std: []float32{std}} }
	for _, test := range []struct {
		want   string
		change func(*Metadata)
	}{
		{"Spec.Hidden", func(m *Metadata) { m.Spec.Hidden = 0 }},
		{"Task", func(m *Metadata) { m.Task = "guess" }},
		{"Window", func(m *Metadata) { m.Window = -1 }},
		{"Horizon", func(m *Metadata) { m.Horizon = -1 }},
		{"Columns", func(m *Metadata) { m.Columns = []string{"y", "z"} }},
		{"Target", func(m *Metadata) { m.Target = "z" }},
		{"Spec.Outputs", func(m *Metadata) { m.Horizon = 3 }},
		{"Spec.Outputs", func(m *Metadata) { m.Spec.Features, m.Columns = 2, nil }},
		{"Vocabulary", func(m *Metadata) { m.Vocabulary = []string{"a"} }},
		{"Labels", func(m *Metadata) { m.Labels = []string{"a", "b", "c"} }},
		{"InputScale.Mean", func(m *Metadata) { m.InputScale = &Scale{Std: []float32{1}} }},
		{"InputScale.Std", func(m *Metadata) { m.InputScale = &Scale{Mean: []float32{1}} }},
		{"InputScale.Std[0]", func(m *Metadata) { m.InputScale = one(0, 0) }},
		{"InputScale.Std[0]", func(m *Metadata) { m.InputScale = one(0, -1) }},
		{"InputScale", func(m *Metadata) {
			m.Spec.Vocabulary, m.Spec.Embedding, m.Spec.Features, m.InputScale = 9, 4, 0, &Scale{}
		}},
		{"OutputScale.Mean[0]", func(m *Metadata) { m.OutputScale = one(float32(math.NaN()), 1) }},
		{"OutputScale.Std[0]", func(m *Metadata) { m.OutputScale = one(0, float32(math.Inf(1))) }},
	} {
		m := Forecaster("y", 50)
		test.change(&m)
		var field *FieldError
		if _, err := New(m, 0); !errors.As(err, &field) || field.Field != test.want {
			t.Errorf("the error is %v, not about %s", err, test.want)
		}
	}
}

// TestParametersApart refuses parameters whose fields are copies: what changes
// Data would not change them.
func TestParametersApart(t *testing.T) {
	m, err := New(Forecaster("y", 50), 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var read Model
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if err := read.Validate(); err == nil || !strings.Contains(err.Error(), "no views of Data") {
		t.Errorf("after JSON the error is %v", err)
	}
	for _, field := range []*[]float32{&m.Params.Layers[0].R, &m.Params.Head.B} {
		view := *field
		*field = slices.Clone(view)
		if m.Validate() == nil {
			t.Error("a field that is a copy is taken")
		}
		if *field = view; m.Validate() != nil {
			t.Error(m.Validate())
		}
	}
}

// TestParams compares the sizes with the sums of the shapes that torch.nn.RNN,
// LSTM, GRU, Embedding and Linear document.
func TestParams(t *testing.T) {
	for _, test := range []struct {
		spec Spec
		want int
	}{
		{validSpec(), 4513}, // nn.LSTM(1, 32), nn.Linear(32, 1)
		{
			Spec{Cell: LSTM, Vocabulary: 30, Embedding: 32, Hidden: 64, Layers: 1, Readout: ReadAll, Outputs: 30}, 27998,
		}, // the notebook's characters
		{
			Spec{Cell: RNN, Vocabulary: 10, Embedding: 8, Hidden: 16, Layers: 1, Bidirectional: true, Readout: ReadLast, Outputs: 1},
			945,
		}, // and palindromes
		{Spec{Cell: GRU, Features: 3, Hidden: 5, Layers: 2, Bidirectional: true, Readout: ReadLast, Outputs: 2}, 832},
	} {
		p := NewParams[float32](test.spec)
		if len(p.Data) != test.want || test.spec.Size() != float64(test.want) {
			t.Errorf("%+v has %d parameters, counted as %g, not %d", test.spec, len(p.Data), test.spec.Size(), test.want)
		}
		// The views cover Data, each value once.
		mark := func(x []float32) {
			for i := range x {
				x[i]++
			}
		}
		mark(p.Embedding)
		for _, l := range p.Layers {
			for d := range test.spec.Directions() {
				l := l.Direction(d, test.spec.Directions())
				mark(l.W)
				mark(l.R)
				mark(l.B)
			}
		}
		mark(p.Head.W)
		mark(p.Head.B)
		if slices.ContainsFunc(p.Data, func(v float32) bool { return v != 1 }) {
			t.Errorf("%+v: the views do not cover the data once", test.spec)
		}
	}
}

func TestInit(t *testing.T) {
	spec := Spec{Cell: LSTM, Vocabulary: 500, Embedding: 20, Hidden: 64, Layers: 2, Bidirectional: true, Readout: ReadAll, Outputs: 40}
	draw := func(s Spec, seed uint64, recipes ...Recipe) *Params[float32] {
		t.Helper()
		p, err := Init(s, seed, recipes...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := draw(spec, 1)
	recurrent, head := 1/math.Sqrt(64), 1/math.Sqrt(128)
	for name, x := range map[string]struct {
		values []float32
		bound  float64
	}{
		"W": {p.Layers[0].W, recurrent}, "R": {p.Layers[1].R, recurrent}, "B": {p.Layers[1].B, recurrent},
		"head W": {p.Head.W, head}, "head B": {p.Head.B, head},
	} {
		mean, std, largest := moments(x.values)
		n := math.Sqrt(float64(len(x.values)))
		wantStd := x.bound / math.Sqrt(3)
		if !(math.Abs(mean) < 5*wantStd/n && math.Abs(std-wantStd) < 5*wantStd/n && largest <= x.bound) {
			t.Errorf("%s is not uniform in ±%g: mean %g, deviation %g, largest %g", name, x.bound, mean, std, largest)
		}
	}
	mean, std, _ := moments(p.Embedding)
	if n := math.Sqrt(float64(len(p.Embedding))); !(math.Abs(mean) < 5/n && math.Abs(std-1) < 5/n) {
		t.Errorf("the embedding is not N(0, 1): mean %g, deviation %g", mean, std)
	}
	if !slices.Equal(p.Data, draw(spec, 1).Data) {
		t.Error("the same seed gives other parameters")
	}
	if slices.Equal(p.Data, draw(spec, 2).Data) {
		t.Error("another seed gives the same parameters")
	}
}

func TestRecipes(t *testing.T) {
	for _, cell := range []Cell{RNN, LSTM, GRU} {
		spec := Spec{Cell: cell, Features: 3, Hidden: 40, Layers: 2, Bidirectional: true, Readout: ReadLast, Outputs: 1}
		plain, err := Init(spec, 1)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Init(spec, 1, Orthogonal())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Layers[1].W, plain.Layers[1].W) || slices.Equal(p.Layers[1].R, plain.Layers[1].R) {
			t.Errorf("%s: orthogonal weights: R alone should change", cell)
		}
		n := spec.Hidden
		for gate := range len(p.Layers[1].R) / (n * n) {
			r := p.Layers[1].R[gate*n*n:]
			for i := range n {
				for j := range n {
					var product, want float64
					for k := range n {
						product += float64(r[i*n+k]) * float64(r[j*n+k])
					}
					if i == j {
						want = 1
					}
					if !(math.Abs(product-want) <= 1e-6) {
						t.Fatalf("%s: rows %d and %d of gate %d have the product %g", cell, i, j, gate, product)
					}
				}
			}
		}
	}

	const n = 40
	spec := Spec{Cell: LSTM, Features: 3, Hidden: n, Layers: 2, Bidirectional: true, Readout: ReadLast, Outputs: 1}
	p, err := Init(spec, 1, ForgetBias(1.5))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Layers {
		for d := range 2 {
			b := l.Direction(d, 2).B
			for j := range n {
				if b[2*n+j] != 1.5 || b[6*n+j] != 0 || b[j] == 0 || b[3*n+j] == 1.5 {
					t.Fatalf("forget bias %g + %g", b[2*n+j], b[6*n+j])
				}
			}
		}
	}
	const steps = 150
	if p, err = Init(spec, 1, Chrono(steps)); err != nil {
		t.Fatal(err)
	}
	var times []float32 // e to the bias: uniform from 1 to steps-1
	for _, l := range p.Layers {
		for d := range 2 {
			b := l.Direction(d, 2).B
			for j := range n {
				if b[j] != -b[2*n+j] || b[4*n+j] != 0 || b[6*n+j] != 0 {
					t.Fatalf("input bias %g + %g, forget bias %g + %g", b[j], b[4*n+j], b[2*n+j], b[6*n+j])
				}
				times = append(times, float32(math.Exp(float64(b[2*n+j]))))
			}
		}
	}
	mean, std, largest := moments(times)
	wantStd := (steps - 2) / math.Sqrt(12)
	tolerance := 5 * wantStd / math.Sqrt(float64(len(times)))
	if !(math.Abs(mean-steps/2) < tolerance && math.Abs(std-wantStd) < tolerance) {
		t.Errorf("times have mean %g, deviation %g", mean, std)
	}
	if smallest := slices.Min(times); !(smallest >= 1 && largest <= steps-1) {
		t.Errorf("times are from %g to %g", smallest, largest)
	}
	spec.Cell = GRU
	if p, err = Init(spec, 1, Chrono(steps)); err != nil {
		t.Fatal(err)
	}
	if b := p.Layers[0].Direction(1, 2).B; !(b[0] >= 0 && b[0] <= 5.01 && b[3*n] == 0) {
		t.Errorf("a GRU's update bias is %g + %g", b[0], b[3*n])
	}

	for want, recipe := range map[string]Recipe{
		"lstm for a forget bias": ForgetBias(1), "rnn has no gates": Chrono(9),
		"steps is 2: it must be 3 or more": Chrono(2),
	} {
		spec.Cell = RNN
		if _, err := New(Metadata{Spec: spec}, 0, recipe); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not about %q", err, want)
		}
	}
}

func moments(x []float32) (mean, std, largest float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	for _, v := range x {
		std += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, math.Sqrt(std), largest
}

func TestScale(t *testing.T) {
	// numpy: x = np.array([3, 5, 10, 1.5]); x.mean(), x.std()
	s := FitScale([]float32{3, 5, 10, 1.5}, 1)
	if !(math.Abs(float64(s.Mean[0])-4.875) < 1e-6 && math.Abs(float64(s.Std[0])-3.2088744) < 1e-6) {
		t.Errorf("mean %g, deviation %g", s.Mean[0], s.Std[0])
	}
	if flat := FitScale([]float32{7, 7, 7}, 1); flat.Mean[0] != 7 || flat.Std[0] != 1 {
		t.Errorf("a flat series has %+v", flat)
	}

	s = FitScale([]float32{3, 7, 5, 7, 10, 7, 1.5, 7}, 2)
	if !slices.Equal(s.Mean, []float32{4.875, 7}) {
		t.Errorf("two features have means %g", s.Mean)
	}
	if !(math.Abs(float64(s.Std[0])-3.2088744) < 1e-6) || s.Std[1] != 1 {
		t.Errorf("two features have deviations %g", s.Std)
	}

	two := &Scale{Mean: []float32{1, 10}, Std: []float32{2, 5}}
	x := []float32{3, 20, 1, 0}
	y := make([]float32, 4)
	two.Apply(y, x)
	if want := []float32{1, 2, 0, -2}; !slices.Equal(y, want) {
		t.Errorf("scaled to %v, not %v", y, want)
	}
	two.Invert(y, y)
	if !slices.Equal(y, x) {
		t.Errorf("back to %v, not %v", y, x)
	}
	var none *Scale
	none.Apply(y, []float32{4, 3, 2, 1})
	none.Invert(x, y)
	if !slices.Equal(x, []float32{4, 3, 2, 1}) {
		t.Errorf("without a scale: %v", x)
	}
}
