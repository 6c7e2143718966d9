package trainer

import (
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// InputGradients returns the gradient of the loss of each example with respect to the
// input of the first layer at each step, [size, time, inputs]. These inputs are the
// scaled values, or the embeddings of tokens. The gradients show how much of the error
// flows back to a step: Pascanu et al., "On the difficulty of training recurrent neural
// networks" (2013). There is no dropout, and the padding has zeros.
func InputGradients(m *models.Model, b *datasets.Batch, loss Loss) ([]float64, error) {
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	if m.Spec.Direct != nil {
		return nil, &models.FieldError{Field: "m.Spec.Direct", Value: m.Spec.Direct, Want: "nil: the gradients of a direct forecaster have no meaning step by step"}
	}
	if err := checkInputs(b, m.Spec); err != nil {
		return nil, models.InField("b", err)
	}
	meta, batch := m.Metadata, *b
	meta.Spec.Dropout = 0
	params := models.NewParams[float64](meta.Spec)
	kernels.Convert(params.Data, m.Params.Data)
	if meta.Spec.Vocabulary > 0 {
		batch.Tokens, batch.Inputs = nil, embed(b, m.Params.Embedding, meta.Spec.Embedding)
		meta.Spec, params = withoutEmbedding(meta.Spec, params)
	}
	r, err := newRunner(&meta, params, loss, 0, 1)
	if err != nil {
		return nil, err
	}
	defer r.close()
	r.batch = batch
	if err := r.checkTargets(); err != nil {
		return nil, err
	}
	return r.inputGradients(), nil
}

// embed returns the embeddings of the tokens of b, [size, time, embedding], with zeros in
// the padding.
func embed(b *datasets.Batch, table []float32, size int) []float32 {
	inputs := make([]float32, len(b.Tokens)*size)
	for i, token := range b.Tokens {
		if i%b.Time < length(b, i/b.Time) {
			copy(inputs[i*size:][:size], table[int(token)*size:])
		}
	}
	return inputs
}

// withoutEmbedding returns the model that reads embeddings as features and is otherwise
// the same.
func withoutEmbedding(spec models.Spec, params *models.Params[float64]) (models.Spec, *models.Params[float64]) {
	data := params.Data[len(params.Embedding):]
	spec.Features, spec.Vocabulary, spec.Embedding = spec.Embedding, 0, 0
	params = models.NewParams[float64](spec)
	copy(params.Data, data)
	return spec, params
}

// inputGradients returns the gradients for the batch, see [InputGradients].
func (r *runner[T]) inputGradients() []float64 {
	width := r.meta.Spec.Features
	gradients := make([]float64, r.batch.Size*r.batch.Time*width)
	unused := models.NewParams[T](r.meta.Spec)
	s := r.addShard()
	s.inputGrad = true
	for i := range s.packTasks() {
		s.pack(i, true)
	}
	for r.shardSize = 16; s.first < r.batch.Size; s.first += r.shardSize {
		s.load(r)
		s.forward(false)
		s.computeLoss(r)
		s.backward(unused)
		for i, example := range s.order {
			for t := range s.lengths[i] {
				row := gradients[((s.first+example)*s.time+t)*width:][:width]
				kernels.Convert(row, s.dx[(t*s.batch+i)*width:][:width])
				kernels.Scale(row, r.weight) // of the example, not of the mean
			}
		}
	}
	return gradients
}
