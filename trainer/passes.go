package trainer

import (
	"fmt"
	"sync"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// shardSize is the number of examples that one goroutine takes at a time.
// Because it is fixed, and the shards' results are added up in order, the
// number of goroutines makes no difference to a result.
const shardSize = 16

// passes runs a batch through a model, shard by shard on several goroutines.
type passes struct {
	model *models.Model
	seed  uint64
	batch datasets.Batch

	shards  []*shard // as many as the largest batch needed
	purpose purpose
	draw    uint64
	jobs    chan *shard // nil if the caller's goroutine does it all
	done    sync.WaitGroup
}

// purpose is what a pass is for.
type purpose int

const (
	answering purpose = iota
	measuring
	training
)

// shard is a part of a batch with all that is needed to run it.
type shard struct {
	*network[float32]
	first   int // the batch's example that the shard begins with
	targets []float32
	grads   *models.Params[float32] // nil before the first training
	loss    float64                 // the sum of squared errors
}

func newPasses(m *models.Model, seed uint64, threads int) *passes {
	p := &passes{model: m, seed: seed}
	if threads > 1 {
		p.jobs = make(chan *shard)
		for range threads {
			go func() {
				for s := range p.jobs {
					p.runShard(s)
					p.done.Done()
				}
			}()
		}
	}
	return p
}

func (p *passes) close() {
	if p.jobs != nil {
		close(p.jobs)
	}
}

// read takes the given examples as the batch.
func (p *passes) read(source datasets.Source, examples []int) error {
	if err := source.Read(&p.batch, examples); err != nil {
		return fmt.Errorf("trainer: reading examples: %w", err)
	}
	if err := p.check(); err != nil {
		return err
	}
	if want := p.batch.Size * p.answersEach(); len(p.batch.Targets) != want {
		return fmt.Errorf("trainer: a batch of %d examples of %d steps has %d targets: the model answers %d", p.batch.Size, p.batch.Time, len(p.batch.Targets), want)
	}
	return nil
}

// check reports a batch that does not fit the model.
func (p *passes) check() error {
	b, spec := &p.batch, p.model.Spec
	if b.Size < 1 || b.Time < 1 {
		return fmt.Errorf("trainer: a batch has %d examples of %d steps: it must have 1 or more of each", b.Size, b.Time)
	}
	if want := b.Size * b.Time * spec.Features; len(b.Inputs) != want {
		return fmt.Errorf("trainer: a batch of %d examples of %d steps has %d inputs: the model needs %d", b.Size, b.Time, len(b.Inputs), want)
	}
	if spec.Vocabulary == 0 {
		return nil
	}
	if want := b.Size * b.Time; len(b.Tokens) != want {
		return fmt.Errorf("trainer: a batch of %d examples of %d steps has %d tokens: the model needs %d", b.Size, b.Time, len(b.Tokens), want)
	}
	for i, token := range b.Tokens {
		if token < 0 || token >= int64(spec.Vocabulary) {
			return fmt.Errorf("trainer: step %d of example %d has token %d: the model knows those from 0 to %d", i%b.Time, i/b.Time, token, spec.Vocabulary-1)
		}
	}
	return nil
}

// answersEach is the number of values that the model answers an example with.
func (p *passes) answersEach() int {
	if p.model.Spec.Readout == models.ReadAll {
		return p.batch.Time * p.model.Spec.Outputs
	}
	return p.model.Spec.Outputs
}

// run passes the batch through the model and returns the mean loss, if it was
// asked for. draw numbers the draws of dropout.
func (p *passes) run(purpose purpose, draw uint64) float64 {
	p.purpose, p.draw = purpose, draw
	for len(p.shards)*shardSize < p.batch.Size {
		p.shards = append(p.shards, &shard{
			network: newNetwork[float32](p.model.Spec),
			first:   len(p.shards) * shardSize,
		})
	}
	shards := p.active()
	if p.jobs == nil {
		for _, s := range shards {
			p.runShard(s)
		}
	} else {
		p.done.Add(len(shards))
		for _, s := range shards {
			p.jobs <- s
		}
		p.done.Wait()
	}
	var sum float64
	for _, s := range shards {
		sum += s.loss
	}
	return sum / float64(p.batch.Size*p.answersEach())
}

// active returns the shards that the current batch fills.
func (p *passes) active() []*shard {
	return p.shards[:(p.batch.Size+shardSize-1)/shardSize]
}

func (p *passes) runShard(s *shard) {
	s.load(p)
	if p.purpose == training {
		s.dropout.Seed(p.seed+dropoutStream, p.draw<<16+uint64(s.first))
	}
	s.forward(p.model.Params, p.purpose == training)
	if p.purpose == answering {
		p.model.OutputScale.Invert(s.out, s.out)
		return
	}
	s.loss = squaredError(s.dout, s.out, s.targets, 1/float32(p.batch.Size*p.answersEach()))
	if p.purpose == training {
		if s.grads == nil {
			s.grads = models.NewParams[float32](p.model.Spec)
		}
		clear(s.grads.Data)
		s.backward(p.model.Params, s.grads)
	}
}

// load takes the shard's examples from the batch, scaled and time-major.
func (s *shard) load(p *passes) {
	b := &p.batch
	size := min(shardSize, b.Size-s.first)
	s.resize(b.Time, size)
	features := s.spec.Features
	for i := range size {
		for t := range b.Time {
			from := (s.first+i)*b.Time + t
			if s.spec.Vocabulary > 0 {
				s.tokens[t*size+i] = b.Tokens[from]
			} else {
				p.model.InputScale.Apply(s.input[(t*size+i)*features:][:features], b.Inputs[from*features:][:features])
			}
		}
	}
	if p.purpose == answering {
		return
	}
	kernels.Grow(&s.targets, len(s.out))
	steps, outputs := s.rows()/size, s.spec.Outputs
	for i := range size {
		for t := range steps {
			from := (s.first+i)*steps + t
			p.model.OutputScale.Apply(s.targets[(t*size+i)*outputs:][:outputs], b.Targets[from*outputs:][:outputs])
		}
	}
}

// answers appends the shard's outputs to out, example by example.
func (s *shard) answers(out []float32) []float32 {
	steps, outputs := s.rows()/s.batch, s.spec.Outputs
	for i := range s.batch {
		for t := range steps {
			out = append(out, s.out[(t*s.batch+i)*outputs:][:outputs]...)
		}
	}
	return out
}
