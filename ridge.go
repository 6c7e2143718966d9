package rnnkit

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// Ridge regression: how much it shrinks, as a share of the mean of the diagonal, and how
// many windows it looks at, so that it takes no longer than a second or so.
const (
	ridgeShrinkage = 1e-3
	ridgeWindows   = 20_000
	ridgeProducts  = 1.5e9
)

// ridgePath returns the linear map [window, horizon] from the normalized windows of
// source to what follows, that has the least squared error in the units of the loss: Hoerl
// and Kennard, "Ridge Regression" (1970). It is computed in float64. Windows with missing
// targets are left out. It is nil if too few are left.
func ridgePath(source datasets.Source, d *models.Direct, seed uint64) ([]float32, error) {
	r := newRidge(d.Window, d.Horizon)
	limit := min(ridgeWindows, max(4*d.Window, int(ridgeProducts/float64(d.Window*d.Window))))
	var b datasets.Batch
	for part := range slices.Chunk(drawn(source.Len(), limit, seed), 256) {
		if err := source.Read(&b, part); err != nil {
			return nil, err
		}
		r.addBatch(&b, d)
	}
	if r.rows < 2 {
		return nil, nil
	}
	return r.solve(), nil
}

// drawn returns limit of the numbers up to n, or all of them, in order.
func drawn(n, limit int, seed uint64) []int {
	if n <= limit {
		return firstOf(n)
	}
	rng := rand.New(rand.NewPCG(seed, 0x7269646765))
	list := make([]int, limit)
	for i := range list {
		from, to := i*n/limit, (i+1)*n/limit
		list[i] = from + rng.IntN(to-from)
	}
	return list
}

// ridge is a regression in the making.
type ridge struct {
	inputs, outputs int
	rows            int
	squares         []float64 // [inputs, inputs], the lower triangle
	products        []float64 // [inputs, outputs]
	x, y            []float64 // a row
}

func newRidge(inputs, outputs int) *ridge {
	return &ridge{
		inputs: inputs, outputs: outputs,
		squares: make([]float64, inputs*inputs), products: make([]float64, inputs*outputs),
		x: make([]float64, inputs), y: make([]float64, outputs),
	}
}

// addBatch adds the examples of a batch.
func (r *ridge) addBatch(b *datasets.Batch, d *models.Direct) {
	columns := len(b.Inputs) / (b.Size * b.Time)
	for i := range b.Size {
		center, deviation := normalize(r.x, b.Inputs[i*b.Time*columns:], columns, d)
		weight := float64(b.Weights[i])
		if d.Log > 0 {
			weight *= math.Exp(center)
		}
		known := deviation > 0
		for h, v := range b.Targets[i*d.Horizon:][:d.Horizon] {
			r.y[h] = (read(v, d) - center) * weight
			known = known && !math.IsNaN(r.y[h])
		}
		if !known {
			continue
		}
		for t := range r.x {
			r.x[t] *= deviation * weight
		}
		r.add()
	}
}

// add adds the row x, y.
func (r *ridge) add() {
	r.rows++
	for i, v := range r.x {
		if v == 0 {
			continue
		}
		row := r.squares[i*r.inputs:][:i+1]
		for j, w := range r.x[:i+1] {
			row[j] += v * w
		}
		out := r.products[i*r.outputs:][:r.outputs]
		for h, w := range r.y {
			out[h] += v * w
		}
	}
}

// solve returns the map. It changes the sums.
func (r *ridge) solve() []float32 {
	n, trace := r.inputs, 0.0
	for i := range n {
		trace += r.squares[i*n+i]
	}
	for i := range n {
		r.squares[i*n+i] += ridgeShrinkage*trace/float64(n) + 1e-12
	}
	factorize(r.squares, n)
	substitute(r.squares, n, r.products, r.outputs)
	path := make([]float32, len(r.products))
	for i, v := range r.products {
		path[i] = float32(v)
	}
	return path
}

// factorize replaces the lower triangle of a positive definite matrix [n, n] by its
// Cholesky factor L, of which a is L·Lᵀ.
func factorize(a []float64, n int) {
	for i := range n {
		for j := range i + 1 {
			sum := a[i*n+j]
			for k, v := range a[j*n:][:j] {
				sum -= a[i*n+k] * v
			}
			if i == j {
				a[i*n+i] = math.Sqrt(sum)
			} else {
				a[i*n+j] = sum / a[j*n+j]
			}
		}
	}
}

// substitute replaces b, [n, columns], by the solution x of L·Lᵀ·x = b.
func substitute(l []float64, n int, b []float64, columns int) {
	row := func(i int) []float64 { return b[i*columns:][:columns] }
	for i := range n {
		for k := range i {
			addScaled(row(i), -l[i*n+k], row(k))
		}
		scale(row(i), 1/l[i*n+i])
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			addScaled(row(i), -l[k*n+i], row(k))
		}
		scale(row(i), 1/l[i*n+i])
	}
}

func addScaled(dst []float64, f float64, x []float64) {
	for i, v := range x {
		dst[i] += f * v
	}
}

func scale(x []float64, f float64) {
	for i := range x {
		x[i] *= f
	}
}

// normalize sets z to the normalized window whose values are every so many columns of
// window, and returns what it was normalized by: see models.Direct.
func normalize(z []float64, window []float32, columns int, d *models.Direct) (center, deviation float64) {
	last := 0.0
	for t := range z {
		z[t] = read(window[t*columns], d)
		if !math.IsNaN(z[t]) {
			last = z[t]
		}
	}
	if center, deviation = moments(z); math.IsNaN(center) {
		center, deviation = 0, 0
	}
	if d.Center == models.CenterLast {
		center = last
	}
	for t, v := range z {
		if z[t] = (v - center) / max(deviation, 1e-6*math.Abs(center)+1e-20); math.IsNaN(v) {
			z[t] = 0
		}
	}
	return center, deviation
}

// read returns a value of a target as the model reads it.
func read(v float32, d *models.Direct) float64 {
	if d.Log == 0 || v != v {
		return float64(v)
	}
	return math.Log(max(float64(v), d.Log))
}
