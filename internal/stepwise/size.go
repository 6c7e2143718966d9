package stepwise

import (
	"math"
	"slices"
	"strings"
)

// A size is a dimension or an element of a shape: a factor times symbols, plus
// a number. Each rune of symbols stands for a dimension of any size.
type size struct {
	factor  int64
	symbols string // in order
	plus    int64
}

// time is the symbol of the number of steps.
const time = 't'

var (
	one       = fixed(1)
	stepCount = size{factor: 1, symbols: string(time)}
)

func fixed(n int64) size { return size{plus: n} }

// fixed returns the size if it is a number.
func (s size) fixed() (int64, bool) { return s.plus, s.symbols == "" }

func (s size) hasTime() bool { return strings.ContainsRune(s.symbols, time) }

// limit keeps products within what a dimension can be.
const limit = math.MaxInt32

// times returns the product, if it can be written as a size.
func (s size) times(o size) (size, bool) {
	a, isNumber := s.fixed()
	b, isOther := o.fixed()
	switch {
	case max(abs(a), abs(b), abs(s.factor), abs(o.factor)) > limit:
		return size{}, false
	case isNumber && isOther:
		return fixed(a * b), true
	case isOther:
		return o.times(s)
	case isNumber && a == 0:
		return fixed(0), true
	case isNumber:
		return size{a * o.factor, o.symbols, a * o.plus}, true
	case s.plus != 0 || o.plus != 0 || len(s.symbols)+len(o.symbols) > 32:
		return size{}, false
	}
	symbols := []rune(s.symbols + o.symbols)
	slices.Sort(symbols)
	return size{factor: s.factor * o.factor, symbols: string(symbols)}, true
}

// over returns the quotient, if it is one without a rest.
func (s size) over(o size) (size, bool) {
	if o == one || s == o {
		q := s
		if s == o {
			q = one
		}
		return q, s != fixed(0) || o == one
	}
	a, isNumber := s.fixed()
	b, isOther := o.fixed()
	switch {
	case isNumber && isOther:
		if b == 0 || a%b != 0 {
			return size{}, false
		}
		return fixed(a / b), true
	case isOther && b != 0 && s.factor%b == 0 && s.plus%b == 0:
		return size{s.factor / b, s.symbols, s.plus / b}, true
	case isNumber || isOther || s.plus != 0 || o.plus != 0 || o.factor == 0 || s.factor%o.factor != 0:
		return size{}, false
	}
	rest := []rune(s.symbols)
	for _, r := range o.symbols {
		at := slices.Index(rest, r)
		if at < 0 {
			return size{}, false
		}
		rest = slices.Delete(rest, at, at+1)
	}
	if len(rest) == 0 {
		return fixed(s.factor / o.factor), true
	}
	return size{factor: s.factor / o.factor, symbols: string(rest)}, true
}

// add returns the sum, if it can be written as a size.
func (s size) add(o size) (size, bool) {
	if max(abs(s.plus), abs(o.plus)) > limit {
		return size{}, false
	}
	switch {
	case s.symbols == "":
		o.plus += s.plus
		return o, true
	case o.symbols == "":
		s.plus += o.plus
		return s, true
	case s.symbols == o.symbols:
		sum := size{s.factor + o.factor, s.symbols, s.plus + o.plus}
		if sum.factor == 0 {
			sum = fixed(sum.plus)
		}
		return sum, abs(sum.factor) <= limit
	}
	return size{}, false
}

func abs(n int64) int64 {
	if n == math.MinInt64 {
		return math.MaxInt64
	}
	return max(n, -n)
}

// product returns that of sizes, if it can be written as one.
func product(sizes []size) (size, bool) {
	p, ok := one, true
	for _, s := range sizes {
		if p, ok = p.times(s); !ok {
			return size{}, false
		}
	}
	return p, true
}
