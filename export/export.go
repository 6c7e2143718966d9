// Package export writes a model as one ONNX file of standard operators, which
// any ONNX runtime can run: opset 17, IR version 8, weights inside, symbolic
// batch and time.
//
// The graph reads input and answers output:
//
//	input   float32 [batch, time, features], or int64 [batch, time] tokens
//	output  float32 [batch, outputs], or [batch, time, outputs] for readout all
//	hidden  float32 [batch, time, directions*hidden], the last layer's outputs
//
// The state is optional. h0, and c0 for an LSTM, have zeros for a default and
// are the state to begin with; hn and cn are the state after the last step. All
// are float32 [layers*directions, batch, hidden], the layers one after the
// other, the forward direction of each before the backward one, as in PyTorch. A
// state to begin with may have batch 1 for all sequences, so in the file that
// dimension of h0 and c0 has a symbol of its own, state_batch.
//
// Values are in raw units: where the model has scales, they are part of the
// graph. The model's Metadata is kept as JSON under [models.MetadataKey].
package export

import (
	"encoding/json"
	"fmt"

	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

const (
	irVersion    = 8
	opsetVersion = 17
)

// WriteFile writes m to path as ONNX. The file is there whole or not at all.
func WriteFile(path string, m *models.Model) error {
	data, err := Marshal(m)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, data)
}

// Marshal returns m as the bytes of an ONNX file; the same model gives the
// same bytes. It fails if the model's Spec is not valid or its parameters do
// not fit it.
func Marshal(m *models.Model) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	meta := m.Metadata
	meta.Format = models.MetadataFormat
	meta.State = nil
	for _, s := range stateNames(m.Spec.Cell) {
		meta.State = append(meta.State, models.StatePair{Input: s + "0", Output: s + "n"})
	}
	document, err := json.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("export: metadata: %w", err)
	}
	return onnxgraph.Marshal(&onnxgraph.Model{
		IRVersion: irVersion,
		Producer:  "rnnkit",
		Opsets:    []onnxgraph.Opset{{Version: opsetVersion}},
		Metadata:  []onnxgraph.Property{{Key: models.MetadataKey, Value: string(document)}},
		Graph:     build(m),
	})
}

// stateNames are the letters of a cell's state: h, and c for an LSTM.
func stateNames(c models.Cell) []string {
	if c == models.LSTM {
		return []string{"h", "c"}
	}
	return []string{"h"}
}
