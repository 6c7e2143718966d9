package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// MetadataKey is the key of the entry of metadata_props in an ONNX file that holds its
// Metadata as JSON.
const MetadataKey = "rnnkit"

// MetadataFormat is the version of the Metadata document. A reader refuses a newer one.
const MetadataFormat = 1

// ErrNewerFormat is what the error of [ParseMetadata] wraps if the document has a newer
// format than MetadataFormat.
var ErrNewerFormat = errors.New("the metadata has a newer format")

// Metadata describes a model: what it is for and how to use it. It is part of an exported
// file.
type Metadata struct {
	Format int  `json:"format"` // MetadataFormat, in a file
	Task   Task `json:"task"`
	Spec   Spec `json:"spec"`
	Window int  `json:"window,omitempty"` // steps of a window, or of the longest sequence, in training

	// A forecaster answers for the Horizon steps that follow those it reads. Columns
	// names its features. The outputs are the values of the column Target, [Horizon],
	// or, if Target is empty, those of all columns, [Horizon, Features].
	Horizon int      `json:"horizon,omitempty"`
	Columns []string `json:"columns,omitempty"`
	Target  string   `json:"target,omitempty"`

	// Forecast is not nil for a direct forecaster, which has a Spec.Direct. Window and
	// Horizon are those of Spec.Direct, Columns are empty or the Targets, Past and Future of
	// Forecast in that order, and Target is empty.
	Forecast *Forecasting `json:"forecast,omitempty"`

	// Detector is not nil for a detector, whose Horizon is 1. Columns are what its network
	// reads of each column that is watched, and Target is what it answers of these.
	Detector *Detection `json:"detector,omitempty"`

	// Mixture lists further architectures of a direct forecaster, whose answers are mixed
	// with those of Spec: see [Component].
	Mixture []Component `json:"mixture,omitempty"`

	Vocabulary []string `json:"vocabulary,omitempty"` // the text of each token

	// Labels holds the name of each class. The outputs are their logits; for two
	// classes there may be one output, the logit of the second class.
	Labels []string `json:"labels,omitempty"`

	// The scales, if not nil, map the input and the targets from raw units to those
	// that the parameters are trained in. An exported graph includes them: it reads
	// and writes raw units. The OutputScale has an entry for each output.
	InputScale  *Scale `json:"input_scale,omitempty"`
	OutputScale *Scale `json:"output_scale,omitempty"`

	// State is Spec.State() if the exported graph has inputs and outputs for the
	// state. It is empty if every run starts with a state of zeros.
	State []StatePair `json:"state,omitempty"`

	Training *Training `json:"training,omitempty"` // how the parameters were trained
}

// ParseMetadata reads the document that a file has under [MetadataKey]. The error is an
// [ErrNewerFormat] for a newer format. Any other error means that the document is damaged.
func ParseMetadata(document string) (*Metadata, error) {
	meta := new(Metadata)
	err := json.Unmarshal([]byte(document), meta)
	switch {
	case err == nil && meta.Format > MetadataFormat:
		return nil, fmt.Errorf("metadata %q: %w, %d, and this rnnkit reads up to %d: use a newer rnnkit", MetadataKey, ErrNewerFormat, meta.Format, MetadataFormat)
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
	case m.Task != "" && !slices.Contains([]Task{Forecast, Generate, Classify, Detect}, m.Task):
		return &FieldError{Field: "Task", Value: m.Task, Want: "forecast, generate, classify or detect"}
	case m.Window < 0:
		return &FieldError{Field: "Window", Value: m.Window, Want: "0 or more"}
	case m.Horizon < 0:
		return &FieldError{Field: "Horizon", Value: m.Horizon, Want: "0 or more"}
	case len(m.Vocabulary) > 0 && len(m.Vocabulary) != m.Spec.Vocabulary:
		return &FieldError{Field: "Vocabulary", Value: m.Vocabulary, Want: fmt.Sprintf("of length %d, one text for each token of the Spec", m.Spec.Vocabulary)}
	case labels == 2 && m.Spec.Outputs == 1: // the logit of the second
	case labels > 0 && labels != m.Spec.Outputs:
		return &FieldError{Field: "Labels", Value: m.Labels, Want: fmt.Sprintf("of length %d, one for each output, or 2 for one output", m.Spec.Outputs)}
	}
	if m.InputScale != nil && m.Spec.Vocabulary > 0 {
		return &FieldError{Field: "InputScale", Value: m.InputScale, Want: "nil for a model of tokens"}
	}
	if err := m.validateForecast(); err != nil {
		return err
	}
	if err := m.validateDetector(); err != nil {
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
	if len(m.Mixture) > 0 && m.Spec.Direct == nil {
		return &FieldError{Field: "Mixture", Value: Length(len(m.Mixture)), Want: "empty for a model that is no direct forecaster"}
	}
	if n := len(m.Columns); n > 0 && n != m.Spec.Features {
		return &FieldError{Field: "Columns", Value: m.Columns, Want: fmt.Sprintf("empty or of length %d, one name for each feature of the Spec", m.Spec.Features)}
	}
	if m.Target != "" && !slices.Contains(m.Columns, m.Target) {
		return &FieldError{Field: "Target", Value: m.Target, Want: fmt.Sprintf("one of the columns %q", m.Columns)}
	}
	if m.Spec.Direct != nil {
		return m.validateDirect()
	}
	if m.Task != Forecast || m.Horizon == 0 {
		return nil
	}
	if n := m.Horizon * m.Targets(); n != m.Spec.Outputs {
		return &FieldError{Field: "Spec.Outputs", Value: m.Spec.Outputs, Want: fmt.Sprintf("%d, for a horizon of %d and %d columns to forecast", n, m.Horizon, m.Targets())}
	}
	return nil
}

// validateDetector checks that a model is a detector where it says so.
func (m *Metadata) validateDetector() error {
	switch {
	case m.Detector == nil && m.Task != Detect:
		return nil
	case m.Detector == nil:
		return &FieldError{Field: "Detector", Value: nil, Want: "set for a detector"}
	case m.Task != Detect:
		return &FieldError{Field: "Task", Value: m.Task, Want: "detect for a detector"}
	case m.Spec.Outputs != 1:
		return &FieldError{Field: "Spec.Outputs", Value: m.Spec.Outputs, Want: "1 for a detector, which answers for a column at a time"}
	case !m.Spec.Stepwise() || m.Spec.Direct != nil || m.Spec.Features == 0:
		return &FieldError{Field: "Spec", Value: m.Spec, Want: "one that reads numbers step by step for a detector"}
	}
	return InField("Detector", m.Detector.Validate())
}

// validateDirect checks what the metadata of a direct forecaster say twice, and Forecast.
func (m *Metadata) validateDirect() error {
	d, f := m.Spec.Direct, m.Forecast
	switch {
	case m.Task != Forecast:
		return &FieldError{Field: "Task", Value: m.Task, Want: "forecast for a direct forecaster"}
	case m.Window != d.Window:
		return &FieldError{Field: "Window", Value: m.Window, Want: fmt.Sprintf("%d, as in Spec.Direct", d.Window)}
	case m.Horizon != d.Horizon:
		return &FieldError{Field: "Horizon", Value: m.Horizon, Want: fmt.Sprintf("%d, as in Spec.Direct", d.Horizon)}
	case m.Target != "":
		return &FieldError{Field: "Target", Value: m.Target, Want: "empty for a direct forecaster"}
	case m.InputScale != nil:
		return &FieldError{Field: "InputScale", Value: m.InputScale, Want: "nil for a direct forecaster, which normalizes each window"}
	case m.OutputScale != nil:
		return &FieldError{Field: "OutputScale", Value: m.OutputScale, Want: "nil for a direct forecaster, which normalizes each window"}
	case f == nil:
		return &FieldError{Field: "Forecast", Value: nil, Want: "set for a direct forecaster"}
	}
	if err := m.validateMixture(); err != nil {
		return err
	}
	return InField("Forecast", f.validate(d))
}

// Targets returns the number of columns that a forecaster answers for at each step: 1 if
// it has a Target, otherwise the number of its features.
func (m *Metadata) Targets() int {
	if m.Spec.Direct != nil {
		return m.Spec.Direct.Targets
	}
	if m.Target != "" {
		return 1
	}
	return m.Spec.Features
}

// Task is what a model is for.
type Task string

// The tasks.
const (
	Forecast Task = "forecast" // the next values of a series
	Generate Task = "generate" // the next token of a text
	Classify Task = "classify" // the class of a sequence
	Detect   Task = "detect"   // the anomalies of a series
)

// StatePair names the input and the output of a graph for the same state: before a run
// and after it.
type StatePair struct {
	Input  string `json:"input"`
	Output string `json:"output"`
}

// Training says how the parameters of a model were trained. It is for people to read;
// nothing depends on it.
type Training struct {
	Data         string  `json:"data"`        // the preset or the name of the file
	DataSHA256   string  `json:"data_sha256"` // of series as little-endian float64, one after the other, of a text in UTF-8, or of sequences
	Seed         uint64  `json:"seed"`
	Epochs       int     `json:"epochs"` // complete ones
	Batch        int     `json:"batch"`
	Loss         string  `json:"loss,omitempty"`
	Optimizer    string  `json:"optimizer,omitempty"`
	LearningRate float64 `json:"learning_rate"`
	Schedule     string  `json:"schedule,omitempty"`
	TrainLoss    float64 `json:"train_loss"` // of the epoch whose parameters these are, in scaled units
	TestLoss     float64 `json:"test_loss"`
	TestAccuracy float64 `json:"test_accuracy,omitempty"`
}

// Forecaster returns the metadata of a model that reads a window of one series and
// forecasts the next value: one LSTM layer of 32 units with a linear head. The column is
// the name of the series, or "".
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
