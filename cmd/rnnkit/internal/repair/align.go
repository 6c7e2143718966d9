package repair

import (
	"cmp"
	"slices"
)

const (
	// alignBudget bounds the number of steps of the search.
	alignBudget = 1 << 14

	// mostWays bounds the number of results of align.
	mostWays = 3
)

// way is a possible meaning of the target of a Reshape.
type way struct {
	sizes []size
	cost  int
	moved int // number of sizes that changed place
}

// align returns the possible symbolic sizes of the output of a Reshape, the likeliest
// first. in is its input, and out its target in the first probe. Dimensions keep
// their order, so a run of output sizes has the product of a run of input sizes. Ways
// that change few runs and split or merge few sizes are the likeliest, then those
// that leave sizes in place. known are sizes that occur elsewhere in the model.
func align(in []size, out []int, s sizes, known []size) []way {
	a := aligner{in: in, out: out, sizes: s, known: known, budget: alignBudget}
	a.search(0, 0, nil, 0)
	return a.ways
}

type aligner struct {
	in     []size
	out    []int
	sizes  sizes
	known  []size
	ways   []way
	budget int
}

// search extends made, which maps in[:i] to out[:j].
func (a *aligner) search(i, j int, made []size, cost int) {
	a.budget--
	if a.budget < 0 {
		return
	}
	if i == len(a.in) && j == len(a.out) {
		w := way{sizes: slices.Clone(made), cost: cost}
		for k, s := range made {
			if k >= len(a.in) || a.in[k] != s {
				w.moved++
			}
		}
		a.keep(w)
		return
	}
	for k := range len(a.in) - i + 1 {
		ins := (k + 1) % (len(a.in) - i + 1) // 0 comes last
		product := fixed(1)
		for _, s := range a.in[i : i+ins] {
			product = product.times(s)
		}
		for outs := 0; j+outs <= len(a.out); outs++ {
			switch {
			case ins == 1 && outs == 1 && product[0] == a.out[j]:
				a.search(i+1, j+1, append(made, product), cost+a.price(product))
			case ins+outs > 0 && (ins <= 1 || outs <= 1 || ins <= 3 && outs == 2): // 3 to 2 occurs in attention heads
				a.assign(i+ins, j, j+outs, product, made, cost+2)
			}
		}
	}
}

// keep adds w to the ways unless one with the same sizes costs less.
func (a *aligner) keep(w way) {
	at := slices.IndexFunc(a.ways, func(other way) bool { return slices.Equal(other.sizes, w.sizes) })
	switch {
	case at < 0:
		a.ways = append(a.ways, w)
	case a.ways[at].cost > w.cost:
		a.ways[at] = w
	}
	slices.SortStableFunc(a.ways, func(v, w way) int { return cmp.Or(cmp.Compare(v.cost, w.cost), cmp.Compare(v.moved, w.moved)) })
	a.ways = a.ways[:min(len(a.ways), mostWays)]
}

// assign gives out[j:end] sizes with the product rest, then searches on from in[i:].
func (a *aligner) assign(i, j, end int, rest size, made []size, cost int) {
	if j == end {
		if rest == fixed(1) {
			a.search(i, j, made, cost)
		}
		return
	}
	a.budget--
	if a.budget < 0 {
		return
	}
	candidates := slices.Concat([]size{a.sizes.batch, a.sizes.time, rest, fixed(a.out[j])}, a.known)
	if j+2 == end {
		if s, ok := quotient(rest, fixed(a.out[j+1])); ok { // more rows are likelier than wider rows
			candidates = slices.Insert(candidates, 0, s)
		}
	}
	for k, s := range candidates {
		if s[0] != a.out[j] || slices.Contains(candidates[:k], s) {
			continue
		}
		if left, ok := quotient(rest, s); ok {
			a.assign(i, j+1, end, left, append(made, s), cost+a.price(s))
		}
	}
}

// price returns the cost of a size: 0 for a fixed size, the batch or the time, and the
// most for any other multiple of the batch.
func (a *aligner) price(s size) int {
	batch, time := a.sizes.batch, a.sizes.time
	switch {
	case s.isFixed(), s == batch, s == time:
		return 0
	case s == batch.times(time):
		return 2
	case s[0]*batch[1] == s[1]*batch[0] && s[2]*batch[3] == s[3]*batch[2]:
		return 3
	}
	return 1
}

// quotient returns s / by and whether the division is exact.
func quotient(s, by size) (size, bool) {
	for p := range s {
		if by[p] == 0 || s[p]%by[p] != 0 {
			return size{}, false
		}
		s[p] /= by[p]
	}
	return s, true
}
