package models

import "fmt"

// Model is a model: its parameters, and the metadata that says how to use it.
type Model struct {
	Metadata
	Params *Params[float32]

	// Ensemble holds the parameters of further members of an ensemble of direct
	// forecasters. The model answers the median of what Params and these answer.
	Ensemble []*Params[float32]
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
	if err := m.Params.validate("Params", m.Spec); err != nil {
		return err
	}
	if len(m.Ensemble) > 0 && m.Spec.Direct == nil {
		return &FieldError{Field: "Ensemble", Value: m.Ensemble, Want: "empty for a model that is no direct forecaster"}
	}
	for i, p := range m.Ensemble {
		if err := p.validate(fmt.Sprintf("Ensemble[%d]", i), m.Spec); err != nil {
			return err
		}
	}
	return nil
}

// validate returns a *FieldError if p, which the field holds, are not parameters of s.
func (p *Params[T]) validate(field string, s Spec) error {
	switch {
	case p == nil:
		return &FieldError{Field: field, Value: nil, Want: "what NewParams returns for the Spec"}
	case !p.fit(s):
		return &FieldError{Field: field + ".Data", Value: p.Data, Want: fmt.Sprintf("of length %.0f, in the parts that NewParams makes for the Spec", s.Size())}
	case !p.sharesData(s):
		return &FieldError{Field: field, Value: p, Want: "what NewParams returns, with the numbers copied to its Data: these fields are no views of Data, as after gob or JSON"}
	}
	return nil
}
