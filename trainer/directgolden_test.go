package trainer

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// directGolden is what PyTorch computes for a direct forecaster in float64. The script
// testdata/torch/direct.py, which writes it, explains the fields.
type directGolden struct {
	Name  string
	Seed  uint64
	Spec  models.Spec
	Batch int

	Outputs   []float64 // in raw units
	Value     float64
	Gradients []byte

	Losses     []float64
	Parameters []byte
}

func readDirectGoldens(t *testing.T) (g struct {
	Torch               string
	Cases, Trajectories []directGolden
},
) {
	t.Helper()
	file, err := os.Open("testdata/torch/direct.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := gzip.NewReader(file)
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

// TestDirectGoldens compares answers, losses and gradients with those of PyTorch.
func TestDirectGoldens(t *testing.T) {
	g := readDirectGoldens(t)
	if len(g.Cases) != 72 {
		t.Errorf("%d cases, not 72", len(g.Cases))
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			meta, params, batch := c.problem(t)
			r, err := newRunner(meta, params, defaultLoss(c.Spec), 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			if err := r.read(fixed(batch), firstExamples(c.Batch)); err != nil {
				t.Fatal(err)
			}
			value := r.run(training, 0)
			grads := models.NewParams[float64](c.Spec)
			answers := make([]float64, c.Batch*outputs(c.Spec))
			for _, s := range r.active() {
				kernels.AddScaled(grads.Data, 1, s.grads.Data)
				s.copyOutputs(r, answers)
			}
			compare(t, "answers", answers, c.Outputs, 1e-9, 0)
			compare(t, "loss", []float64{value}, []float64{c.Value}, 1e-9, 0)
			compareDirect(t, c.Spec, grads, c.Gradients)
		})
	}
}

// TestDirectTrajectories compares the losses and the parameters of 20 updates with those
// of PyTorch.
func TestDirectTrajectories(t *testing.T) {
	g := readDirectGoldens(t)
	if len(g.Trajectories) != 36 {
		t.Errorf("%d trajectories, not 36", len(g.Trajectories))
	}
	for _, c := range g.Trajectories {
		t.Run(c.Name, func(t *testing.T) {
			meta, params, batch := c.problem(t)
			opts, err := Options{
				Optimizer:    Optimizer{Method: AdamW, Beta2: 0.98, WeightDecay: 0.05},
				LearningRate: 0.02,
				Schedule:     Schedule{Shape: Cosine, Warmup: 4},
				ClipNorm:     1,
				Batch:        c.Batch,
				Epochs:       len(c.Losses),
			}.withDefaults(c.Spec)
			if err != nil {
				t.Fatal(err)
			}
			f, err := newFit(meta, params, fixed(batch), examples{}, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer f.close()
			var losses []float64
			for range c.Losses {
				e, err := f.runEpoch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				losses = append(losses, e.TrainLoss)
				f.finishEpoch(e)
			}
			compare(t, "losses", losses, c.Losses, 1e-9, 0)
			compareDirect(t, c.Spec, params, c.Parameters)
		})
	}
}

// compareDirect is compareParams for the parameters that only a direct forecaster has
// too.
func compareDirect(t *testing.T, spec models.Spec, got *models.Params[float64], want []byte) {
	t.Helper()
	const part, floor = 1e-6, 1e-6
	w := compareParams(t, spec, got, want, part)
	for i := range w.Categories {
		compare(t, "category", got.Categories[i], w.Categories[i], part, floor)
	}
	compare(t, "segment W", got.Segment.W, w.Segment.W, part, floor)
	compare(t, "segment B", got.Segment.B, w.Segment.B, part, floor)
	compare(t, "path", got.Path, w.Path, part, floor)
	compare(t, "gate W", got.Gate.W, w.Gate.W, part, floor)
	compare(t, "gate B", got.Gate.B, w.Gate.B, part, floor)
}

// problem draws the same random numbers as direct.py, in the same order.
func (c directGolden) problem(t *testing.T) (*models.Metadata, *models.Params[float64], datasets.Batch) {
	t.Helper()
	d := c.Spec.Direct
	meta := &models.Metadata{Task: models.Forecast, Window: d.Window, Horizon: d.Horizon, Spec: c.Spec, Forecast: forecastingOf(d)}
	if err := meta.Validate(); err != nil {
		t.Fatal(err)
	}
	draw := &draws{c.Seed}
	p := models.NewParams[float64](c.Spec)
	for i := range p.Data {
		p.Data[i] = float64(draw.uniform()) / 2
	}
	values := func(n int) (x []float32) {
		for range n {
			v := 2*draw.uniform() + 3
			if draw.integer(6) == 0 {
				v = float32(math.NaN())
			}
			x = append(x, v)
		}
		return x
	}
	columns := 1 + d.Past + d.Future
	b := datasets.Batch{
		Size: c.Batch, Time: d.Window,
		Inputs: values(c.Batch * d.Window * columns), Ahead: values(c.Batch * d.Horizon * d.Future),
		Static: values(c.Batch * d.Static), Targets: values(c.Batch * d.Horizon),
	}
	for range c.Batch {
		b.Weights = append(b.Weights, draw.uniform()+1.5)
	}
	b.Weights[c.Batch-1] = 50
	for range c.Batch {
		for _, category := range d.Categories {
			b.Categories = append(b.Categories, draw.integer(category.Size))
		}
	}
	if c.Batch > 1 {
		for t := range d.Window {
			b.Inputs[t*columns] = float32(math.NaN())
			b.Inputs[(d.Window+t)*columns] = 3.25
		}
	}
	return meta, p, b
}
