package verify_test

import (
	"math"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
)

// direct returns a direct forecaster of two targets with everything that one can read, as
// a model and as a file.
func direct(t *testing.T) (*models.Model, []byte) {
	t.Helper()
	d := &models.Direct{
		Window: 6, Horizon: 4, Segment: 3, Targets: 2, Past: 1, Future: 1, Static: 1, Categories: []models.Category{{Size: 3, Embedding: 2}},
		Center: models.CenterMean, Linear: 1, Quantiles: []float64{0.1, 0.5, 0.9},
	}
	m, err := models.New(models.Metadata{
		Task: models.Forecast, Window: d.Window, Horizon: d.Horizon,
		Spec: models.Spec{Cell: models.LSTM, Features: d.Columns(), Embedding: 5, Hidden: 7, Layers: 2, Readout: models.ReadAll, Outputs: 9, Direct: d},
		Forecast: &models.Forecasting{
			Targets: []string{"a", "b"}, Past: []string{"p"}, Future: []string{"f"}, Static: []string{"s"},
			Categories:  []models.CategoryValues{{Name: "c", Values: []string{"x", "y"}}},
			FutureScale: &models.Scale{Mean: []float32{1000}, Std: []float32{10}},
		},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := models.Init(m.Spec, 2)
	if err != nil {
		t.Fatal(err)
	}
	m.Ensemble = append(m.Ensemble, other)
	component := models.Component{Spec: m.Spec, Weight: 0.4}
	component.Spec.Hidden, component.Spec.Layers = 9, 1
	mixed, err := models.Init(component.Spec, 3)
	if err != nil {
		t.Fatal(err)
	}
	m.Mixture, m.Mixed = []models.Component{component}, [][]*models.Params[float32]{{mixed}}
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, data
}

// A direct forecaster answers the same on the engines, in float64 and in the trainer, to
// inputs of which some are missing.
func TestDirect(t *testing.T) {
	m, data := direct(t)
	inputs, err := verify.Inputs(&m.Metadata, 5, 6, 1)
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for i, v := range inputs["input"].Float64s() {
		switch column := i % m.Spec.Features; {
		case math.IsNaN(v) && column < 2:
			missing++
		case math.IsNaN(v) || column == 3 && !(math.Abs(v-1000) < 60):
			t.Errorf("column %d is %g", column, v)
		}
	}
	if missing == 0 || len(inputs) != 4 {
		t.Fatalf("%d values are missing in %d inputs", missing, len(inputs))
	}
	want, err := verify.Forecasts(m, inputs)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := verify.OpenExact(data)
	if err != nil {
		t.Fatal(err)
	}
	defer exact.Close()
	judge, err := exact.Run(t.Context(), inputs, "quantiles")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range judge["quantiles"].Float64s() {
		if !(math.Abs(v-float64(want[i])) <= verify.Tolerance) {
			t.Fatalf("quantile %d of the trainer is %g, in float64 %g", i, want[i], v)
		}
	}
	for _, e := range orttest.Engines(t, native.New()) {
		model, err := infer.OpenBytes(data, infer.With(e))
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		got, err := model.Run(t.Context(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got["quantiles"].Float64s() {
			if !(math.Abs(v-float64(want[i])) <= 10*verify.Tolerance) {
				t.Fatalf("%s: quantile %d is %g, not %g", e, i, v, want[i])
			}
		}
	}
}

func TestModelsDirect(t *testing.T) {
	m, data := direct(t)
	open := func(data []byte) *infer.Model {
		model, err := infer.OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { model.Close() })
		return model
	}
	if d, err := verify.Models(t.Context(), &m.Metadata, open(data), open(data), 6); err != nil || d != 0 {
		t.Errorf("a model differs from itself by %g: %v", d, err)
	}
	m.Ensemble = nil
	changed, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Models(t.Context(), &m.Metadata, open(data), open(changed), 6); err == nil {
		t.Error("a model with a member less is the same")
	}
	for _, size := range [][2]int{{3, 5}, {1 << 40, 6}} {
		if _, err := verify.Inputs(&m.Metadata, size[0], size[1], 1); err == nil || !strings.Contains(err.Error(), "which has 6 steps") {
			t.Errorf("%d windows of %d steps: %v", size[0], size[1], err)
		}
	}
}
