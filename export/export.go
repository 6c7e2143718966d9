// Package export writes a model as one ONNX file that any ONNX runtime can run. The
// file has standard operators only (opset 17, IR version 8), holds the weights, and
// leaves the sizes of batch and time open.
//
// The graph has one input and two outputs:
//
//	input   float32 [batch, time, features], or int64 [batch, time] tokens
//	output  float32 [batch, outputs], or [batch, time, outputs] for readout all
//	hidden  float32 [batch, time, directions*hidden], the outputs of the last layer
//
// If the model's [models.Metadata] has a State, the graph also has inputs h0 and (for
// an LSTM) c0, the initial state, and outputs hn and cn, the state after the last step.
// All are float32 [layers*directions, batch, hidden], ordered as in PyTorch: layer by
// layer, forward before backward. The inputs are required, because few runtimes
// support inputs with a default; feed zeros at the start of a sequence. Without a
// State, every run starts from zeros.
//
// A direct forecaster, which has a [models.Direct], reads a window and answers for all
// steps of its horizon. A covariate, or a value of a target, that is missing is NaN:
//
//	input       float32 [batch, window, targets+past+future], the columns in that order
//	future      float32 [batch, horizon, future], the covariates that are known ahead
//	static      float32 [batch, static]
//	categories  int64 [batch, categories], 0 for a value that the model does not know
//	output      float32 [batch, horizon, targets], the medians
//	quantiles   float32 [batch, horizon, targets, quantiles]
//
// The inputs future, static and categories are there if the model reads such. The graph
// applies what [models.Forecasting] says of scales, widths and bounds. For an ensemble it
// answers the medians over the members; of an even number, the mean of the two in the
// middle. For a mixture it answers the sum of the answers of its ensembles, times their
// weights.
//
// Inputs and outputs are in raw units: the graph applies the model's scales. The
// model's Metadata is stored as JSON under [models.MetadataKey].
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

// WriteFile writes m to path as an ONNX file, atomically: the file appears complete or
// not at all. It fails where [Marshal] does.
func WriteFile(path string, m *models.Model) error {
	data, err := Marshal(m)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, data)
}

// ReadFile is the inverse of [WriteFile]: it returns the model in the file at path, ready
// to be trained further. It fails where [Unmarshal] does.
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

// Unmarshal is the inverse of [Marshal]: it returns the model that a file holds, ready
// to be trained further. It also reads files of earlier versions, in which the state
// had a default. It fails if rnnkit did not write the file, if the file is damaged, or
// if its weights do not match its metadata.
func Unmarshal(data []byte) (*models.Model, error) {
	file, err := onnxgraph.Unmarshal(data)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	meta, err := metadataOf(file)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if 4*meta.Spec.Size() > float64(len(data)) {
		return nil, fmt.Errorf("export: the file has %d bytes, fewer than the %.0f float32 parameters that its metadata tell of take: it is damaged, or was converted from the one to give", len(data), meta.Spec.Size())
	}
	m := &models.Model{Metadata: *meta, Params: models.NewParams[float32](meta.Spec)}
	if m.Spec.Direct != nil {
		err = loadMembers(m, &file.Graph, len(data))
	} else {
		err = loadAll(m, data)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// loadAll sets the parameters of m to those of an ONNX file, which must leave none out.
func loadAll(m *models.Model, data []byte) error {
	left, err := LoadParams(m.Params, m.Spec, data)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("export: the graph is not that of its metadata: %s", strings.Join(left, "; "))
	}
	return err
}

// metadataOf returns the metadata that rnnkit wrote to a file.
func metadataOf(file *onnxgraph.Model) (*models.Metadata, error) {
	at := slices.IndexFunc(file.Metadata, func(p onnxgraph.Property) bool { return p.Key == models.MetadataKey })
	if at < 0 {
		return nil, fmt.Errorf("the file has no metadata %q: it is not one that rnnkit exported", models.MetadataKey)
	}
	return models.ParseMetadata(file.Metadata[at].Value)
}

// Marshal returns m as the bytes of an ONNX file. Equal models give equal bytes. It
// fails if the model is not valid, or if it has a State that differs from the State
// of its Spec.
func Marshal(m *models.Model) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if len(m.State) > 0 && m.Spec.Direct != nil {
		return nil, fmt.Errorf("export: State is %v: it must be empty for a direct forecaster, which reads whole windows", m.State)
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
