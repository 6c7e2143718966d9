package models

import "fmt"

// Model is a model: its parameters, and the metadata that says how to use it.
type Model struct {
	Metadata
	Params *Params[float32]
}

// New returns a model with the given metadata and parameters that [Init] draws from seed.
// It returns a *FieldError if the metadata is not valid or a recipe does not fit it.
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

// Validate returns a *FieldError for the first field of the metadata that does not fit,
// or for parameters that are not those of the Spec.
func (m *Model) Validate() error {
	if err := m.Metadata.Validate(); err != nil {
		return err
	}
	switch {
	case m.Params == nil:
		return &FieldError{Field: "Params", Value: nil, Want: "what NewParams returns for the Spec"}
	case !m.Params.fit(m.Spec):
		return &FieldError{Field: "Params.Data", Value: m.Params.Data, Want: fmt.Sprintf("of length %.0f, in the parts that NewParams makes for the Spec", m.Spec.Size())}
	case !m.Params.sharesData(m.Spec):
		return &FieldError{Field: "Params", Value: m.Params, Want: "what NewParams returns, with the numbers copied to its Data: these fields are no views of Data, as after gob or JSON"}
	}
	return nil
}
