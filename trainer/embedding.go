package trainer

import (
	"github.com/rnnkit/rnnkit/internal/cell"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// embedding is the block that reads tokens. It answers one step of the embeddings of the
// distinct tokens, of which the value's pick has an index for each step.
type embedding[T models.Float] struct {
	unpacked
	table []T // [vocabulary, size]
	size  int

	tokens   []int64 // [time, batch]
	distinct []int64 // the different ones of tokens
	pick     []int   // [time, batch]: the index in distinct of each token
	index    []int   // of every token of the vocabulary, its index in distinct plus 1, or 0
	y, dy    []T     // [distinct, size]
}

func (e *embedding[T]) share() block[T] { return &embedding[T]{table: e.table, size: e.size} }

// resize prepares for the given number of tokens.
func (e *embedding[T]) resize(tokens int) {
	kernels.Grow(&e.tokens, tokens)
	kernels.Grow(&e.pick, tokens)
	kernels.Grow(&e.index, len(e.table)/e.size)
}

func (e *embedding[T]) forward(x value[T], _ bool) value[T] {
	e.distinct = e.distinct[:0]
	for i, token := range e.tokens {
		if e.index[token] == 0 {
			e.distinct = append(e.distinct, token)
			e.index[token] = len(e.distinct)
		}
		e.pick[i] = e.index[token] - 1
	}
	kernels.Grow(&e.y, len(e.distinct)*e.size)
	kernels.Grow(&e.dy, len(e.y))
	for i, token := range e.distinct {
		e.index[token] = 0
		copy(e.y[i*e.size:][:e.size], e.table[int(token)*e.size:])
	}
	x = x.with(cell.Dense(1, len(e.distinct), e.size, e.y), cell.Dense(1, len(e.distinct), e.size, e.dy))
	x.pick = e.pick
	return x
}

func (e *embedding[T]) backward(grads *models.Params[T]) {
	for i, token := range e.distinct {
		kernels.AddScaled(grads.Embedding[int(token)*e.size:][:e.size], 1, e.dy[i*e.size:])
	}
}
