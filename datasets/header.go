package datasets

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// headerWords are typical names of columns, besides those of times, counts and labels.
var headerWords = []string{
	"name", "value", "values", "y", "store", "item", "product", "series", "station", "sensor", "country", "region",
	"city", "category", "symbol", "ticker", "variable", "metric", "site", "unique_id",
}

var errHeader = errors.New("this line may hold names or values: if names, write some that are not numbers; if values, write a line of names above it")

// firstLine reports whether the first record holds the names of the columns. It is an
// error if it may hold names or values.
func (s *sheet) firstLine() (header bool, err error) {
	first := s.records[0]
	numbers := 0
	for _, field := range first {
		if isValue(field) {
			numbers++
		}
	}
	switch {
	case numbers == 0 && (!s.ragged || len(s.records) == 1):
		return true, nil
	case len(s.records) == 1:
		return false, nil
	case s.names(first) || s.counts(first) || s.nameless(first):
		return true, nil
	case numbers == 0:
		return s.above(first, isText, isValue) > 0 || s.above(first, isMissing, isValue) == 0, nil
	}
	doubt := len(s.records) > 2 && (s.above(first, isText, isNumber) > 0 || s.countsInDoubt(first))
	if doubt {
		return false, s.errorf(s.lines[0], 0, "%w", errHeader)
	}
	return false, nil
}

// isValue reports whether a field is a number or a time, in any notation.
func isValue(field string) bool {
	if isMissing(field) {
		return false
	}
	_, value := looksLikeValue(field)
	return value || isNumber(field) || isTime(field)
}

func isTime(field string) bool {
	forms, _ := formsOf([]string{field})
	return len(forms) > 0
}

func isText(field string) bool { return !isMissing(field) && !isValue(field) }

// below returns the fields of a column without the first.
func (s *sheet) below(field int) (list []string) {
	for _, record := range s.records[1:] {
		if field < len(record) {
			list = append(list, record[field])
		}
	}
	return list
}

// above counts the columns whose first field satisfies top and whose other fields that
// are not missing all satisfy others.
func (s *sheet) above(first []string, top, others func(string) bool) (n int) {
	for i, field := range first {
		if top(field) && all(s.below(i), others) {
			n++
		}
	}
	return n
}

// all reports whether ok holds for all fields that are not missing, and there is at
// least one.
func all(fields []string, ok func(string) bool) bool {
	there := false
	for _, field := range fields {
		if isMissing(field) {
			continue
		}
		if !ok(field) {
			return false
		}
		there = true
	}
	return there
}

// names reports whether a field of the first record looks like a name, given the fields
// below it.
func (s *sheet) names(first []string) bool {
	for i, field := range first {
		if !isText(field) {
			continue
		}
		below := s.below(i)
		word := len(strings.TrimSpace(field)) > 1 && (named(field, timeWords) || named(field, countWords) || named(field, labelWords) || named(field, headerWords))
		again := slices.ContainsFunc(below, func(other string) bool { return strings.EqualFold(strings.TrimSpace(other), strings.TrimSpace(field)) })
		numbered := func(other string) bool { return strings.ContainsAny(other, "0123456789") && !isNumber(other) }
		if word && !again || !strings.ContainsAny(field, "0123456789") && all(below, numbered) {
			return true
		}
	}
	return false
}

// counts reports whether the numbers of the first record are names. They are if they
// count and those below do not, or if they are whole and all numbers below have the
// same decimals.
func (s *sheet) counts(first []string) bool {
	numbers := firstNumbers(first)
	step, even := stepOf(numbers, 0)
	ones := even && step == 1 && numbers[0] >= 0
	fraction := func(field string) bool { return isNumber(field) && !isWhole(field) }
	counting := false
	whole := len(numbers) > 0
	years := ones && numbers[0] >= 1900 && numbers[len(numbers)-1] <= 2100
	for i, field := range first {
		if !isNumber(field) {
			continue
		}
		below := s.below(i)
		counting = counting || ones && len(numbers) > 2 && slices.ContainsFunc(below, fraction)
		years = years && !slices.ContainsFunc(below, isYear)
		whole = whole && isWhole(field) && len(below) > 2 && sameDecimals(below)
	}
	return counting || years || whole
}

// firstNumbers returns the numbers in a record.
func firstNumbers(record []string) (numbers []float64) {
	for _, field := range record {
		if v, err := parse(field); err == nil {
			numbers = append(numbers, v)
		}
	}
	return numbers
}

// strange reports whether a whole number above fractions is further from them than they
// are from each other.
func (s *sheet) strange(field string, below []string) bool {
	v, _ := parse(field)
	low, high := math.Inf(1), math.Inf(-1)
	for _, other := range below {
		w, err := parse(other)
		if err != nil || isWhole(other) {
			return false
		}
		low, high = min(low, w), max(high, w)
	}
	return low < high && (v < low-(high-low) || v > high+(high-low))
}

// countsInDoubt reports whether the numbers of the first record may be names. They may
// be if they count from 0, as pandas writes them, or are evenly spaced beside a text
// that occurs once. A single number may be if it is whole and far from the others of
// its column, or a year above numbers that are no years.
func (s *sheet) countsInDoubt(first []string) bool {
	numbers := firstNumbers(first)
	if s.fromZero(numbers) || s.evenBeside(first, numbers) {
		return true
	}
	for i, field := range first {
		if isWhole(field) && s.strange(field, s.below(i)) {
			return true
		}
	}
	year := slices.IndexFunc(first, isYear)
	return len(numbers) == 1 && year >= 0 && slices.ContainsFunc(first, isText) && !slices.ContainsFunc(s.below(year), isYear)
}

// fromZero reports whether the numbers of the first record are 0, 1, 2 and so on. The
// first column must not continue the count, and all records must have the same length,
// because a few such numbers may also begin a sequence.
func (s *sheet) fromZero(numbers []float64) bool {
	step, even := stepOf(numbers, 0)
	if !even || step != 1 || numbers[0] != 0 {
		return false
	}
	hasWhole := func(record []string) bool { return slices.ContainsFunc(record, isWhole) }
	if s.ragged && len(numbers) < 4 && slices.ContainsFunc(s.records[1:], hasWhole) {
		return false
	}
	countsOn := true
	for i, record := range s.records {
		if len(record) != len(s.records[0]) {
			return false
		}
		countsOn = countsOn && strings.TrimSpace(record[0]) == strconv.Itoa(i)
	}
	return !countsOn
}

// evenBeside reports whether the numbers of the first record are evenly spaced and one
// of its texts occurs once in its column.
func (s *sheet) evenBeside(first []string, numbers []float64) bool {
	_, even := stepOf(numbers, 1e-6)
	once := func(i int) bool { return isText(first[i]) && !slices.Contains(s.below(i), first[i]) }
	return even && len(numbers) > 3 && (once(0) || once(len(first)-1))
}

// nameless reports whether the first column is an index without a name, as pandas and R
// write it, beside columns named by numbers.
func (s *sheet) nameless(first []string) bool {
	if strings.TrimSpace(first[0]) != "" || len(first) < 2 || slices.ContainsFunc(first[1:], func(field string) bool { return isNumber(field) && !isWhole(field) }) {
		return false
	}
	below := s.below(0)
	index, counts := all(below, isWhole) && distinct(below) == len(below), true
	for i, field := range below {
		counts = counts && strings.TrimSpace(field) == strconv.Itoa(i)
	}
	numbers := firstNumbers(first[1:])
	step, _ := stepOf(numbers, 0)
	fromZero := len(numbers) > 0 && numbers[0] == 0 && (len(numbers) == 1 || step == 1)
	return index && (counts || fromZero) || all(below[:min(len(below), 50)], isTime)
}

func isWhole(field string) bool {
	_, err := strconv.Atoi(strings.TrimSpace(field))
	return err == nil
}

func isYear(field string) bool {
	n, err := strconv.Atoi(strings.TrimSpace(field))
	return err == nil && n >= 1900 && n <= 2100
}

// sameDecimals reports whether all numbers have the same number of decimals and one of
// them ends in 0.
func sameDecimals(fields []string) bool {
	decimals := func(field string) string {
		_, after, _ := strings.Cut(strings.TrimSpace(field), ".")
		return after
	}
	n := len(decimals(fields[0]))
	zero := slices.ContainsFunc(fields, func(field string) bool { return strings.HasSuffix(decimals(field), "0") })
	return zero && all(fields, func(field string) bool { return isNumber(field) && len(decimals(field)) == n })
}
