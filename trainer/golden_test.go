package trainer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// golden is what PyTorch computes for a model in float64. The script
// testdata/torch/golden.py, which writes it, explains the fields.
type golden struct {
	Name    string
	Seed    uint64
	Spec    models.Spec
	Batch   int
	Time    int
	Lengths []int
	State   bool
	Chrono  bool
	Loss    struct {
		Name      string
		Delta     float64
		Quantiles []float64
		Weights   []float64
		Smoothing float64
		Ignored   bool
	}

	// Of a case:
	Outputs   []float64
	Value     float64
	Gradients []byte

	// Of a trajectory:
	Optimizer  Optimizer
	Rate       float64
	Schedule   string
	Clip       float64
	Losses     []float64
	Rates      []float64
	Parameters []byte
}

type goldens struct {
	Torch        string
	Metrics      []float64
	Cases        []golden
	Trajectories []golden
}

func readGoldens(t *testing.T) (g goldens) {
	t.Helper()
	data, err := os.ReadFile("testdata/torch/golden.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestGoldens compares outputs, losses and gradients with those of PyTorch.
func TestGoldens(t *testing.T) {
	g := readGoldens(t)
	if len(g.Cases) != 800 {
		t.Errorf("%d cases, not 800", len(g.Cases))
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			params, batch, loss := c.problem(t)
			p, err := newRunner(&models.Metadata{Spec: c.Spec}, params, loss, 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			if err := p.read(fixed(batch), firstExamples(c.Batch)); err != nil {
				t.Fatal(err)
			}
			value := p.run(training, 0)
			grads := models.NewParams[float64](c.Spec)
			for _, s := range p.active() {
				kernels.AddScaled(grads.Data, 1, s.grads.Data)
			}
			var outputs []float64
			for example := range c.Batch {
				s := p.shards[example/p.shardSize]
				i := slices.Index(s.order, example%p.shardSize)
				for step := range p.rowsOf(example) {
					outputs = append(outputs, s.out[(step*s.batch+i)*c.Spec.Outputs:][:c.Spec.Outputs]...)
				}
			}
			compare(t, "outputs", outputs, c.Outputs, 1e-9, 0)
			compare(t, "loss", []float64{value}, []float64{c.Value}, 1e-9, 0)
			compareParams(t, c.Spec, grads, c.Gradients, 1e-6)
		})
	}
}

// TestGoldenTrajectories compares the losses, learning rates and parameters of 20
// updates with those of PyTorch.
func TestGoldenTrajectories(t *testing.T) {
	g := readGoldens(t)
	if len(g.Trajectories) != 132 {
		t.Errorf("%d trajectories, not 132", len(g.Trajectories))
	}
	for _, c := range g.Trajectories {
		t.Run(c.Name, func(t *testing.T) {
			params, batch, loss := c.problem(t)
			opts, err := Options{
				Loss:         loss,
				Optimizer:    c.Optimizer,
				LearningRate: c.Rate,
				Schedule:     c.schedule(t),
				ClipNorm:     c.Clip,
				Epochs:       len(c.Losses),
			}.withDefaults(c.Spec)
			if err != nil {
				t.Fatal(err)
			}
			f, err := newFit(&models.Metadata{Spec: c.Spec}, params, fixed(batch), examples{}, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer f.close()
			var losses, rates []float64
			for i := range c.Losses {
				e, err := f.runEpoch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				losses, rates = append(losses, e.TrainLoss), append(rates, f.rate)
				if e.TestLoss = 1; c.Schedule == "plateau" {
					e.TestLoss = g.Metrics[i]
				}
				f.finishEpoch(e)
			}
			for i := range c.Losses {
				compare(t, fmt.Sprint("learning rate ", i), rates[i:i+1], c.Rates[i:i+1], 1e-12, 0)
				compare(t, fmt.Sprint("loss ", i), losses[i:i+1], c.Losses[i:i+1], 1e-9, 0)
			}
			compareParams(t, c.Spec, params, c.Parameters, 1e-6)
		})
	}
}

// compare allows differences up to part times the largest absolute value of want, or
// times floor if that is larger.
func compare(t *testing.T, name string, got, want []float64, part, floor float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, PyTorch has %d", name, len(got), len(want))
		return
	}
	largest := floor
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i, w := range want {
		if !(math.Abs(got[i]-w) <= part*largest) {
			t.Errorf("%s: number %d of %d is %.12g, PyTorch has %.12g", name, i, len(want), got[i], w)
			return
		}
	}
}

// compareParams compares parameters or gradients with those of PyTorch, tensor by
// tensor, which are little-endian float32. It returns those of PyTorch.
func compareParams(t *testing.T, spec models.Spec, got *models.Params[float64], want []byte, part float64) *models.Params[float64] {
	t.Helper()
	if len(want) != 4*len(got.Data) {
		t.Fatalf("%d parameters, PyTorch has %d", len(got.Data), len(want)/4)
	}
	w := models.NewParams[float64](spec)
	for i := range w.Data {
		w.Data[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(want[4*i:])))
	}
	const floor = 1e-6
	compare(t, "embedding", got.Embedding, w.Embedding, part, floor)
	for l := range spec.Layers {
		for d := range spec.Directions() {
			g, w := got.Layers[l].Direction(d, spec.Directions()), w.Layers[l].Direction(d, spec.Directions())
			name := fmt.Sprintf("layer %d direction %d ", l, d)
			compare(t, name+"W", g.W, w.W, part, floor)
			compare(t, name+"R", g.R, w.R, part, floor)
			compare(t, name+"B", g.B, w.B, part, floor)
		}
	}
	compare(t, "head W", got.Head.W, w.Head.W, part, floor)
	compare(t, "head B", got.Head.B, w.Head.B, part, floor)
	return w
}

// fixed is a Source that always reads the same batch.
type fixed datasets.Batch

func (f fixed) Len() int { return f.Size }

func (f fixed) Read(b *datasets.Batch, _ []int) error {
	*b = datasets.Batch(f)
	return nil
}

// problem draws the same random numbers as golden.py, in the same order.
func (c golden) problem(t *testing.T) (*models.Params[float64], datasets.Batch, Loss) {
	t.Helper()
	if err := c.Spec.Validate(); err != nil {
		t.Fatal(err)
	}
	d := &draws{c.Seed}
	p := models.NewParams[float64](c.Spec)
	for i := range p.Data {
		p.Data[i] = float64(d.uniform()) / 2
	}
	for i := range p.Embedding {
		p.Embedding[i] *= 2
	}
	if c.Chrono {
		c.setChrono(t, p)
	}

	b := datasets.Batch{Size: c.Batch, Time: c.Time, Lengths: c.Lengths}
	for range c.Batch * c.Time * c.Spec.Features {
		b.Inputs = append(b.Inputs, d.uniform())
	}
	if c.Spec.Vocabulary > 0 {
		for range c.Batch * c.Time {
			b.Tokens = append(b.Tokens, d.integer(c.Spec.Vocabulary))
		}
	}
	if c.State {
		size := c.Spec.Layers * c.Spec.Directions() * c.Batch * c.Spec.Hidden
		for range size {
			b.H0 = append(b.H0, d.uniform())
		}
		if c.Spec.Cell == models.LSTM {
			for range size {
				b.C0 = append(b.C0, d.uniform())
			}
		}
	}

	rows := c.Batch
	if c.Spec.Readout == models.ReadAll {
		rows *= c.Time
	}
	values := func(scale, offset float32) {
		for range rows * 2 {
			b.Targets = append(b.Targets, scale*d.uniform()+offset)
		}
	}
	switch c.Loss.Name {
	case "mse":
		values(2, 0)
		return p, b, MSE()
	case "mae":
		values(2, 0)
		return p, b, MAE()
	case "huber":
		values(2, 0)
		return p, b, Huber(c.Loss.Delta)
	case "pinball":
		values(2, 0)
		return p, b, Pinball(c.Loss.Quantiles...)
	case "binary_cross_entropy":
		values(0.5, 0.5)
		return p, b, BinaryCrossEntropy()
	case "cross_entropy":
		for range rows {
			if c.Loss.Ignored {
				b.Labels = append(b.Labels, d.integer(5)-1)
			} else {
				b.Labels = append(b.Labels, d.integer(4))
			}
		}
		b.Labels[0] = max(b.Labels[0], 0)
		return p, b, CrossEntropy{Weights: c.Loss.Weights, Smoothing: c.Loss.Smoothing}
	}
	t.Fatalf("unknown loss %q", c.Loss.Name)
	return nil, b, nil
}

// setChrono sets the biases of the gates to the largest values of chrono
// initialization.
func (c golden) setChrono(t *testing.T, p *models.Params[float64]) {
	var biases map[int]float64 // by gate
	switch c.Spec.Cell {
	case models.LSTM:
		biases = map[int]float64{0: -4, 2: 4} // i, f
	case models.GRU:
		biases = map[int]float64{0: 4} // z
	default:
		t.Fatalf("chrono biases for %q", c.Spec.Cell)
	}
	for _, l := range p.Layers {
		for d := range c.Spec.Directions() {
			B := l.Direction(d, c.Spec.Directions()).B
			for gate, bias := range biases {
				for i := range c.Spec.Hidden {
					B[gate*c.Spec.Hidden+i] = bias
				}
			}
		}
	}
}

func (c golden) schedule(t *testing.T) Schedule {
	s, ok := map[string]Schedule{
		"constant":      {},
		"step":          {Shape: Step, Every: 5, Gamma: 0.5},
		"cosine":        {Shape: Cosine},
		"warmup_cosine": {Shape: Cosine, Warmup: 4},
		"one_cycle":     {Shape: OneCycle},
		"plateau":       {Shape: Plateau, Gamma: 0.5, Patience: 2},
	}[c.Schedule]
	if !ok {
		t.Fatalf("unknown schedule %q", c.Schedule)
	}
	return s
}

// draws is splitmix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom
// Number Generators" (2014).
type draws struct{ state uint64 }

func (d *draws) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uniform returns a value in [-1, 1).
func (d *draws) uniform() float32 { return float32(d.next()>>40)/(1<<23) - 1 }

// integer returns a value from 0 to n-1.
func (d *draws) integer(n int) int64 { return int64(d.next() >> 33 % uint64(n)) }
