package trainer

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// chunk is a range of the parameters that one goroutine updates at a time.
type chunk[T models.Float] struct {
	first   int
	params  []T
	grads   []T // those of the batch, in the memory of the first shard's
	moments [][]T
	norm    float64 // of grads
}

// chunkSize is the number of parameters in a chunk; the last may have fewer.
const chunkSize = 1 << 14

// splitChunks sets chunks.
func (f *fit[T]) splitChunks() {
	for first := 0; first < len(f.params.Data); first += chunkSize {
		end := min(first+chunkSize, len(f.params.Data))
		c := chunk[T]{first: first, params: f.params.Data[first:end]}
		for _, m := range f.moments {
			c.moments = append(c.moments, m[first:end])
		}
		f.chunks = append(f.chunks, c)
	}
	f.sumTask, f.updateTask = f.sumGradients, f.updateChunk
}

// update adds up the gradients of the shards and updates the parameters.
func (f *fit[T]) update(epoch, batch int, loss float64) error {
	f.pool.run(len(f.chunks), f.sumTask)
	var squares float64
	for i := range f.chunks {
		squares += f.chunks[i].norm * f.chunks[i].norm
	}
	f.norm = math.Sqrt(squares)
	f.rate = f.opts.LearningRate * f.plateau.Factor * f.opts.Schedule.factor(f.updates, f.opts.Epochs*f.batches(), epoch-1)
	if !finite(loss + f.norm) {
		return fmt.Errorf("%w: the loss is %g and the norm of the gradients %g in epoch %d, batch %d: lower the learning rate (now %g), clip the gradients or scale the data",
			ErrDiverged, loss, f.norm, epoch, batch, f.rate)
	}
	if f.clip = 1; f.opts.ClipNorm > 0 {
		// Pascanu et al., "On the difficulty of training recurrent neural
		// networks" (2013), with PyTorch's guard against a norm of 0.
		f.clip = min(1, f.opts.ClipNorm/(f.norm+1e-6))
	}
	f.updates++
	f.pool.run(len(f.chunks), f.updateTask)
	return nil
}

// sumGradients adds up the gradients of the shards in chunk i, in the order of the
// shards.
func (f *fit[T]) sumGradients(i int) {
	c, shards := &f.chunks[i], f.active()
	c.grads = shards[0].grads.Data[c.first:][:len(c.params)]
	for _, s := range shards[1:] {
		kernels.AddScaled(c.grads, 1, s.grads.Data[c.first:])
	}
	c.norm = kernels.Norm(c.grads)
}

// updateChunk clips the gradients of chunk i and lets the optimizer update its
// parameters.
func (f *fit[T]) updateChunk(i int) {
	c := &f.chunks[i]
	if f.clip != 1 {
		kernels.Scale(c.grads, T(f.clip))
	}
	update(f.opts.Optimizer, c.params, c.grads, c.moments, f.rate, f.updates)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
