// Package models says what a recurrent model is: its [Spec], its [Params], how
// they are initialized, and the [Metadata] that travels with an exported file.
package models

import (
	"fmt"
	"math"
	"slices"
)

// Cell is the kind of recurrent layer.
type Cell string

// The recurrent cells, each as the ONNX operator of the same name defines it.
const (
	RNN  Cell = "rnn"  // tanh(Wx + Rh + b), or relu
	LSTM Cell = "lstm" // without peepholes
	GRU  Cell = "gru"  // linear_before_reset = 1, as in PyTorch and cuDNN
)

// Gates returns the number of gates, each of which has Hidden rows in W and R: 1 for RNN,
// 4 for LSTM, 3 for GRU, and 0 for an unknown cell.
func (c Cell) Gates() int {
	switch c {
	case RNN:
		return 1
	case LSTM:
		return 4
	case GRU:
		return 3
	}
	return 0
}

// Activation is the activation function of an RNN. LSTM and GRU always have the default
// activations of ONNX.
type Activation string

// The activations of an RNN. The empty string stands for Tanh.
const (
	Tanh Activation = "tanh"
	ReLU Activation = "relu"
)

// Readout says which outputs of the last layer the linear head reads.
type Readout string

// The readouts. ReadLast and ReadFinal differ only for a bidirectional model: at the last
// step its backward direction has seen that step alone.
const (
	ReadLast  Readout = "last"  // the outputs at the last step, PyTorch's out[:, -1]
	ReadFinal Readout = "final" // the final state of each direction
	ReadMean  Readout = "mean"  // the mean of the outputs over all steps
	ReadMax   Readout = "max"   // the maximum of the outputs over all steps
	ReadAll   Readout = "all"   // the outputs at every step: the model answers at every step
)

// Spec is the architecture of a model: an embedding for models of tokens and for direct
// forecasters, recurrent layers, and a linear head.
type Spec struct {
	Cell       Cell       `json:"cell"`
	Activation Activation `json:"activation,omitempty"`

	// Features is the number of input values in a step. A model of tokens has 0
	// Features; it has the size of a Vocabulary and of an Embedding instead.
	Features   int `json:"features,omitempty"`
	Vocabulary int `json:"vocabulary,omitempty"`
	Embedding  int `json:"embedding,omitempty"`

	Hidden        int     `json:"hidden"` // size of the state of each direction
	Layers        int     `json:"layers"`
	Bidirectional bool    `json:"bidirectional,omitempty"`
	Dropout       float64 `json:"dropout,omitempty"` // probability, in training only: of an output of a layer that another reads, of a direct forecaster of any layer
	Readout       Readout `json:"readout"`
	Outputs       int     `json:"outputs"`

	// Direct is not nil for a direct forecaster. Then Features is Direct.Columns(),
	// Embedding the width of the dense layer that reads a segment, and Readout is ReadLast or
	// ReadAll. Outputs are the quantiles of all steps ahead, [Horizon, quantiles], or with
	// ReadAll those of the steps of a segment, [Segment, quantiles].
	Direct *Direct `json:"direct,omitempty"`
}

// maxLayers and maxParams limit the memory that a mistyped size can ask for, and keep a
// file within the 2 GiB that ONNX allows.
const (
	maxLayers = 1000
	maxParams = 1 << 28
)

// Validate returns a *FieldError for the first field that does not fit.
func (s Spec) Validate() error {
	if err := s.validateCell(); err != nil {
		return err
	}
	if err := s.validateInputs(); err != nil {
		return err
	}
	switch {
	case s.Hidden < 1:
		return &FieldError{Field: "Hidden", Value: s.Hidden, Want: "1 or more"}
	case s.Layers < 1 || s.Layers > maxLayers:
		return &FieldError{Field: "Layers", Value: s.Layers, Want: fmt.Sprintf("from 1 to %d", maxLayers)}
	case !(s.Dropout >= 0 && s.Dropout < 1):
		return &FieldError{Field: "Dropout", Value: s.Dropout, Want: "at least 0 and less than 1"}
	case s.Dropout > 0 && s.Layers == 1 && s.Direct == nil:
		return &FieldError{Field: "Dropout", Value: s.Dropout, Want: "0 for a model with one layer: it acts between layers"}
	case !slices.Contains([]Readout{ReadLast, ReadFinal, ReadMean, ReadMax, ReadAll}, s.Readout):
		return &FieldError{Field: "Readout", Value: s.Readout, Want: "last, final, mean, max or all"}
	case s.Outputs < 1:
		return &FieldError{Field: "Outputs", Value: s.Outputs, Want: "1 or more"}
	}
	if err := s.validateDirect(); err != nil {
		return err
	}
	if n := s.Size(); n > maxParams {
		return &FieldError{Field: "Hidden", Value: s.Hidden, Want: fmt.Sprintf("smaller: the model would have %.3g parameters, the limit is %d", n, maxParams)}
	}
	return nil
}

func (s Spec) validateCell() error {
	switch {
	case s.Cell.Gates() == 0:
		return &FieldError{Field: "Cell", Value: s.Cell, Want: "rnn, lstm or gru"}
	case s.Activation != "" && s.Activation != Tanh && s.Activation != ReLU:
		return &FieldError{Field: "Activation", Value: s.Activation, Want: "tanh or relu"}
	case s.Activation == ReLU && s.Cell != RNN:
		return &FieldError{Field: "Activation", Value: s.Activation, Want: "tanh for " + string(s.Cell)}
	}
	return nil
}

// validateDirect checks what a direct forecaster needs.
func (s Spec) validateDirect() error {
	d := s.Direct
	if d == nil {
		return nil
	}
	if err := InField("Direct", d.validate()); err != nil {
		return err
	}
	outputs := d.Horizon * len(d.Quantiles)
	if s.Readout == ReadAll {
		outputs = d.Segment * len(d.Quantiles)
	}
	switch {
	case s.Features != d.Columns():
		return &FieldError{Field: "Features", Value: s.Features, Want: fmt.Sprintf("%d, the columns of Direct", d.Columns())}
	case s.Bidirectional:
		return &FieldError{Field: "Bidirectional", Value: true, Want: "false for a direct forecaster"}
	case s.Readout != ReadLast && s.Readout != ReadAll:
		return &FieldError{Field: "Readout", Value: s.Readout, Want: "last or all for a direct forecaster"}
	case s.Readout != ReadAll && d.Future > 0:
		return &FieldError{Field: "Readout", Value: s.Readout, Want: "all for a direct forecaster with covariates that are known ahead"}
	case s.Outputs != outputs:
		return &FieldError{Field: "Outputs", Value: s.Outputs, Want: fmt.Sprintf("%d, the quantiles that the head answers at once", outputs)}
	}
	return nil
}

func (s Spec) validateInputs() error {
	if s.Direct != nil {
		if s.Vocabulary != 0 || s.Embedding < 1 {
			return &FieldError{Field: "Embedding", Value: s.Embedding, Want: "1 or more for a direct forecaster, which has no Vocabulary"}
		}
		return nil
	}
	switch tokens := s.Vocabulary > 0; {
	case s.Vocabulary < 0:
		return &FieldError{Field: "Vocabulary", Value: s.Vocabulary, Want: "0 or more"}
	case tokens && s.Features != 0:
		return &FieldError{Field: "Features", Value: s.Features, Want: "0 for a model of tokens"}
	case !tokens && s.Features < 1:
		return &FieldError{Field: "Features", Value: s.Features, Want: "1 or more"}
	case tokens && s.Embedding < 1:
		return &FieldError{Field: "Embedding", Value: s.Embedding, Want: "1 or more for a model of tokens"}
	case !tokens && s.Embedding != 0:
		return &FieldError{Field: "Embedding", Value: s.Embedding, Want: "0 for a model without a vocabulary"}
	}
	return nil
}

// Size returns the number of parameters, in a type that cannot overflow.
func (s Spec) Size() float64 {
	in, hidden, dirs := float64(s.Inputs()), float64(s.Hidden), float64(s.Directions())
	perLayer := func(in float64) float64 { return dirs * float64(s.Cell.Gates()) * hidden * (in + hidden + 2) }
	n := float64(s.Vocabulary)*float64(s.Embedding) + perLayer(in)
	n += math.Max(0, float64(s.Layers-1)) * perLayer(dirs*hidden)
	if d := s.Direct; d != nil {
		n += float64(d.Features()+1) * float64(s.Embedding)
		for _, c := range d.Categories {
			n += float64(c.Size) * float64(c.Embedding)
		}
		n += float64(d.Window) * float64(d.Linear) * float64(d.Horizon)
		if d.Linear > 1 {
			n += (dirs*hidden + 1) * float64(d.Linear)
		}
	}
	return n + (dirs*hidden+1)*float64(s.Outputs)
}

// Directions returns 2 for a bidirectional model, else 1.
func (s Spec) Directions() int {
	if s.Bidirectional {
		return 2
	}
	return 1
}

// State returns the inputs and outputs of an exported model for its state, see
// [Metadata].
func (s Spec) State() []StatePair {
	state := []StatePair{{Input: "h0", Output: "hn"}}
	if s.Cell == LSTM {
		state = append(state, StatePair{Input: "c0", Output: "cn"})
	}
	return state
}

// Stepwise reports whether the model can read a sequence step by step, with the state fed
// back, and give the same answers. A direct forecaster cannot, because it reads a whole
// window. A bidirectional model cannot, because its backward
// direction starts at the end. The readouts mean and max cannot, because they need all
// steps.
func (s Spec) Stepwise() bool {
	return s.Direct == nil && !s.Bidirectional && s.Readout != ReadMean && s.Readout != ReadMax
}

// Inputs returns the number of values in a step of the input of the first recurrent layer:
// the size of the embedding, or Features.
func (s Spec) Inputs() int {
	if s.Vocabulary > 0 || s.Direct != nil {
		return s.Embedding
	}
	return s.Features
}

// Width returns the number of values in a step of the output of a layer: Hidden for each
// direction.
func (s Spec) Width() int { return s.Directions() * s.Hidden }

// LayerInputs returns the number of values in a step of the input of the given layer,
// from 0.
func (s Spec) LayerInputs(layer int) int {
	if layer == 0 {
		return s.Inputs()
	}
	return s.Width()
}
