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
// Where the model's [models.Metadata] have a State, the file takes it too and
// gives it back: h0, and c0 for an LSTM, are the state to begin with, and hn and
// cn that after the last step. All are float32 [layers*directions, batch, hidden],
// the layers one after the other, the forward direction of each before the
// backward one, as in PyTorch. These inputs are required, zeros begin a sequence:
// few runtimes know inputs with a default. Without a State every run begins with
// zeros.
//
// Values are in raw units: where the model has scales, they are part of the
// graph. The model's Metadata is kept as JSON under [models.MetadataKey].
package export

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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

// ReadFile returns the model in the file at path, as [WriteFile] wrote it, ready to go on
// training. It fails where [Unmarshal] does.
func ReadFile(path string) (*models.Model, error) {
	data, err := onnxgraph.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("export: cannot read the model: %w", err)
	}
	m, err := Unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Unmarshal returns the model in the bytes of a file that [Marshal] wrote, or an
// earlier version of it, whose State was an input with a default. It fails for a
// file from elsewhere, for one that is damaged, and for one whose layers, embedding
// or head are not those that its metadata tell of.
func Unmarshal(data []byte) (*models.Model, error) {
	file, err := onnxgraph.Unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	at := slices.IndexFunc(file.Metadata, func(p onnxgraph.Property) bool { return p.Key == models.MetadataKey })
	if at < 0 {
		return nil, fmt.Errorf("export: the file has no metadata %q: it is not one that rnnkit exported", models.MetadataKey)
	}
	meta, err := models.ParseMetadata(file.Metadata[at].Value)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if 4*meta.Spec.Size() > float64(len(data)) {
		return nil, fmt.Errorf("export: the file has %d bytes, fewer than the %.0f float32 parameters that its metadata tell of take: it is damaged, or was converted from the one to give", len(data), meta.Spec.Size())
	}
	m := &models.Model{Metadata: *meta, Params: models.NewParams[float32](meta.Spec)}
	left, err := LoadParams(m.Params, m.Spec, data)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("export: the graph is not that of its metadata: %s", strings.Join(left, "; "))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Marshal returns m as the bytes of an ONNX file; the same model gives the
// same bytes. It fails if the model's Spec is not valid, its parameters do not fit
// it, or it has a State which is not that of the Spec.
func Marshal(m *models.Model) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if want := m.Spec.State(); len(m.State) > 0 && !slices.Equal(m.State, want) {
		return nil, fmt.Errorf("export: State is %v: it must be %v, or empty", m.State, want)
	}
	meta := m.Metadata
	meta.Format = models.MetadataFormat
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
