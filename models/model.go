package models

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Model is a model with its parameters and all that a user of it has to know.
type Model struct {
	Metadata
	Params *Params[float32]
}

// New returns a model of the given metadata with parameters that Init draws
// from seed. It fails if the metadata is not valid or a recipe does not fit it.
func New(meta Metadata, seed uint64, recipes ...Recipe) (*Model, error) {
	if err := meta.Validate(); err != nil {
		return nil, err
	}
	params, err := Init(meta.Spec, seed, recipes...)
	if err != nil {
		return nil, err
	}
	return &Model{Metadata: meta, Params: params}, nil
}

// Validate returns a *FieldError for the first field of the metadata that does not
// fit, or for parameters that are not those of the Spec.
func (m *Model) Validate() error {
	if err := m.Metadata.Validate(); err != nil {
		return err
	}
	switch {
	case m.Params == nil:
		return &FieldError{"Params", nil, "what NewParams returns for the Spec"}
	case !m.Params.fit(m.Spec):
		return &FieldError{"Params.Data", m.Params.Data, fmt.Sprintf("of length %.0f, in the parts that NewParams makes for the Spec", m.Spec.Size())}
	case !m.Params.whole(m.Spec):
		return &FieldError{"Params", m.Params, "what NewParams returns, with the numbers copied to its Data: these fields are no views of Data, as after gob or JSON"}
	}
	return nil
}

// MetadataKey is the key of the metadata_props entry of an ONNX file under
// which its Metadata is kept, as JSON.
const MetadataKey = "rnnkit"

// MetadataFormat is the version of the Metadata document. A reader refuses a
// newer one.
const MetadataFormat = 1

// Metadata is the document that an exported model carries.
type Metadata struct {
	Format int  `json:"format"`
	Task   Task `json:"task"`
	Spec   Spec `json:"spec"`
	Window int  `json:"window,omitempty"` // steps that the model was trained to look back

	// A forecaster answers for the Horizon steps that follow those it reads. Columns
	// names its features. The outputs are the values of the column Target, [Horizon],
	// or where that is empty those of all columns, step by step, [Horizon, Features].
	Horizon int      `json:"horizon,omitempty"`
	Columns []string `json:"columns,omitempty"`
	Target  string   `json:"target,omitempty"`

	// Vocabulary has the text of each token, by its number; Labels the name
	// of each class. A model of two classes may have one output, the logit of
	// the second.
	Vocabulary []string `json:"vocabulary,omitempty"`
	Labels     []string `json:"labels,omitempty"`

	// Scaling is part of the graph, which reads and writes raw units.
	InputScale  *Scale `json:"input_scale,omitempty"`
	OutputScale *Scale `json:"output_scale,omitempty"`

	// State is that of the Spec where the file takes a state and gives it back,
	// and empty where every run begins with zeros.
	State []StatePair `json:"state,omitempty"`

	Training *Training `json:"training,omitempty"`
}

// ParseMetadata reads the document that a file has under [MetadataKey]. It fails
// for one that is damaged or has a newer format.
func ParseMetadata(document string) (*Metadata, error) {
	meta := new(Metadata)
	err := json.Unmarshal([]byte(document), meta)
	switch {
	case err == nil && meta.Format > MetadataFormat:
		return nil, fmt.Errorf("metadata %q has format %d, and this rnnkit reads up to %d: use a newer rnnkit", MetadataKey, meta.Format, MetadataFormat)
	case err == nil:
		err = meta.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("metadata %q is damaged: %w: export the model again", MetadataKey, err)
	}
	return meta, nil
}

// Validate returns a *FieldError for the first field that does not fit.
func (m *Metadata) Validate() error {
	if err := InField("Spec", m.Spec.Validate()); err != nil {
		return err
	}
	switch labels := len(m.Labels); {
	case m.Task != "" && !slices.Contains([]Task{Forecast, Generate, Classify}, m.Task):
		return &FieldError{"Task", m.Task, "forecast, generate or classify"}
	case m.Window < 0:
		return &FieldError{"Window", m.Window, "0 or more"}
	case m.Horizon < 0:
		return &FieldError{"Horizon", m.Horizon, "0 or more"}
	case len(m.Vocabulary) > 0 && len(m.Vocabulary) != m.Spec.Vocabulary:
		return &FieldError{"Vocabulary", m.Vocabulary, fmt.Sprintf("of length %d, one text for each token of the Spec", m.Spec.Vocabulary)}
	case labels == 2 && m.Spec.Outputs == 1: // the logit of the second
	case labels > 0 && labels != m.Spec.Outputs:
		return &FieldError{"Labels", m.Labels, fmt.Sprintf("of length %d, one for each output, or 2 for one output", m.Spec.Outputs)}
	}
	if m.InputScale != nil && m.Spec.Vocabulary > 0 {
		return &FieldError{"InputScale", m.InputScale, "nil for a model of tokens"}
	}
	if err := m.validateForecast(); err != nil {
		return err
	}
	if err := m.InputScale.validate("InputScale", m.Spec.Features); err != nil {
		return err
	}
	return m.OutputScale.validate("OutputScale", m.Spec.Outputs)
}

// validateForecast checks that the columns of a forecaster fit its inputs and outputs.
// A Horizon of 0 leaves open what the outputs are.
func (m *Metadata) validateForecast() error {
	if n := len(m.Columns); n > 0 && n != m.Spec.Features {
		return &FieldError{"Columns", m.Columns, fmt.Sprintf("empty or of length %d, one name for each feature of the Spec", m.Spec.Features)}
	}
	if m.Target != "" && !slices.Contains(m.Columns, m.Target) {
		return &FieldError{"Target", m.Target, fmt.Sprintf("one of the columns %q", m.Columns)}
	}
	if m.Task != Forecast || m.Horizon == 0 {
		return nil
	}
	if n := m.Horizon * m.Targets(); n != m.Spec.Outputs {
		return &FieldError{"Spec.Outputs", m.Spec.Outputs, fmt.Sprintf("%d, for a horizon of %d and %d columns to forecast", n, m.Horizon, m.Targets())}
	}
	return nil
}

// Targets returns the number of columns that a forecaster answers for at each step: 1
// where a Target is named, else all of its features.
func (m *Metadata) Targets() int {
	if m.Target != "" {
		return 1
	}
	return m.Spec.Features
}

// Task is what a model is for.
type Task string

// The tasks.
const (
	Forecast Task = "forecast" // the value that follows a series
	Generate Task = "generate" // the token that follows a text
	Classify Task = "classify" // the class of a sequence
)

// Scale maps raw units to those that the parameters were trained in,
// (x - Mean) / Std, feature by feature.
type Scale struct {
	Mean []float32 `json:"mean"`
	Std  []float32 `json:"std"`
}

// StatePair names the input and the output of a graph that carry the same
// state, before and after a run.
type StatePair struct {
	Input  string `json:"input"`
	Output string `json:"output"`
}

// Training says how the parameters came about.
type Training struct {
	Data         string  `json:"data"`        // preset or file name
	DataSHA256   string  `json:"data_sha256"` // of a series as little-endian float64, of a text in UTF-8, or of sequences
	Seed         uint64  `json:"seed"`
	Epochs       int     `json:"epochs"` // completed
	Batch        int     `json:"batch"`
	Loss         string  `json:"loss,omitempty"`
	Optimizer    string  `json:"optimizer,omitempty"`
	LearningRate float64 `json:"learning_rate"`
	Schedule     string  `json:"schedule,omitempty"`
	TrainLoss    float64 `json:"train_loss"` // of the epoch whose parameters these are, in scaled units
	TestLoss     float64 `json:"test_loss"`
	TestAccuracy float64 `json:"test_accuracy,omitempty"`
}

// Forecaster returns the metadata of a model that reads window values of one
// series and tells the next: an LSTM of 32 with a linear head, as in the
// notebook that rnnkit grew out of. The column is "" for a series without a name.
func Forecaster(column string, window int) Metadata {
	meta := Metadata{
		Task:    Forecast,
		Window:  window,
		Horizon: 1,
		Spec: Spec{
			Cell:     LSTM,
			Features: 1,
			Hidden:   32,
			Layers:   1,
			Readout:  ReadLast,
			Outputs:  1,
		},
	}
	if column != "" {
		meta.Columns = []string{column}
	}
	return meta
}
