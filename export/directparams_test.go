package export_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/models"
)

// A direct forecaster that is read from its file gives the bytes of that file, with all
// members of an ensemble.
func TestUnmarshalDirect(t *testing.T) {
	for seed := range 30 {
		m := randomDirect(t, rand.New(rand.NewPCG(uint64(seed), 15)))
		data, err := export.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		read, err := export.Unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := export.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		if len(read.Ensemble) != len(m.Ensemble) || !reflect.DeepEqual(read.Mixed, m.Mixed) || !slices.Equal(read.Params.Data, m.Params.Data) || !bytes.Equal(again, data) {
			t.Fatalf("seed %d: the model that is read is another one: %d members for %d", seed, 1+len(read.Ensemble), 1+len(m.Ensemble))
		}
	}
}

// directModel returns a model of an odd size with an ensemble of so many members.
func directModel(t *testing.T, members int, change func(*models.Metadata)) *models.Model {
	t.Helper()
	d := &models.Direct{
		Window: 6, Horizon: 4, Segment: 3, Targets: 1, Past: 1, Future: 2, Categories: []models.Category{{Size: 3, Embedding: 2}},
		Center: models.CenterLast, Linear: 1, Quantiles: []float64{0.1, 0.5, 0.9},
	}
	spec := models.Spec{Cell: models.GRU, Features: d.Columns(), Embedding: 5, Hidden: 7, Layers: 1, Readout: models.ReadAll, Outputs: 9, Direct: d}
	meta := models.Metadata{Task: models.Forecast, Spec: spec, Window: 6, Horizon: 4, Forecast: &models.Forecasting{
		Targets: []string{"y"}, Past: []string{"p"}, Future: []string{"f", "g"}, Categories: []models.CategoryValues{{Name: "c", Values: []string{"a", "b"}}},
	}}
	if change != nil {
		change(&meta)
	}
	m, err := models.New(meta, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < members; i++ {
		other, err := models.New(meta, uint64(1+i))
		if err != nil {
			t.Fatal(err)
		}
		m.Ensemble = append(m.Ensemble, other.Params)
	}
	return m
}

// Parameters are loaded into a model that differs in part from that of the file, and what
// does not fit is said.
func TestLoadDirect(t *testing.T) {
	file, err := export.Marshal(directModel(t, 2, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := directModel(t, 1, nil)
	got := directModel(t, 1, func(m *models.Metadata) {
		m.Horizon, m.Spec.Direct.Horizon = 5, 5
		m.Spec.Direct.Log = 1
	})
	clear(got.Params.Data)
	left, err := export.LoadParams(got.Params, got.Spec, file)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(left, "\n"); text != `Direct.Log: the file's is 0, the Spec's 1
path: the file's is [6 4], the Spec's [6 5]
members: the file has an ensemble, of which the parameters are those of the first` {
		t.Errorf("what is left: %s", text)
	}
	mixed := directModel(t, 1, func(m *models.Metadata) { m.Mixture = []models.Component{{Spec: m.Spec, Weight: 0.5}} })
	if file, err = export.Marshal(mixed); err != nil {
		t.Fatal(err)
	}
	if left, err = export.LoadParams(models.NewParams[float32](mixed.Spec), mixed.Spec, file); err != nil || len(left) != 1 || !strings.HasPrefix(left[0], "mixture: ") {
		t.Errorf("what is left of a mixture: %q, %v", left, err)
	}
	for _, part := range [][2][]float32{
		{got.Params.Segment.W, want.Params.Segment.W}, {got.Params.Segment.B, want.Params.Segment.B},
		{got.Params.Categories[0], want.Params.Categories[0]}, {got.Params.Layers[0].W, want.Params.Layers[0].W},
		{got.Params.Layers[0].R, want.Params.Layers[0].R}, {got.Params.Layers[0].B, want.Params.Layers[0].B},
		{got.Params.Head.W, want.Params.Head.W}, {got.Params.Head.B, want.Params.Head.B},
	} {
		if !slices.Equal(part[0], part[1]) {
			t.Errorf("parameters are %v, not %v", part[0], part[1])
		}
	}
	if slices.ContainsFunc(got.Params.Path, func(v float32) bool { return v != 0 }) {
		t.Error("a path of another size is loaded")
	}
}

func TestLoadDirectErrors(t *testing.T) {
	steps, err := models.New(models.Forecaster("y", 6), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file *models.Model
		want string
	}{
		{steps, "is no direct forecaster"},
		{directModel(t, 1, func(m *models.Metadata) { m.Spec.Hidden = 8 }), "layer 0 is gru with inputs 5 and hidden 8, the Spec's gru with inputs 5 and hidden 7"},
		{directModel(t, 1, func(m *models.Metadata) { m.Spec.Layers = 2 }), "the number of layers is 2, the Spec's 1"},
		{directModel(t, 1, func(m *models.Metadata) { m.Spec.Cell = models.LSTM }), "layer 0 is lstm"},
	} {
		file, err := export.Marshal(c.file)
		if err != nil {
			t.Fatal(err)
		}
		m := directModel(t, 1, nil)
		if _, err := export.LoadParams(m.Params, m.Spec, file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("the error is %v, which does not say %q", err, c.want)
		}
	}
	file, err := export.Marshal(directModel(t, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	file = bytes.ReplaceAll(file, []byte("segment.W"), []byte("segment.V"))
	if _, err := export.Unmarshal(file); err == nil || !strings.Contains(err.Error(), "segment.W: the file has none") {
		t.Errorf("a file without a parameter: %v", err)
	}
}
