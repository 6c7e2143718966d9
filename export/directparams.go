package export

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// Only rnnkit writes direct forecasters, so their parameters are found by the names that
// buildDirect gives them.

// loadMembers sets the parameters of m, and adds further members of the ensemble and those
// of a mixture, from the graph of a file of that many bytes.
func loadMembers(m *models.Model, g *onnxgraph.Graph, bytes int) error {
	constants := byName(g.Initializers)
	room := float64(bytes)/4 - m.Spec.Size()
	var err error
	if m.Ensemble, err = newMembers(m.Spec, constants, groupPrefix(0), 1, &room); err != nil {
		return err
	}
	for i, c := range m.Mixture {
		members, err := newMembers(c.Spec, constants, groupPrefix(i+1), 0, &room)
		if err != nil {
			return err
		}
		if len(members) == 0 {
			return fmt.Errorf("export: the graph is not that of its metadata: it lacks %shead.W", groupPrefix(i+1))
		}
		m.Mixed = append(m.Mixed, members)
	}
	if left := load(buildDirect(m), constants); len(left) > 0 {
		return fmt.Errorf("export: the graph is not that of its metadata: %s", strings.Join(left, "; "))
	}
	return nil
}

// newMembers returns parameters for those members of an ensemble that the constants have,
// from the given one on. The room is how many numbers the file may still hold.
func newMembers(s models.Spec, constants map[string]onnxgraph.Tensor, prefix string, from int, room *float64) (members []*models.Params[float32], err error) {
	for i := from; constants[prefix+memberPrefix(i)+"head.W"].Data != nil; i++ {
		if *room -= s.Size(); *room < 0 {
			return nil, fmt.Errorf("export: the file is too small for an ensemble of %d: it is damaged", i+1)
		}
		members = append(members, models.NewParams[float32](s))
	}
	return members, nil
}

// metadataFor returns the least that is valid for s, if anything is.
func metadataFor(s models.Spec) models.Metadata {
	d := s.Direct
	if d == nil || s.Validate() != nil {
		return models.Metadata{Spec: s}
	}
	return models.Metadata{Task: models.Forecast, Spec: s, Window: d.Window, Horizon: d.Horizon, Forecast: &models.Forecasting{
		Targets: make([]string, d.Targets), Past: make([]string, d.Past), Future: make([]string, d.Future),
		Static: make([]string, d.Static), Categories: make([]models.CategoryValues, len(d.Categories)),
	}}
}

// loadDirect is LoadParams for a direct forecaster.
func loadDirect(m *models.Model, file *onnxgraph.Model) (left []string, err error) {
	meta, err := metadataOf(file)
	if err == nil && meta.Spec.Direct == nil {
		err = errors.New("the model in the file is no direct forecaster")
	}
	if err != nil {
		return nil, fmt.Errorf("export: the Spec is a direct forecaster, start from a file of one: %w", err)
	}
	if err := sameLayers(meta.Spec, m.Spec); err != nil {
		return nil, err
	}
	constants := byName(file.Graph.Initializers)
	left = append(differences(meta.Spec.Direct, m.Spec.Direct), load(buildDirect(m), constants)...)
	if constants[memberPrefix(1)+"head.W"].Data != nil {
		left = append(left, "members: the file has an ensemble, of which the parameters are those of the first")
	}
	if len(meta.Mixture) > 0 {
		left = append(left, "mixture: the file has one, of which the parameters are those of its spec")
	}
	return left, nil
}

// sameLayers returns an error if the layers of a file are not those of s.
func sameLayers(file, s models.Spec) error {
	var problems []string
	if file.Layers != s.Layers {
		problems = append(problems, fmt.Sprintf("the number of layers is %d, the Spec's %d", file.Layers, s.Layers))
	}
	for i := range min(file.Layers, s.Layers) {
		if have, want := wanted(file, i), wanted(s, i); have != want {
			problems = append(problems, fmt.Sprintf("layer %d is %s, the Spec's %s", i, have, want))
		}
	}
	return misfit(problems)
}

// differences returns a line for each field in which parameters of the same shape would
// mean something else.
func differences(file, s *models.Direct) (left []string) {
	for _, f := range []struct {
		name       string
		have, want any
	}{
		{"Segment", file.Segment, s.Segment}, {"Past", file.Past, s.Past}, {"Future", file.Future, s.Future},
		{"Static", file.Static, s.Static}, {"Center", file.Center, s.Center}, {"Log", file.Log, s.Log},
		{"Linear", file.Linear, s.Linear},
		{"Quantiles", file.Quantiles, s.Quantiles},
	} {
		if !reflect.DeepEqual(f.have, f.want) {
			left = append(left, fmt.Sprintf("Direct.%s: the file's is %v, the Spec's %v", f.name, f.have, f.want))
		}
	}
	return left
}

// load sets the parameters of g to the constants of the same names. It returns a line for
// each that is missing or has another shape, and stays as it is.
func load(g *direct, constants map[string]onnxgraph.Tensor) (left []string) {
	for _, want := range g.loaded {
		have := constants[want.Name]
		data, ok := have.Data.([]float32)
		switch {
		case !ok:
			left = append(left, fmt.Sprintf("%s: the file has none of float32", want.Name))
		case !slices.Equal(have.Shape, want.Shape):
			left = append(left, fmt.Sprintf("%s: the file's is %v, the Spec's %v", want.Name, have.Shape, want.Shape))
		default:
			copy(want.Data.([]float32), data)
		}
	}
	return left
}

func byName(list []onnxgraph.Tensor) map[string]onnxgraph.Tensor {
	named := make(map[string]onnxgraph.Tensor, len(list))
	for _, t := range list {
		named[t.Name] = t
	}
	return named
}
