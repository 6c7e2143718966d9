package trainer

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// shardSize returns the number of examples of a batch that one goroutine takes
// at a time. Because it does not depend on the number of goroutines, and the
// shards' results are added up in order, that makes no difference to a result.
// Fewer than the rows of two tiles of a product would waste registers, unless
// the batch has no more; in a small model the work around the products counts,
// which more rows share.
func shardSize(spec models.Spec, batch int) int {
	switch {
	case batch < 8:
		return batch
	case batch <= 16:
		return (batch + 1) / 2
	case batch >= 64 && spec.Hidden < 64:
		return 32
	}
	return 16
}

// passes runs a batch through a model, shard by shard on several goroutines.
type passes[T models.Float] struct {
	meta   *models.Metadata
	params *models.Params[T]
	packed packed[T] // params in the current pass
	loss   Loss
	values int // that a row of targets has; 0 if it has a label
	seed   uint64
	size   int // of a shard

	carry   bool     // the state goes on from batch to batch
	carried int      // examples of the batch before whose state does
	last    state[T] // that they ended with, each [carried, layers, hidden]

	batch   datasets.Batch
	weight  float64 // of all rows of the batch
	purpose purpose
	draw    uint64

	shards []*shard[T] // as many as the largest batch needed
	team   *team

	shardJob, packJob func(i int) // made once, as making them takes memory
}

// purpose is what a pass is for.
type purpose int

const (
	answering purpose = iota
	measuring
	training
)

// shard is a part of a batch with all that is needed to run it.
type shard[T models.Float] struct {
	*network[T]
	first int               // the batch's example that the shard begins with
	order []int             // of the shard's examples, the longest first
	row   row               // of values
	top   []T               // of each row's outputs, for labels
	sums  []T               // of the powers of each row's outputs
	grads *models.Params[T] // nil before the first training
	loss  float64           // weighted sum over rows
	score score
}

// row is room for a row of outputs in float64, with its targets.
type row struct{ out, grad, targets []float64 }

// newPasses fails if the loss does not fit the model.
func newPasses[T models.Float](meta *models.Metadata, params *models.Params[T], loss Loss, seed uint64, threads int) (*passes[T], error) {
	p := &passes[T]{meta: meta, params: params, loss: loss, seed: seed}
	var err error
	if p.values, err = lossSize(loss, meta.Spec.Outputs); err != nil {
		return nil, err
	}
	if meta.OutputScale != nil && p.values == 0 {
		return nil, &models.FieldError{Field: "m.OutputScale", Value: meta.OutputScale, Want: "nil for a loss of labels"}
	}
	p.team = newTeam(threads)
	p.shardJob = p.runShard
	p.packJob = func(i int) { p.shards[0].pack(&p.packed, i, p.purpose == training) }
	return p, nil
}

func (p *passes[T]) close() { p.team.close() }

// read takes the given examples as the batch.
func (p *passes[T]) read(source datasets.Source, examples []int) error {
	if err := source.Read(&p.batch, examples); err != nil {
		return fmt.Errorf("reading examples: %w", err)
	}
	if p.batch.Size != len(examples) {
		return fmt.Errorf("the source read %d examples when asked for %d: it must read those", p.batch.Size, len(examples))
	}
	if err := checkInputs(&p.batch, p.meta.Spec); err != nil {
		return err
	}
	return p.checkTargets()
}

// checkInputs reports a batch that does not fit the model.
func checkInputs(b *datasets.Batch, spec models.Spec) error {
	if b.Size < 1 || b.Time < 1 {
		return fmt.Errorf("a batch has %d examples of %d steps: it must have 1 or more of each", b.Size, b.Time)
	}
	// In float64, in which large sizes do not overflow.
	steps := float64(b.Size) * float64(b.Time)
	states, cells := float64(spec.Layers*spec.Directions()*spec.Hidden)*float64(b.Size), 0.0
	if spec.Cell == models.LSTM {
		cells = states
	}
	if len(b.H0) == 0 && len(b.C0) == 0 {
		states, cells = 0, 0
	}
	for _, f := range []struct {
		name string
		have int
		want float64
	}{
		{"inputs", len(b.Inputs), steps * float64(spec.Features)},
		{"tokens", len(b.Tokens), steps * float64(min(spec.Vocabulary, 1))},
		{"values of H0", len(b.H0), states},
		{"values of C0", len(b.C0), cells},
	} {
		if float64(f.have) != f.want {
			return fmt.Errorf("a batch of %d examples of %d steps has %d %s: the model needs %.0f", b.Size, b.Time, f.have, f.name, f.want)
		}
	}
	if n := len(b.Lengths); n != 0 && n != b.Size {
		return fmt.Errorf("a batch of %d examples has %d lengths: it needs one each, or none", b.Size, n)
	}
	for i, n := range b.Lengths {
		if n < 1 || n > b.Time {
			return fmt.Errorf("example %d of the batch has length %d: it must be from 1 to its %d steps", i, n, b.Time)
		}
	}
	for i, token := range b.Tokens {
		if t := i % b.Time; t < length(b, i/b.Time) && (token < 0 || token >= int64(spec.Vocabulary)) {
			return fmt.Errorf("step %d of example %d has token %d: the model knows those from 0 to %d", t, i/b.Time, token, spec.Vocabulary-1)
		}
	}
	return nil
}

// checkTargets reports targets that do not fit the loss, and adds up the
// weight of the rows.
func (p *passes[T]) checkTargets() error {
	b := &p.batch
	rows := b.Size * p.rowsEach()
	labels := 0
	if p.values == 0 {
		labels = rows
	}
	if len(b.Targets) != rows*p.values || len(b.Labels) != labels {
		return fmt.Errorf("a batch of %d examples of %d steps has %d targets and %d labels: the loss needs %d and %d",
			b.Size, b.Time, len(b.Targets), len(b.Labels), rows*p.values, labels)
	}
	p.weight = 0
	for i := range b.Size {
		for t := range p.rowsOf(i) {
			row, label := i*p.rowsEach()+t, int64(0)
			if p.values == 0 {
				label = b.Labels[row]
			}
			if label != datasets.Ignore && (label < 0 || label >= int64(p.meta.Spec.Outputs)) {
				return fmt.Errorf("row %d of the batch has label %d: the model knows those from 0 to %d", row, label, p.meta.Spec.Outputs-1)
			}
			p.weight += p.loss.weight(label)
		}
	}
	return nil
}

// length returns the number of steps of example i of b.
func length(b *datasets.Batch, i int) int {
	if len(b.Lengths) == 0 {
		return b.Time
	}
	return b.Lengths[i]
}

// rowsEach is the number of rows that the model answers an example with,
// padding included, and rowsOf without it.
func (p *passes[T]) rowsEach() int {
	if p.meta.Spec.Readout == models.ReadAll {
		return p.batch.Time
	}
	return 1
}

func (p *passes[T]) rowsOf(i int) int {
	return min(p.rowsEach(), length(&p.batch, i))
}

// run passes the batch through the model and returns the mean loss, if it was
// asked for. draw numbers the draws of dropout.
func (p *passes[T]) run(purpose purpose, draw uint64) float64 {
	p.purpose, p.draw = purpose, draw
	p.size = shardSize(p.meta.Spec, p.batch.Size)
	for len(p.shards)*p.size < p.batch.Size {
		p.addShard()
	}
	shards := p.active()
	if p.packed.Params == nil {
		p.packed = newPacked(shards[0].network)
		p.packed.Params = p.params
	}
	if p.carry {
		kernels.Grow(&p.last.h, p.states(p.batch.Size))
		kernels.Grow(&p.last.c, p.states(p.batch.Size))
	}
	p.team.run(shards[0].packs(), p.packJob)
	p.team.run(len(shards), p.shardJob)
	if p.carry {
		p.carried = p.batch.Size
	}
	var sum float64
	for _, s := range shards {
		sum += s.loss
	}
	if p.weight == 0 {
		return 0
	}
	return sum / p.weight
}

func (p *passes[T]) addShard() *shard[T] {
	s := &shard[T]{network: newNetwork[T](p.meta.Spec)}
	p.shards = append(p.shards, s)
	return s
}

// active returns the shards that the current batch fills.
func (p *passes[T]) active() []*shard[T] {
	return p.shards[:(p.batch.Size+p.size-1)/p.size]
}

// forget makes the next batch begin from zero even if the state is carried.
func (p *passes[T]) forget() { p.carried = 0 }

// states is the number of values of h, or of c, for as many examples.
func (p *passes[T]) states(examples int) int {
	return examples * p.meta.Spec.Layers * p.meta.Spec.Hidden
}

func (p *passes[T]) runShard(i int) {
	s := p.shards[i]
	s.first = i * p.size
	s.load(p)
	if p.purpose == training {
		s.dropout.Seed(p.seed+dropoutStream, p.draw<<32+uint64(s.first))
	}
	s.keepState = p.carry
	s.forward(&p.packed, p.purpose == training)
	if p.carry {
		s.handOn(p)
	}
	if p.purpose == answering {
		return
	}
	s.measure(p)
	if p.purpose == training {
		if s.grads == nil {
			s.grads = models.NewParams[T](p.meta.Spec)
		}
		clear(s.grads.Data)
		s.backward(&p.packed, s.grads)
	}
}

// load takes the shard's examples from the batch, scaled and time-major, the
// longest first.
func (s *shard[T]) load(p *passes[T]) {
	b, spec := &p.batch, p.meta.Spec
	size := min(p.size, b.Size-s.first)
	s.sort(p, size)
	features := spec.Features
	for i, example := range s.order {
		for t := range b.Time {
			from, to := (s.first+example)*b.Time+t, t*size+i
			padding := t >= s.lengths[i]
			switch {
			case spec.Vocabulary > 0 && padding:
				s.tokens[to] = 0
			case spec.Vocabulary > 0:
				s.tokens[to] = b.Tokens[from]
			case padding:
				clear(s.input[to*features:][:features])
			case p.meta.InputScale == nil:
				kernels.Convert(s.input[to*features:], b.Inputs[from*features:][:features])
			default:
				step := s.input[to*features:][:features]
				kernels.Convert(step, b.Inputs[from*features:])
				scaleInputs(step, p.meta.InputScale)
			}
		}
	}
	s.begin(p)
}

// sort sets order and sizes the network for the shard's examples.
func (s *shard[T]) sort(p *passes[T], size int) {
	kernels.Grow(&s.order, size)
	for i := range s.order {
		s.order[i] = i
	}
	slices.SortStableFunc(s.order, func(a, b int) int { return length(&p.batch, s.first+b) - length(&p.batch, s.first+a) })
	kernels.Grow(&s.lengths, size)
	for i, example := range s.order {
		s.lengths[i] = length(&p.batch, s.first+example)
	}
	s.resize(p.batch.Time, s.lengths)
}

// begin sets the state before the first step: that of the batch, the one
// carried over from the batch before, or zero.
func (s *shard[T]) begin(p *passes[T]) {
	b := &p.batch
	switch {
	case len(b.H0) > 0:
		hidden := s.spec.Hidden
		for l := range s.spec.Layers * s.spec.Directions() {
			for i, example := range s.order {
				from, to := (l*b.Size+s.first+example)*hidden, (l*s.batch+i)*hidden
				kernels.Convert(s.initial.h[to:], b.H0[from:][:hidden])
				if len(b.C0) > 0 {
					kernels.Convert(s.initial.c[to:], b.C0[from:][:hidden])
				}
			}
		}
	default:
		clear(s.initial.h)
		clear(s.initial.c)
		s.goOn(p)
	}
}

// goOn takes the states that are carried to the places of the shard's examples.
func (s *shard[T]) goOn(p *passes[T]) {
	for i, example := range s.order {
		if s.first+example >= p.carried {
			continue
		}
		for l := range s.spec.Layers {
			place, carried := s.places(l, i)
			copy(s.initial.h[place:], p.last.h[carried:][:s.spec.Hidden])
			copy(s.initial.c[place:], p.last.c[carried:][:s.spec.Hidden])
		}
	}
}

// handOn makes the final states those that are carried.
func (s *shard[T]) handOn(p *passes[T]) {
	for i := range s.order {
		for l := range s.spec.Layers {
			place, carried := s.places(l, i)
			copy(p.last.h[carried:], s.final.h[place:][:s.spec.Hidden])
			copy(p.last.c[carried:], s.final.c[place:][:s.spec.Hidden])
		}
	}
}

// places returns where the state of a layer and of example i of order lies in
// the network, and where among those that are carried.
func (s *shard[T]) places(layer, i int) (network, carried int) {
	example := s.first + s.order[i]
	return (layer*s.batch + i) * s.spec.Hidden, (example*s.spec.Layers + layer) * s.spec.Hidden
}

// measure sets loss and the gradient of the outputs.
func (s *shard[T]) measure(p *passes[T]) {
	s.loss, s.score = 0, score{}
	switch loss := p.loss.(type) {
	case CrossEntropy:
		s.measureClasses(p, loss)
	case valueLoss:
		s.measureValues(p, loss)
	}
	if p.weight == 0 {
		clear(s.dout)
		return
	}
	kernels.Scale(s.dout, T(1/p.weight))
}

func (s *shard[T]) measureValues(p *passes[T], loss valueLoss) {
	outputs, rows := s.spec.Outputs, p.rowsEach()
	r := &s.row
	kernels.Grow(&r.out, outputs)
	kernels.Grow(&r.grad, outputs)
	kernels.Grow(&r.targets, p.values)
	clear(s.dout)
	for i, example := range s.order {
		for t := range p.rowsOf(s.first + example) {
			from, at := (s.first+example)*rows+t, (t*s.batch+i)*outputs
			p.scaleTargets(r.targets, p.batch.Targets[from*p.values:])
			kernels.Convert(r.out, s.out[at:][:outputs])
			s.loss += loss.row(r.grad, r.out, r.targets)
			if c, ok := loss.(classifier); ok {
				s.score.add(c.right(r.out, r.targets))
			}
			kernels.Convert(s.dout[at:], r.grad)
		}
	}
}

func (s *shard[T]) measureClasses(p *passes[T], loss CrossEntropy) {
	n := s.rows()
	out, dout := kernels.Dense(n, s.spec.Outputs, s.out), kernels.Dense(n, s.spec.Outputs, s.dout)
	kernels.Grow(&s.top, n)
	kernels.Grow(&s.sums, n)
	kernels.Softmax(dout, out, s.top, s.sums)
	norms := 1.0 // the product of norms whose logarithm is not yet in the loss
	for row := range n {
		t, example := row/s.batch, s.first+s.order[row%s.batch]
		label := int64(datasets.Ignore)
		if t < p.rowsOf(example) {
			label = p.batch.Labels[example*p.rowsEach()+t]
		}
		if label == datasets.Ignore {
			clear(dout.Row(row))
			continue
		}
		s.score.add(slices.Index(out.Row(row), s.top[row]) == int(label))
		mass, sum := crossEntropy(loss, dout.Row(row), out.Row(row), int(label))
		s.loss += mass*float64(s.top[row]) - sum
		if mass != 1 {
			s.loss += mass * math.Log(float64(s.sums[row]))
		} else if norms *= float64(s.sums[row]); norms > 1e200 {
			s.loss += math.Log(norms)
			norms = 1
		}
	}
	s.loss += math.Log(norms)
}

// scaleTargets sets dst to as many targets, each scaled as the first of the
// outputs that answer it.
func (p *passes[T]) scaleTargets(dst []float64, targets []float32) {
	scale, group := p.meta.OutputScale, p.meta.Spec.Outputs/p.values
	for i := range dst {
		t := targets[i]
		if scale != nil {
			t = (t - scale.Mean[i*group]) / scale.Std[i*group]
		}
		dst[i] = float64(t)
	}
}

// scaleInputs brings the values of a step to the units of a scale, if not nil.
func scaleInputs[T models.Float](step []T, scale *models.Scale) {
	if scale == nil {
		return
	}
	for i, v := range step {
		step[i] = (v - T(scale.Mean[i])) / T(scale.Std[i])
	}
}

// answers copies the shard's outputs, in raw units, to out, where they lie
// example by example. What answers padding is zero.
func (s *shard[T]) answers(p *passes[T], out []T) {
	outputs, rows := s.spec.Outputs, p.rowsEach()
	for i, example := range s.order {
		for t := range p.rowsOf(s.first + example) {
			row := out[((s.first+example)*rows+t)*outputs:][:outputs]
			copy(row, s.out[(t*s.batch+i)*outputs:])
			if scale := p.meta.OutputScale; scale != nil {
				for k, v := range row {
					row[k] = v*T(scale.Std[k]) + T(scale.Mean[k])
				}
			}
		}
	}
}
