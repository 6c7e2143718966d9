package repair

import "slices"

// alignBudget bounds the search of align.
const alignBudget = 1 << 14

// align returns the sizes that a Reshape from in to out has, where out is its
// target in the first probe: dimensions lie in the same order before and after,
// so that runs of some have the product of runs of the others. Of the ways there
// are it takes the one with the most dimensions that are fixed or in plain, the
// batch and the time; known are sizes that occur in the model.
func align(in []size, out []int, plain, known []size) ([]size, bool) {
	a := aligner{in: in, out: out, plain: plain, known: known, cost: len(out) + 1, budget: alignBudget}
	a.search(0, 0, nil, 0)
	return a.best, a.cost <= len(out)
}

type aligner struct {
	in           []size
	out          []int
	plain, known []size
	best         []size
	cost         int // of best
	budget       int
}

// search extends sizes for out[:j], made of in[:i].
func (a *aligner) search(i, j int, sizes []size, cost int) {
	a.budget--
	if cost >= a.cost || a.budget < 0 {
		return
	}
	if i == len(a.in) && j == len(a.out) {
		a.best, a.cost = slices.Clone(sizes), cost
		return
	}
	for k := range len(a.in) - i + 1 {
		ins := (k + 1) % (len(a.in) - i + 1) // none at last
		product := fixed(1)
		for _, s := range a.in[i : i+ins] {
			product = product.times(s)
		}
		for outs := 0; j+outs <= len(a.out); outs++ {
			if ins+outs > 0 && (ins <= 1 || outs <= 1) {
				a.assign(i+ins, j, j+outs, product, sizes, cost)
			}
		}
	}
}

// assign gives out[j:end] sizes whose product is rest, and goes on from in[i:].
func (a *aligner) assign(i, j, end int, rest size, sizes []size, cost int) {
	if j == end {
		if rest == fixed(1) {
			a.search(i, j, sizes, cost)
		}
		return
	}
	a.budget--
	if a.budget < 0 {
		return
	}
	candidates := slices.Concat(a.plain, []size{rest, fixed(a.out[j])}, a.known)
	for k, s := range candidates {
		if s[0] != a.out[j] || slices.Contains(candidates[:k], s) {
			continue
		}
		left, ok := quotient(rest, s)
		if !ok {
			continue
		}
		more := 0
		if !s.isFixed() && !slices.Contains(a.plain, s) {
			more = 1
		}
		a.assign(i, j+1, end, left, append(sizes, s), cost+more)
	}
}

// quotient returns s / by where that is whole.
func quotient(s, by size) (size, bool) {
	for p := range s {
		if by[p] == 0 || s[p]%by[p] != 0 {
			return size{}, false
		}
		s[p] /= by[p]
	}
	return s, true
}
