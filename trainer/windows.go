package trainer

import (
	"math"

	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// windows holds the normalized windows of a batch of a direct forecaster, and what they
// are normalized by. See models.Direct.
type windows[T models.Float] struct {
	direct      *models.Direct
	raw         []T  // [window]: the window that is loaded, with the logarithm
	known       []T  // what of it is not missing
	ahead       []T  // [horizon]: the targets of a window, as raw
	z           []T  // [batch, window]
	center, dev []T  // [batch]
	missing     bool // a window lacks a value
}

func (w *windows[T]) resize(batch int) {
	w.missing = false
	kernels.Grow(&w.raw, w.direct.Window)
	kernels.Grow(&w.known, w.direct.Window)
	kernels.Grow(&w.ahead, w.direct.Horizon)
	kernels.Grow(&w.z, batch*w.direct.Window)
	kernels.Grow(&w.center, batch)
	kernels.Grow(&w.dev, batch)
}

// normalize sets window i of z from the first of each group of columns values of inputs,
// and returns it.
func (w *windows[T]) normalize(i int, inputs []float32, columns int) []T {
	w.read(w.raw, inputs, columns)
	center, dev, missing := w.moments()
	w.center[i], w.dev[i] = T(center), T(dev)
	z := w.z[i*w.direct.Window:][:w.direct.Window]
	kernels.Normalize(z, w.raw, w.center[i], 1/T(max(dev, 1e-6*math.Abs(center)+1e-20)))
	if missing {
		w.missing = true
		for t, v := range z {
			if v != v {
				z[t] = 0
			}
		}
	}
	return z
}

// read sets dst to the first of each group of columns values, as the model sees them.
func (w *windows[T]) read(dst []T, values []float32, columns int) {
	if columns == 1 {
		kernels.Convert(dst, values)
	} else {
		for t := range dst {
			dst[t] = T(values[t*columns])
		}
	}
	if w.direct.Log == 0 {
		return
	}
	least := T(max(w.direct.Log, leastNormal))
	for t, v := range dst {
		dst[t] = max(v, least) // NaN stays
	}
	kernels.Logs(dst, dst)
}

// leastNormal is the least float32 that is not subnormal.
const leastNormal = 0x1p-126

// answer returns a normalized answer in raw units, for window i.
func (w *windows[T]) answer(i int, y T) T {
	y = w.center[i] + y*w.dev[i]
	if w.direct.Log > 0 {
		y = T(math.Exp(float64(y)))
	}
	return y
}

// moments returns the center of raw, its standard deviation, and whether values are
// missing. Center and deviation are 0 if all are. They are summed in float64.
func (w *windows[T]) moments() (center, dev float64, missing bool) {
	known, last := w.raw, 0.0
	mean := kernels.Sum(known)
	if missing = mean != mean; missing {
		known = w.known[:0]
		for _, v := range w.raw {
			if v == v {
				known = append(known, v)
			}
		}
		mean = kernels.Sum(known)
	}
	n := float64(max(len(known), 1))
	mean /= n
	dev = math.Sqrt(kernels.SumSquares(known, mean) / n)
	if len(known) > 0 {
		last = float64(known[len(known)-1])
	}
	if w.direct.Center == models.CenterLast {
		return last, dev, missing
	}
	return mean, dev, missing
}

// loadWindow sets the segments of example order[i], and its categories.
func (s *shard[T]) loadWindow(r *runner[T], i int) {
	d, scales := s.spec.Direct, r.meta.Forecast
	if scales == nil {
		scales = new(models.Forecasting)
	}
	b, example := &r.batch, s.first+s.order[i]
	columns, ahead := 1+d.Past+d.Future, b.Ahead[example*d.Horizon*d.Future:][:d.Horizon*d.Future]
	inputs := b.Inputs[example*d.Window*columns:][:d.Window*columns]
	z := s.windows.normalize(i, inputs, columns)
	for t := range s.time {
		row := s.input.steps.At(t).Row(i)
		clear(row)
		first := t * d.Segment
		if t < d.WindowSegments() {
			s.loadTarget(row, z[first:], s.windows.raw[first:])
			rows := inputs[first*columns:][:d.Segment*columns]
			loadCovariates(row[2*d.Segment:], d.Segment, rows, columns, 1, scales.PastScale, d.Past)
			loadCovariates(row[(2+d.Past)*d.Segment:], d.Segment, rows, columns, 1+d.Past, scales.FutureScale, d.Future)
		} else {
			first -= d.Window
			rows := ahead[first*d.Future : min(first+d.Segment, d.Horizon)*d.Future]
			loadCovariates(row[(2+d.Past)*d.Segment:], d.Segment, rows, d.Future, 0, scales.FutureScale, d.Future)
		}
		loadCovariates(row[(2+d.Past+d.Future)*d.Segment:], 1, b.Static[example*d.Static:][:d.Static], d.Static, 0, scales.StaticScale, d.Static)
	}
	n := len(d.Categories)
	if n > 0 {
		copy(s.categories.numbers[i*n:][:n], b.Categories[example*n:])
	}
}

// loadTarget sets the normalized values and the masks of a segment.
func (s *shard[T]) loadTarget(row, z, raw []T) {
	n := s.spec.Direct.Segment
	copy(row[:n], z)
	for j, v := range raw[:n] {
		if v == v {
			row[n+j] = 1
		}
	}
}

// loadCovariates copies the columns from first on of rows, [steps, columns], to dst: the
// steps of the first, scaled, then those of the second. Each of the count columns takes
// the given number of steps in dst. A missing value counts as the mean.
func loadCovariates[T models.Float](dst []T, steps int, rows []float32, columns, first int, scale *models.Scale, count int) {
	for c := range count {
		mean, std := T(0), T(1)
		if scale != nil {
			mean, std = T(scale.Mean[c]), T(scale.Std[c])
		}
		for t := range len(rows) / columns {
			if v := T(rows[t*columns+first+c]); v == v {
				dst[c*steps+t] = (v - mean) / std
			}
		}
	}
}

// maxRowWeight limits what a row of normalized answers counts in the loss, so that a few
// windows that move much more than their series' errors do not decide an update.
const maxRowWeight = 10

// computeQuantileLoss is computeLoss for a direct forecaster: the pinball loss of its
// quantiles, in normalized units times the deviation and the weight of the row, up to
// maxRowWeight. Missing targets do not count.
func (s *shard[T]) computeQuantileLoss(r *runner[T]) {
	d := s.spec.Direct
	width := d.Horizon * len(d.Quantiles)
	for i, example := range s.order {
		out, dout := s.out[i*width:][:width], s.dout[i*width:][:width]
		targets := r.batch.Targets[(s.first+example)*d.Horizon:][:d.Horizon]
		weight := T(s.rowWeight(i, r.lossWeight(s.first+example)) / float64(len(d.Quantiles)))
		s.loss += float64(weight) * s.rowLoss(dout, out, targets, i, weight)
	}
}

// rowWeight returns what the errors of the answers for window i are multiplied by, in the
// units that the window is read in. There weight is what errors in raw units are
// multiplied by.
func (s *shard[T]) rowWeight(i int, weight float64) float64 {
	if s.spec.Direct.Log > 0 {
		weight *= math.Exp(float64(s.windows.center[i]))
	}
	return min(weight, maxRowWeight/float64(s.windows.dev[i]))
}

// rowLoss returns the sum of the pinball losses of a row that answers window i, in the
// units that the window is read in. It sets dout to weight times its gradient.
func (s *shard[T]) rowLoss(dout, out []T, targets []float32, i int, weight T) (sum float64) {
	w, quantiles := s.windows, s.slopes
	dev, scale := w.dev[i], w.dev[i]*weight
	w.read(w.ahead, targets, 1)
	for h, target := range w.ahead {
		part := h * len(quantiles)
		y, dy := out[part:][:len(quantiles)], dout[part:][:len(quantiles)]
		t := target - w.center[i]
		if t != t {
			clear(dy)
			continue
		}
		for k := range quantiles {
			d, below := t-y[k]*dev, 0
			if d < 0 {
				below = 1
			}
			slope := quantiles[k][below]
			sum += float64(slope * d)
			dy[k] = -slope * scale
		}
	}
	return sum
}

// lossWeight returns the weight of an example in the loss.
func (r *runner[T]) lossWeight(example int) float64 {
	if len(r.batch.Weights) == 0 {
		return 1
	}
	return float64(r.batch.Weights[example])
}
