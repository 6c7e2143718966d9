package datasets

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
)

// seriesRows holds the rows of one series as they were read, in little memory.
type seriesRows struct {
	key      []string
	name     string
	rows     int
	values   []chunks // of the targets, the past covariates, those known ahead
	static   []string
	ticks    deltas
	lines    deltas
	latest   int64 // the tick of the last row
	unsorted int   // the line of the first row that is not after the one before, or 0
}

// chunks is a list of numbers that grows without copying.
type chunks [][]float64

const maxChunk = 1 << 16

func (c *chunks) add(v float64) {
	last := len(*c) - 1
	if last < 0 || len((*c)[last]) == cap((*c)[last]) {
		size := 8
		if last >= 0 {
			size = min(2*len((*c)[last]), maxChunk)
		}
		*c = append(*c, make([]float64, 0, size))
		last++
	}
	(*c)[last] = append((*c)[last], v)
}

// deltas is a list of whole numbers, as differences of differences. Where numbers are
// evenly spaced, each takes a byte.
type deltas struct {
	bytes      []byte
	last, step int64
}

func (d *deltas) add(v int64) {
	step := v - d.last
	d.bytes = binary.AppendVarint(d.bytes, step-d.step)
	d.last, d.step = v, step
}

// all returns the numbers and their indices.
func (d *deltas) all() iter.Seq2[int, int64] {
	return func(yield func(int, int64) bool) {
		var last, step int64
		for i, rest := 0, d.bytes; len(rest) > 0; i++ {
			change, n := binary.Varint(rest)
			step += change
			last += step
			if !yield(i, last) {
				return
			}
			rest = rest[n:]
		}
	}
}

// at returns number i.
func (d *deltas) at(i int) int64 {
	for k, v := range d.all() {
		if k == i {
			return v
		}
	}
	return 0
}

// sort brings the rows into the order of their ticks.
func (s *seriesRows) sort() {
	ticks, order := make([]int64, 0, s.rows), make([]int, s.rows)
	for i, tick := range s.ticks.all() {
		ticks, order[i] = append(ticks, tick), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ticks[a], ticks[b]) })
	lines := make([]int64, s.rows)
	for i, line := range s.lines.all() {
		lines[i] = line
	}
	s.ticks, s.lines = deltas{}, deltas{}
	for _, i := range order {
		s.ticks.add(ticks[i])
		s.lines.add(lines[i])
	}
	for c, values := range s.values {
		flat := slices.Concat(values...)
		s.values[c] = nil
		for _, i := range order {
			s.values[c].add(flat[i])
		}
	}
}

// twice returns the first row that has the tick of the one before, and how many there are.
// The rows are sorted.
func (s *seriesRows) twice() (first, count int) {
	before := int64(0)
	for i, tick := range s.ticks.all() {
		if i > 0 && tick == before {
			if count++; count == 1 {
				first = i
			}
		}
		before = tick
	}
	return first, count
}

// of returns the name of the series to follow what is said about one of its rows.
func (s *seriesRows) of() string { return ofSeries(s.name) }

// ofSeries names a series, or is "" if it is the only one.
func ofSeries(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" in series %.40q", name)
}
