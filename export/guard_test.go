package export_test

import (
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// TestNoGuards exports models whose shapes all follow from those of their inputs, so
// that ONNX Runtime gets them as they are.
func TestNoGuards(t *testing.T) {
	for _, cell := range []models.Cell{models.LSTM, models.GRU} {
		for _, both := range []bool{false, true} {
			for _, tokens := range []int{0, 9} {
				spec := models.Spec{Cell: cell, Features: 3, Hidden: 5, Layers: 3, Bidirectional: both, Readout: models.ReadLast, Outputs: 2}
				if tokens > 0 {
					spec.Features, spec.Vocabulary, spec.Embedding = 0, tokens, 4
				}
				meta := models.Metadata{Task: models.Classify, Spec: spec, Labels: []string{"a", "b"}}
				m, err := models.New(meta, 1)
				if err != nil {
					t.Fatal(err)
				}
				if tokens == 0 {
					m.InputScale = &models.Scale{Mean: []float32{1, 2, 3}, Std: []float32{1, 2, 3}}
				}
				data, err := export.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				guarded, recurrent, err := onnxgraph.Guard(data, true)
				if err != nil || !recurrent || len(guarded) != len(data) {
					t.Errorf("%+v: guarding makes %d bytes of %d (%v)", spec, len(guarded), len(data), err)
				}
			}
		}
	}
}
