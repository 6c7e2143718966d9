package models

import "fmt"

// Model is a model: its parameters, and the metadata that says how to use it.
type Model struct {
	Metadata
	Params *Params[float32]

	// Ensemble holds the parameters of further members of an ensemble of direct
	// forecasters. The model answers the median of what Params and these answer.
	Ensemble []*Params[float32]

	// Mixed holds the parameters of the members of each component of the Mixture, which
	// answers their median.
	Mixed [][]*Params[float32]
}

// Group is an ensemble of members of the same architecture, and its weight in a mixture.
type Group struct {
	Component
	Members []*Params[float32]
}

// Groups returns the ensembles that a direct forecaster mixes: that of the Spec, and those
// of the Mixture.
func (m *Model) Groups() []Group {
	list := []Group{{Component{m.Spec, m.weight()}, append([]*Params[float32]{m.Params}, m.Ensemble...)}}
	for i, c := range m.Mixture {
		list = append(list, Group{c, m.Mixed[i]})
	}
	return list
}

// New returns a model with the given metadata and parameters that [Init] draws from seed,
// one member for the Spec and one for each component of the Mixture. It returns a
// *FieldError if the metadata is not valid or a recipe does not fit it.
func New(meta Metadata, seed uint64, recipes ...Recipe) (*Model, error) {
	if err := meta.Validate(); err != nil {
		return nil, err
	}
	params, err := Init(meta.Spec, seed, recipes...)
	if err != nil {
		return nil, err
	}
	m := &Model{Metadata: meta, Params: params}
	for i, c := range meta.Mixture {
		other, err := Init(c.Spec, seed+uint64(i)+1, recipes...)
		if err != nil {
			return nil, InField(fmt.Sprintf("Mixture[%d].Spec", i), err)
		}
		m.Mixed = append(m.Mixed, []*Params[float32]{other})
	}
	return m, nil
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
	if err := validateMembers("Ensemble", m.Ensemble, m.Spec); err != nil {
		return err
	}
	if len(m.Mixed) != len(m.Mixture) {
		return &FieldError{Field: "Mixed", Value: Length(len(m.Mixed)), Want: fmt.Sprintf("of length %d, as Mixture", len(m.Mixture))}
	}
	for i, members := range m.Mixed {
		field := fmt.Sprintf("Mixed[%d]", i)
		if len(members) == 0 {
			return &FieldError{Field: field, Value: Length(0), Want: "of length 1 or more"}
		}
		if err := validateMembers(field, members, m.Mixture[i].Spec); err != nil {
			return err
		}
	}
	return nil
}

// validateMembers returns a *FieldError if members, which the field holds, are not
// parameters of s.
func validateMembers(field string, members []*Params[float32], s Spec) error {
	for i, p := range members {
		if err := p.validate(fmt.Sprintf("%s[%d]", field, i), s); err != nil {
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
