package verify_test

import (
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
)

// TestModels compares exports of a model with and without a state, and exports that
// differ by one bias.
func TestModels(t *testing.T) {
	spec := models.Spec{Cell: models.GRU, Features: 2, Hidden: 5, Layers: 1, Readout: models.ReadAll, Outputs: 3}
	m, err := models.New(models.Metadata{Spec: spec}, 1)
	if err != nil {
		t.Fatal(err)
	}
	open := func(state []models.StatePair) *infer.Model {
		m.State = state
		data, err := export.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := infer.OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { opened.Close() })
		return opened
	}
	whole, stateful := open(nil), open(spec.State())
	for _, pair := range [][2]*infer.Model{{whole, stateful}, {stateful, whole}, {stateful, stateful}} {
		if d, err := verify.Models(t.Context(), &m.Metadata, pair[0], pair[1], 7); err != nil {
			t.Errorf("the exports differ by %g: %v", d, err)
		}
	}
	m.Params.Head.B[1] += 0.01
	if d, err := verify.Models(t.Context(), &m.Metadata, whole, open(nil), 7); err == nil {
		t.Errorf("another bias makes a difference of %g only", d)
	}
}
