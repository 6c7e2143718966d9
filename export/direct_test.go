package export_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxref"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
)

// The graph of a direct forecaster computes what models.Direct and models.Forecasting
// say, which reference evaluates in float64, row by row. So does the trainer.
func TestDirect(t *testing.T) {
	engines := orttest.Engines(t, native.New())
	trials := 300
	if testing.Short() {
		trials = 25
	}
	for seed := range trials {
		rng := rand.New(rand.NewPCG(uint64(seed), 14))
		m := randomDirect(t, rng)
		in := randomWindows(rng, m)
		data, err := export.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range engines {
			if err := checkDirect(e, data, m, in); err != nil {
				t.Fatalf("seed %d, %s: %v\n%+v\n%+v", seed, e, err, *m.Spec.Direct, *m.Forecast)
			}
		}
		answers, err := verify.Forecasts(m, in.tensors(m.Spec.Direct))
		if err == nil {
			err = checkRows(m, in, tensor.Of(answers, len(answers)))
		}
		if err != nil {
			t.Fatalf("seed %d, the trainer: %v\n%+v\n%+v", seed, err, *m.Spec.Direct, *m.Forecast)
		}
	}
}

func checkDirect(e engine.Engine, data []byte, m *models.Model, in windows) error {
	s, err := e.Open(data)
	if err != nil {
		return err
	}
	defer s.Close()
	got, err := s.Run(context.Background(), in.tensors(m.Spec.Direct))
	if err != nil {
		return err
	}
	d := m.Spec.Direct
	output, all := got["output"], got["quantiles"]
	if want := []int{in.batch, d.Horizon, d.Targets}; !slices.Equal(output.Shape, want) || !slices.Equal(all.Shape, append(want, len(d.Quantiles))) {
		return fmt.Errorf("the shapes are %v and %v", output.Shape, all.Shape)
	}
	for i, v := range output.Float64s() {
		if median := all.Float64s()[i*len(d.Quantiles)+len(d.Quantiles)/2]; v != median {
			return fmt.Errorf("the output is %v, where the median is %v", v, median)
		}
	}
	return checkRows(m, in, all)
}

// checkRows compares quantiles with those of reference.
func checkRows(m *models.Model, in windows, quantiles tensor.Tensor) error {
	for b := range in.batch {
		for target := range m.Spec.Direct.Targets {
			if err := checkRow(m, in, b, target, quantiles.Float64s()); err != nil {
				return fmt.Errorf("example %d, target %d: %w", b, target, err)
			}
		}
	}
	return nil
}

func checkRow(m *models.Model, in windows, b, target int, all []float64) error {
	d := m.Spec.Direct
	want, sizes := reference(m, in, b, target)
	for h, row := range want {
		at := (b*d.Horizon+h)*d.Targets + target
		got := all[at*len(row):][:len(row)]
		for q, v := range row {
			tolerance := max(1e-5, 1e-5*sizes[h], math.Abs(v)/(1<<21)) // two steps of a float32
			if m.LogFloor() > 0 {
				tolerance = max(1e-5, 1e-5*math.Abs(v))
			}
			if len(m.Mixture) > 0 { // of which little may be left
				tolerance = max(tolerance, 1e-5*sizes[h])
			}
			if m.Forecast.Integer {
				tolerance += 0.5
			}
			if !(math.Abs(got[q]-v) <= tolerance) {
				return fmt.Errorf("step %d, quantile %d is %v, not %v", h, q, got[q], v)
			}
			if m.Forecast.Integer && got[q] != math.Round(got[q]) {
				return fmt.Errorf("step %d, quantile %d is %v, which is not whole", h, q, got[q])
			}
		}
		if !slices.IsSorted(got) {
			return fmt.Errorf("step %d: the quantiles are %v", h, got)
		}
	}
	return nil
}

func randomDirect(t *testing.T, rng *rand.Rand) *models.Model {
	t.Helper()
	d := &models.Direct{
		Segment: 1 + rng.IntN(5), Horizon: 1 + rng.IntN(9), Targets: 1 + rng.IntN(3),
		Past: rng.IntN(3), Future: rng.IntN(3), Static: rng.IntN(3),
		Center: models.CenterLast, Linear: rng.IntN(4),
		Quantiles: [][]float64{{0.5}, {0.1, 0.5, 0.9}, {0.025, 0.1, 0.5, 0.9, 0.975}}[rng.IntN(3)],
	}
	d.Window = d.Segment * (1 + rng.IntN(5))
	if rng.IntN(2) == 0 {
		d.Center = models.CenterMean
	}
	if rng.IntN(3) == 0 {
		d.Log = 0.5
	}
	for range rng.IntN(3) {
		d.Categories = append(d.Categories, models.Category{Size: 1 + rng.IntN(4), Embedding: 1 + rng.IntN(3)})
	}
	spec := models.Spec{
		Cell: []models.Cell{models.RNN, models.LSTM, models.GRU}[rng.IntN(3)], Features: d.Columns(), Embedding: 1 + rng.IntN(9),
		Hidden: 1 + rng.IntN(9), Layers: 1 + rng.IntN(2), Readout: models.ReadAll, Outputs: d.Segment * len(d.Quantiles), Direct: d,
	}
	if d.Future == 0 && rng.IntN(2) == 0 {
		spec.Readout, spec.Outputs = models.ReadLast, d.Horizon*len(d.Quantiles)
	}
	meta := models.Metadata{Task: models.Forecast, Spec: spec, Window: d.Window, Horizon: d.Horizon, Forecast: randomForecasting(rng, d)}
	members := randomMembers(t, rng, spec)
	m := &models.Model{Metadata: meta, Params: members[0], Ensemble: members[1:]}
	rng = rand.New(rand.NewPCG(uint64(math.Float32bits(members[0].Data[0])), 14))
	for i := range []int{0, 0, 1, 2}[rng.IntN(4)] {
		other := randomComponent(rng, spec)
		m.Mixture = append(m.Mixture, models.Component{Spec: other, Weight: []float32{0.3, 0.45}[i]})
		m.Mixed = append(m.Mixed, randomMembers(t, rng, other))
	}
	return m
}

// randomMembers returns the parameters of an ensemble.
func randomMembers(t *testing.T, rng *rand.Rand, s models.Spec) (members []*models.Params[float32]) {
	t.Helper()
	for range []int{1, 1, 2, 3, 5}[rng.IntN(5)] {
		p, err := models.Init(s, rng.Uint64())
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Path {
			p.Path[i] = float32(rng.NormFloat64()) / 4
		}
		members = append(members, p)
	}
	return members
}

// randomComponent returns an architecture that goes with s in a mixture.
func randomComponent(rng *rand.Rand, s models.Spec) models.Spec {
	d := *s.Direct
	d.Linear, d.Categories = rng.IntN(3), slices.Clone(d.Categories)
	if d.Log = 0; rng.IntN(2) == 0 {
		d.Log = 0.5
	}
	for i := range d.Categories {
		d.Categories[i].Embedding = 1 + rng.IntN(3)
	}
	if rng.IntN(2) == 0 {
		d.Segment, d.Center = d.Window, models.CenterLast
	}
	s.Direct, s.Hidden, s.Embedding, s.Layers, s.Dropout = &d, 1+rng.IntN(9), 1+rng.IntN(9), 1+rng.IntN(2), 0.5
	if s.Readout == models.ReadAll {
		s.Outputs = d.Segment * len(d.Quantiles)
	}
	return s
}

func randomForecasting(rng *rand.Rand, d *models.Direct) *models.Forecasting {
	f := &models.Forecasting{
		Targets: make([]string, d.Targets), Past: make([]string, d.Past), Future: make([]string, d.Future),
		Static: make([]string, d.Static), Categories: make([]models.CategoryValues, len(d.Categories)),
		PastScale: randomScale(rng, d.Past), FutureScale: randomScale(rng, d.Future), StaticScale: randomScale(rng, d.Static),
	}
	if rng.IntN(3) == 0 {
		for range d.Horizon * len(d.Quantiles) {
			f.Widths = append(f.Widths, 0.5+2*rng.Float32())
		}
	}
	if rng.IntN(4) == 0 {
		least := -0.3
		f.Min = &least
	}
	if rng.IntN(4) == 0 {
		most := 7.6
		f.Max = &most
	}
	f.Integer = rng.IntN(4) == 0
	return f
}

// randomScale returns a scale of n values, or nil half of the time.
func randomScale(rng *rand.Rand, n int) *models.Scale {
	if n == 0 || rng.IntN(2) == 0 {
		return nil
	}
	s := &models.Scale{}
	for range n {
		s.Mean, s.Std = append(s.Mean, float32(rng.NormFloat64())), append(s.Std, 0.5+rng.Float32())
	}
	return s
}

// windows is a batch of examples.
type windows struct {
	batch                 int
	input, future, static []float32
	categories            []int64
}

func (in windows) tensors(d *models.Direct) map[string]tensor.Tensor {
	named := map[string]tensor.Tensor{"input": tensor.Of(in.input, in.batch, d.Window, d.Columns())}
	if d.Future > 0 {
		named["future"] = tensor.Of(in.future, in.batch, d.Horizon, d.Future)
	}
	if d.Static > 0 {
		named["static"] = tensor.Of(in.static, in.batch, d.Static)
	}
	if n := len(d.Categories); n > 0 {
		named["categories"] = tensor.Of(in.categories, in.batch, n)
	}
	return named
}

// randomWindows returns examples of one or three series, of which some are constant, large,
// full of holes, or missing.
func randomWindows(rng *rand.Rand, m *models.Model) windows {
	d := m.Spec.Direct
	in := windows{batch: 1 + 2*rng.IntN(2)}
	numbers := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			if x[i] = float32(rng.NormFloat64()); rng.IntN(9) == 0 {
				x[i] = float32(math.NaN())
			}
		}
		return x
	}
	in.input, in.future, in.static = numbers(in.batch*d.Window*d.Columns()), numbers(in.batch*d.Horizon*d.Future), numbers(in.batch*d.Static)
	for range in.batch {
		for target := range d.Targets {
			randomSeries(rng, in.input[len(in.input)/in.batch*rng.IntN(in.batch)+target:], d)
		}
		for _, c := range d.Categories {
			in.categories = append(in.categories, int64(rng.IntN(c.Size)))
		}
	}
	return in
}

// randomSeries changes the first column of rows.
func randomSeries(rng *rand.Rand, rows []float32, d *models.Direct) {
	level, size, missing := 10*rng.NormFloat64(), rng.ExpFloat64(), rng.IntN(2)*rng.IntN(3)
	switch rng.IntN(6) {
	case 0:
		size = 0
	case 1:
		level = 1e6
	case 2:
		level, size = 1e6, 1e6
	case 3:
		missing = 10
	}
	for i := range d.Window {
		rows[i*d.Columns()] = float32(level + size*rng.NormFloat64())
		if rng.IntN(10) < missing {
			rows[i*d.Columns()] = float32(math.NaN())
		}
	}
}

// reference returns what m answers for a target of an example, [horizon][quantiles], but
// for the rounding to whole numbers, and how large what it is made of is: the deviation of
// the window, or of a mixture the sum of those, and of the medians that were logarithms.
func reference(m *models.Model, in windows, b, target int) (y [][]float64, sizes []float64) {
	sizes = make([]float64, m.Horizon)
	first := 1.0
	for i := range m.Mixed {
		first -= float64(m.Mixture[i].Weight)
	}
	for i, members := range append([][]*models.Params[float32]{append([]*models.Params[float32]{m.Params}, m.Ensemble...)}, m.Mixed...) {
		part, weight := *m, first
		if i > 0 {
			part.Spec, weight = m.Mixture[i-1].Spec, float64(m.Mixture[i-1].Weight)
		}
		answers, deviation := ensemble(&part, members, in, b, target)
		y = weighted(y, answers, weight)
		for h, row := range answers {
			if part.Spec.Direct.Log > 0 && len(m.Mixture) > 0 {
				sizes[h] += math.Abs(row[len(row)/2])
			} else {
				sizes[h] += deviation
			}
		}
	}
	return answered(m, y), sizes
}

// weighted adds answers times a weight to y.
func weighted(y, answers [][]float64, weight float64) [][]float64 {
	for h, row := range answers {
		if len(y) == h {
			y = append(y, make([]float64, len(row)))
		}
		for q, v := range row {
			y[h][q] += weight * v
		}
	}
	return y
}

// ensemble returns the medians over members, in raw units, and the deviation of the
// window.
func ensemble(m *models.Model, params []*models.Params[float32], in windows, b, target int) (y [][]float64, deviation float64) {
	d := m.Spec.Direct
	row := make([]float64, d.Window)
	for i := range row {
		row[i] = float64(in.input[(b*d.Window+i)*d.Columns()+target])
	}
	z, mask, center, deviation := normalized(d, row)
	var members [][][]float64
	for _, p := range params {
		y := network(m, p, in, b, z, mask)
		for _, step := range y {
			for q := range step {
				step[q] = center + step[q]*deviation
				if d.Log > 0 {
					step[q] = math.Exp(step[q])
				}
			}
		}
		members = append(members, y)
	}
	return medians(members), deviation
}

// normalized returns the normalized window, its mask, center and deviation.
func normalized(d *models.Direct, row []float64) (z, mask []float64, center, deviation float64) {
	var known []float64
	z, mask = make([]float64, len(row)), make([]float64, len(row))
	for i, v := range row {
		if math.IsNaN(v) {
			continue
		}
		if d.Log > 0 {
			v = math.Log(max(v, d.Log))
		}
		known = append(known, v)
		z[i], mask[i] = v, 1
	}
	if len(known) == 0 {
		return z, mask, 0, 0
	}
	mean := 0.0
	for _, v := range known {
		mean += v / float64(len(known))
	}
	for _, v := range known {
		deviation += (v - mean) * (v - mean) / float64(len(known))
	}
	deviation = math.Sqrt(deviation)
	center = mean
	if d.Center == models.CenterLast {
		center = known[len(known)-1]
	}
	for i := range z {
		z[i] = mask[i] * (z[i] - center) / max(deviation, 1e-6*math.Abs(center)+1e-20)
	}
	return z, mask, center, deviation
}

// network returns what a member answers in normalized units.
func network(m *models.Model, p *models.Params[float32], in windows, b int, z, mask []float64) [][]float64 {
	d, s := m.Spec.Direct, m.Spec
	total := d.WindowSegments() + d.HorizonSegments()
	x := onnxref.NewArray(total, 1, s.Embedding)
	for k := range total {
		features := segment(m, p, in, b, k, z, mask)
		for j := range s.Embedding {
			x.Data[k*s.Embedding+j] = max(0, dense(features, p.Segment, j))
		}
	}
	for i, l := range p.Layers {
		rows := s.Cell.Gates() * s.Hidden
		n := onnxref.Recurrent{
			Op: strings.ToUpper(string(s.Cell)), Direction: "forward", Clip: math.Inf(1), LinearBeforeReset: true, X: x,
			W: array(l.W, 1, rows, s.LayerInputs(i)), R: array(l.R, 1, rows, s.Hidden), B: array(l.B, 1, 2*rows),
		}
		x = n.Run()[0]
		x.Shape = []int{total, 1, s.Hidden}
	}
	shares := mixture(x.Data[(d.WindowSegments()-1)*s.Hidden:][:s.Hidden], p.Gate)
	answer := make([][]float64, d.Horizon)
	for h := range answer {
		at, step := d.WindowSegments()+h/d.Segment, h%d.Segment
		if s.Readout == models.ReadLast {
			at, step = d.WindowSegments()-1, h
		}
		for q := range d.Quantiles {
			y := dense(x.Data[at*s.Hidden:][:s.Hidden], p.Head, step*len(d.Quantiles)+q)
			for i := range p.Path {
				if i%d.Horizon == h {
					y += shares[i/d.Horizon%d.Linear] * z[i/d.Horizon/d.Linear] * float64(p.Path[i])
				}
			}
			answer[h] = append(answer[h], y)
		}
	}
	return answer
}

// mixture returns the shares of the linear maps: of a single one, 1.
func mixture(state []float64, gate models.Linear[float32]) []float64 {
	if len(gate.B) == 0 {
		return []float64{1}
	}
	shares, sum := make([]float64, len(gate.B)), 0.0
	for k := range shares {
		shares[k] = math.Exp(dense(state, gate, k))
		sum += shares[k]
	}
	for k := range shares {
		shares[k] /= sum
	}
	return shares
}

// segment returns the features of segment k, as Direct.Features has them.
func segment(m *models.Model, p *models.Params[float32], in windows, b, k int, z, mask []float64) (features []float64) {
	d, f := m.Spec.Direct, m.Forecast
	channel := func(value func(step int) float64) {
		for i := range d.Segment {
			features = append(features, value(k*d.Segment+i))
		}
	}
	column := func(step, column int, scale *models.Scale, i int) float64 {
		return standardized(in.input[(b*d.Window+step)*d.Columns()+column], scale, i)
	}
	ofWindow := func(x []float64) func(int) float64 {
		return func(step int) float64 {
			if step < d.Window {
				return x[step]
			}
			return 0
		}
	}
	channel(ofWindow(z))
	channel(ofWindow(mask))
	for i := range d.Past {
		channel(func(step int) float64 {
			if step < d.Window {
				return column(step, d.Targets+i, f.PastScale, i)
			}
			return 0
		})
	}
	for i := range d.Future {
		channel(func(step int) float64 {
			switch {
			case step < d.Window:
				return column(step, d.Targets+d.Past+i, f.FutureScale, i)
			case step < d.Window+d.Horizon:
				return standardized(in.future[(b*d.Horizon+step-d.Window)*d.Future+i], f.FutureScale, i)
			}
			return 0
		})
	}
	for i := range d.Static {
		features = append(features, standardized(in.static[b*d.Static+i], f.StaticScale, i))
	}
	for i, c := range d.Categories {
		number := int(in.categories[b*len(d.Categories)+i])
		for _, v := range p.Categories[i][number*c.Embedding:][:c.Embedding] {
			features = append(features, float64(v))
		}
	}
	return features
}

func standardized(v float32, scale *models.Scale, i int) float64 {
	x := float64(v)
	if scale != nil {
		x = (x - float64(scale.Mean[i])) / float64(scale.Std[i])
	}
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// dense returns output j of a linear map.
func dense(x []float64, l models.Linear[float32], j int) float64 {
	y := float64(l.B[j])
	for i, v := range x {
		y += v * float64(l.W[i*len(l.B)+j])
	}
	return y
}

func array(data []float32, shape ...int) *onnxref.Array {
	a := onnxref.NewArray(shape...)
	for i, v := range data {
		a.Data[i] = float64(v)
	}
	return a
}

// medians returns the medians over the members.
func medians(members [][][]float64) [][]float64 {
	n := len(members)
	for h, row := range members[0] {
		for q := range row {
			var list []float64
			for _, y := range members {
				list = append(list, y[h][q])
			}
			slices.Sort(list)
			row[q] = (list[(n-1)/2] + list[n/2]) / 2
		}
	}
	return members[0]
}

// answered applies to y what Forecasting says, but for the rounding.
func answered(m *models.Model, y [][]float64) [][]float64 {
	f, mid := m.Forecast, len(m.Spec.Direct.Quantiles)/2
	for h, row := range y {
		outwards(row)
		for q := range row {
			if len(f.Widths) > 0 {
				row[q] = row[mid] + float64(f.Widths[h*len(row)+q])*(row[q]-row[mid])
			}
		}
		outwards(row)
		for q := range row {
			row[q] = bounded(f, row[q])
		}
	}
	return y
}

// bounded keeps v between the bounds: of whole numbers, those that lie between them.
func bounded(f *models.Forecasting, v float64) float64 {
	ceil, floor := math.Ceil, math.Floor
	if !f.Integer {
		ceil = func(v float64) float64 { return v }
		floor = ceil
	}
	if f.Min != nil {
		v = max(v, ceil(*f.Min))
	}
	if f.Max != nil {
		v = min(v, floor(*f.Max))
	}
	return v
}

// outwards makes quantiles monotone from the middle.
func outwards(row []float64) {
	mid := len(row) / 2
	for q := mid - 1; q >= 0; q-- {
		row[q] = min(row[q], row[q+1])
	}
	for q := mid + 1; q < len(row); q++ {
		row[q] = max(row[q], row[q-1])
	}
}
