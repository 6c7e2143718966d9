package native

import (
	"context"
	"fmt"
	"unsafe"
)

// memory has the buffers of one runner's values. An array takes a buffer when it is
// computed and releases it when nothing reads the array any more. All buffers together
// stay within the limit.
type memory struct {
	limit, held int // in bytes
	pools       []trimmer
	arrays      []tracked // all that have their buffers here

	ctx    context.Context // of the run
	steps  int             // how many nodes the run has computed
	spent  int             // multiplications since the last look at the context
	budget *int            // how many may still be spent on constants; nil in a run
}

// tracked is a value with its header at hand.
type tracked struct {
	*header
	value value
}

// trimmer is a pool of buffers of any type.
type trimmer interface{ trim() }

// reserve counts n elements of some bytes each as held. At the limit it drops the buffers
// that are not in use.
func (m *memory) reserve(n, bytes int) error {
	if n > (m.limit-m.held)/bytes {
		m.trim()
	}
	if n > (m.limit-m.held)/bytes {
		return fmt.Errorf("a run may take %d MiB: run it on less at a time, or allow more memory", m.limit>>20)
	}
	m.held += n * bytes
	return nil
}

// trim drops the buffers that are not in use.
func (m *memory) trim() {
	for _, p := range m.pools {
		p.trim()
	}
}

// reserveMore counts n elements of some bytes each, which a kernel allocates itself, as
// held. kept is how many bytes of them are counted already.
func (m *memory) reserveMore(kept *int, n, bytes int) error {
	if n <= *kept/bytes {
		return nil
	}
	if err := m.reserve(n-*kept/bytes, bytes); err != nil {
		return err
	}
	*kept = n * bytes
	return nil
}

// release releases the values of a run, and forgets what belongs to the caller.
func (m *memory) release() {
	for _, a := range m.arrays {
		if a.filled && !a.invariant {
			a.value.release()
		}
	}
	m.ctx = nil
}

// releaseInvariant releases the invariant values too, which are to be computed again.
func (m *memory) releaseInvariant() {
	for _, a := range m.arrays {
		if a.invariant {
			a.value.release()
		}
	}
}

// reused returns m for the values of another runner: without those that it had, and
// without a budget.
func (m *memory) reused() *memory {
	m.arrays, m.budget = nil, nil
	return m
}

// maxSteps is how many nodes one run may compute, those in loops each time.
const maxSteps = 1 << 28

// step counts a node and reports whether the run goes on.
func (m *memory) step() error {
	if m.steps++; m.steps > maxSteps {
		return fmt.Errorf("the run has computed %d nodes without an end: a loop of the model may not terminate", maxSteps)
	}
	return m.ctx.Err()
}

// checkInterval is about how many multiplications, or what takes as long, are made
// between two looks at the context.
const checkInterval = 100_000_000

// The cost of an element in multiplications: to compute it, or to copy it along with
// its neighbours.
const (
	elementCost = 256
	copyCost    = 16
)

// chunkSize is how many elements are computed without a look at the context.
const chunkSize = 1 << 16

// spend counts the multiplications that come next. After every checkInterval of them it
// reports whether the run goes on.
func (m *memory) spend(n int) error {
	if m.spent += n; m.spent <= checkInterval {
		return nil
	}
	return m.check(n)
}

func (m *memory) check(n int) error {
	if m.budget != nil {
		if *m.budget -= m.spent; *m.budget < 0 {
			return errBudget
		}
	}
	m.spent = n
	return m.ctx.Err()
}

// chunks calls f for n elements, a chunk after the other, as long as the run goes on.
func (m *memory) chunks(n int, f func(from, to int)) error {
	for from := 0; from < n; from += chunkSize {
		to := min(from+chunkSize, n)
		if err := m.spend((to - from) * elementCost); err != nil {
			return err
		}
		f(from, to)
	}
	return nil
}

// buffer is memory for elements, which several arrays may show.
type buffer[T element] struct {
	data  []T // nil once it is dropped
	users int
	place int // among the free ones, without users
}

// pool holds the free buffers of one type.
type pool[T element] struct {
	memory  *memory
	free    []*buffer[T]
	scratch [2][scratchSize]T // what a kernel works with for a moment
}

// poolOf returns the pool of T in m.
func poolOf[T element](m *memory) *pool[T] {
	for _, p := range m.pools {
		if p, ok := p.(*pool[T]); ok {
			return p
		}
	}
	p := &pool[T]{memory: m}
	m.pools = append(m.pools, p)
	return p
}

// get returns a free buffer of at least n elements. It prefers last, so that a
// run on the shapes of the one before finds every buffer where that left it.
func (p *pool[T]) get(n int, last *buffer[T]) (*buffer[T], error) {
	if last != nil && last.users == 0 && n <= cap(last.data) {
		p.use(last)
		return last, nil
	}
	var best *buffer[T]
	for _, b := range p.free {
		if n <= cap(b.data) && (best == nil || cap(b.data) < cap(best.data)) {
			best = b
		}
	}
	const slack = 1024
	if best != nil && cap(best.data)/4 <= n+slack {
		p.use(best)
		return best, nil
	}
	if last != nil && last.users == 0 && last.data != nil {
		p.use(last)
		p.drop(last)
	}
	if err := p.memory.reserve(n, size[T]()); err != nil {
		return nil, err
	}
	return &buffer[T]{data: make([]T, n), users: 1}, nil
}

// use takes b, which is free, from the free ones.
func (p *pool[T]) use(b *buffer[T]) {
	end := len(p.free) - 1
	p.free[b.place] = p.free[end]
	p.free[b.place].place = b.place
	p.free[end] = nil
	p.free = p.free[:end]
	b.users = 1
}

// put takes one user from b.
func (p *pool[T]) put(b *buffer[T]) {
	if b.users--; b.users == 0 {
		b.place = len(p.free)
		p.free = append(p.free, b)
	}
}

// drop forgets b, which is not among the free ones.
func (p *pool[T]) drop(b *buffer[T]) {
	p.memory.held -= cap(b.data) * size[T]()
	b.data, b.users = nil, 0
}

// trim drops the free buffers.
func (p *pool[T]) trim() {
	for _, b := range p.free {
		p.drop(b)
	}
	clear(p.free)
	p.free = p.free[:0]
}

// size returns the bytes of one T.
func size[T element]() int { return int(unsafe.Sizeof(*new(T))) }
