package datasets

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// headerWords are names that a column of text has, besides those of times,
// counts and labels.
var headerWords = []string{
	"name", "value", "values", "y", "store", "item", "product", "series", "station", "sensor", "country", "region",
	"city", "category", "symbol", "ticker", "variable", "metric", "site", "unique_id",
}

var errHeader = errors.New("there is no telling whether this line has names or values: if names, write some that are not numbers; if values, write a line of names above it")

// firstLine tells whether the first record of a sheet has the names of its
// columns. It is an error where that is in doubt.
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

// isValue tells whether a field is a number or a time, however it is written.
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

// below returns the fields under one of the first record.
func (s *sheet) below(field int) (list []string) {
	for _, record := range s.records[1:] {
		if field < len(record) {
			list = append(list, record[field])
		}
	}
	return list
}

// above counts the columns whose first field is one thing and all others that
// are there another.
func (s *sheet) above(first []string, top, others func(string) bool) (n int) {
	for i, field := range first {
		if top(field) && all(s.below(i), others) {
			n++
		}
	}
	return n
}

// all tells whether ok holds for all fields that are not missing, and there are
// some.
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

// names tells whether a field of the first record is a name by the look of it
// and of those below it.
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

// counts tells whether the numbers of the first record are names: they count,
// where those below do not, or they have no decimals, where all below have as
// many.
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

// firstNumbers are the numbers of a record.
func firstNumbers(record []string) (numbers []float64) {
	for _, field := range record {
		if v, err := parse(field); err == nil {
			numbers = append(numbers, v)
		}
	}
	return numbers
}

// strange tells whether a whole number above others that are none lies further
// from them than they do from each other.
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

// countsInDoubt tells whether the numbers of the first record may be names. They may
// if they go in even steps from 0, as pandas writes them, or in even steps beside a
// text that occurs once. A single one may if it is a whole number far from the others
// of its column, or a year above numbers that are no years.
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

// fromZero tells whether the numbers of the first record are 0, 1, 2 and so on,
// where the first column does not count on and the records have the same length.
// A few may well begin sequences of different lengths.
func (s *sheet) fromZero(numbers []float64) bool {
	step, even := stepOf(numbers, 0)
	if !even || step != 1 || numbers[0] != 0 || s.ragged && len(numbers) < 4 && slices.ContainsFunc(s.records[1:], func(record []string) bool { return slices.ContainsFunc(record, isWhole) }) {
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

// evenBeside tells whether the numbers of the first record have even steps, and one
// of its texts is there once.
func (s *sheet) evenBeside(first []string, numbers []float64) bool {
	_, even := stepOf(numbers, 1e-6)
	once := func(i int) bool { return isText(first[i]) && !slices.Contains(s.below(i), first[i]) }
	return even && len(numbers) > 3 && (once(0) || once(len(first)-1))
}

// nameless tells whether the first column is an index without a name, as pandas
// and R write it, beside columns that are called by numbers.
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

// sameDecimals tells whether all numbers are written with as many decimals, though
// one of them ends in 0.
func sameDecimals(fields []string) bool {
	decimals := func(field string) string {
		_, after, _ := strings.Cut(strings.TrimSpace(field), ".")
		return after
	}
	n := len(decimals(fields[0]))
	zero := slices.ContainsFunc(fields, func(field string) bool { return strings.HasSuffix(decimals(field), "0") })
	return zero && all(fields, func(field string) bool { return isNumber(field) && len(decimals(field)) == n })
}
