package models

// Float is the constraint of the element type of parameters. It is float32, or float64
// where rounding must not matter.
type Float interface{ float32 | float64 }

// Params holds the parameters of a model, or anything of the same shape, such as their
// gradients. Data holds all of them, and the other fields are views of parts of Data.
// Weights have the layout of the ONNX operators, so exporting a model only copies them.
type Params[T Float] struct {
	Data []T

	Embedding []T // [vocabulary, embedding]; empty without a vocabulary

	// Only a direct forecaster has these.
	Categories [][]T     // of each category, [size, embedding]
	Segment    Linear[T] // the dense layer that reads segments, before the relu: inputs Direct.Features(), outputs Spec.Embedding
	Path       []T       // the linear maps from the normalized window to the horizon, [window, Direct.Linear, horizon]
	Gate       Linear[T] // what mixes several linear maps: inputs Spec.Width(), outputs Direct.Linear; empty for fewer than two

	Layers []Layer[T]
	Head   Linear[T]
}

// Layer holds the parameters of one recurrent layer. The gates are in ONNX order: i o f c
// for an LSTM, z r h for a GRU.
type Layer[T Float] struct {
	W []T // [directions, gates*hidden, inputs]
	R []T // [directions, gates*hidden, hidden]
	B []T // [directions, 2*gates*hidden]: the biases of W, then those of R
}

// Direction returns a view of the parameters of direction d of a layer with the given
// number of directions.
func (l Layer[T]) Direction(d, directions int) Layer[T] {
	part := func(x []T) []T {
		n := len(x) / directions
		return x[d*n : (d+1)*n : (d+1)*n]
	}
	return Layer[T]{part(l.W), part(l.R), part(l.B)}
}

// Linear holds the parameters of y = x W + B.
type Linear[T Float] struct {
	W []T // [inputs, outputs]
	B []T // [outputs]
}

// NewParams returns parameters for a valid spec, all of them 0.
func NewParams[T Float](s Spec) *Params[T] {
	p := &Params[T]{Layers: make([]Layer[T], s.Layers)}
	if s.Direct != nil {
		p.Categories = make([][]T, len(s.Direct.Categories))
	}
	total := 0
	for _, v := range p.views(s) {
		total += v.size
	}
	p.Data = make([]T, total)
	rest := p.Data
	for _, v := range p.views(s) {
		*v.slice, rest = rest[:v.size:v.size], rest[v.size:]
	}
	return p
}

// view is a part of the parameters, with the size that a Spec gives it.
type view[T Float] struct {
	slice *[]T
	size  int
}

// views lists the parts in their order in Data.
func (p *Params[T]) views(s Spec) []view[T] {
	list := []view[T]{{&p.Embedding, s.Vocabulary * s.Embedding}}
	if d := s.Direct; d != nil {
		for i, c := range d.Categories {
			list = append(list, view[T]{&p.Categories[i], c.Size * c.Embedding})
		}
		list = append(list, view[T]{&p.Segment.W, d.Features() * s.Embedding}, view[T]{&p.Segment.B, s.Embedding})
		list = append(list, view[T]{&p.Path, d.Window * d.Linear * d.Horizon})
		if d.Linear > 1 {
			list = append(list, view[T]{&p.Gate.W, s.Width() * d.Linear}, view[T]{&p.Gate.B, d.Linear})
		}
	}
	dirs, rows := s.Directions(), s.Cell.Gates()*s.Hidden
	for i := range p.Layers {
		list = append(list,
			view[T]{&p.Layers[i].W, dirs * rows * s.LayerInputs(i)},
			view[T]{&p.Layers[i].R, dirs * rows * s.Hidden},
			view[T]{&p.Layers[i].B, dirs * 2 * rows})
	}
	return append(list, view[T]{&p.Head.W, s.Width() * s.Outputs}, view[T]{&p.Head.B, s.Outputs})
}

// fit reports whether p has the parts of the given Spec.
func (p *Params[T]) fit(s Spec) bool {
	categories := 0
	if s.Direct != nil {
		categories = len(s.Direct.Categories)
	}
	if len(p.Layers) != s.Layers || len(p.Categories) != categories {
		return false
	}
	total := 0
	for _, v := range p.views(s) {
		if len(*v.slice) != v.size {
			return false
		}
		total += v.size
	}
	return len(p.Data) == total
}

// sharesData reports whether the parts, which must fit, are views of Data.
func (p *Params[T]) sharesData(s Spec) bool {
	rest := p.Data
	for _, v := range p.views(s) {
		if v.size > 0 && &(*v.slice)[0] != &rest[0] {
			return false
		}
		rest = rest[v.size:]
	}
	return true
}
