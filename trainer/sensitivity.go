package trainer

import (
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// InputGradients returns the gradients of each example's loss with respect to
// what the first layer reads at each step, [size, time, inputs]: the scaled
// values, or the embeddings of tokens. They show how much of the error reaches a
// step on its way back through time: Pascanu et al., "On the difficulty of
// training recurrent neural networks" (2013). There is no dropout, and padding
// has zeros.
func InputGradients(m *models.Model, b *datasets.Batch, loss Loss) ([]float64, error) {
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	if err := checkInputs(b, m.Spec); err != nil {
		return nil, err
	}
	meta, batch := m.Metadata, *b
	meta.Spec.Dropout = 0
	params := models.NewParams[float64](meta.Spec)
	kernels.Convert(params.Data, m.Params.Data)
	if meta.Spec.Vocabulary > 0 {
		// The embeddings are the features of a model that is otherwise the same.
		size := meta.Spec.Embedding
		batch.Tokens, batch.Inputs = nil, make([]float32, len(b.Tokens)*size)
		for i, token := range b.Tokens {
			if i%b.Time < length(b, i/b.Time) {
				copy(batch.Inputs[i*size:][:size], m.Params.Embedding[int(token)*size:])
			}
		}
		data := params.Data[len(params.Embedding):]
		meta.Spec.Features, meta.Spec.Vocabulary, meta.Spec.Embedding = meta.Spec.Embedding, 0, 0
		params = models.NewParams[float64](meta.Spec)
		copy(params.Data, data)
	}
	p, err := newPasses(&meta, params, loss, 0, 1)
	if err != nil {
		return nil, err
	}
	defer p.close()
	p.batch = batch
	if err := p.checkTargets(); err != nil {
		return nil, err
	}
	return p.inputGradients(), nil
}

func (p *passes[T]) inputGradients() []float64 {
	width := p.meta.Spec.Features
	gradients := make([]float64, p.batch.Size*p.batch.Time*width)
	unused := models.NewParams[T](p.meta.Spec)
	s := p.addShard()
	p.packed = newPacked(s.network)
	p.packed.Params = p.params
	for i := range s.packs() {
		s.pack(&p.packed, i, true)
	}
	for p.size = 16; s.first < p.batch.Size; s.first += p.size {
		s.load(p)
		s.forward(&p.packed, false)
		s.measure(p)
		kernels.Grow(&s.dinput, len(s.input))
		s.backward(&p.packed, unused)
		for i, example := range s.order {
			for t := range s.lengths[i] {
				row := gradients[((s.first+example)*s.time+t)*width:][:width]
				kernels.Convert(row, s.dinput[(t*s.batch+i)*width:][:width])
				kernels.Scale(row, p.weight) // of the example, not of the mean
			}
		}
	}
	return gradients
}
