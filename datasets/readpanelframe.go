package datasets

import (
	"cmp"
	"slices"
	"strings"
)

// maxUnits is how many lines below the header may be no rows.
const maxUnits = 3

// dropUnits drops the first rows that have words and no digit, such as the units of the
// columns. A row has a time or a number.
func (r *panelReader) dropUnits(s *sheet) {
	n := slices.IndexFunc(r.head, func(row headRow) bool { return slices.ContainsFunc(row.fields, hasDigit) })
	if n < 1 || n > maxUnits || slices.ContainsFunc(r.head[:n], func(row headRow) bool { return !slices.ContainsFunc(row.fields, hasWord) }) {
		return
	}
	for _, row := range r.head[:n] {
		r.notef("line %d is no row and is left out, since it has no digit: %s", row.line, quoted(textsOf(row.fields)))
	}
	r.head, s.records, s.lines = r.head[n:], slices.Delete(s.records, 1, 1+n), slices.Delete(s.lines, 1, 1+n)
}

// hasDigit reports whether a field may be a time or a number.
func hasDigit(f Field) bool { return strings.ContainsAny(f.text(), "0123456789") }

// hasWord reports whether a field is a text that does not stand for a missing value.
func hasWord(f Field) bool { return f.Kind == TextField && !isMissing(f.Text) }

// textsOf returns the texts of fields.
func textsOf(fields []Field) (list []string) {
	for _, f := range fields {
		list = append(list, f.text())
	}
	return list
}

// footer counts lines at the end of a table that have no time.
type footer struct {
	lines int
	first int    // number of the first of them
	text  string // in the place of its time
	err   error  // about it, if rows follow
}

// addUnlessFooter adds a row, unless it has a text without a digit where its time should
// be. A row after such a one is an error.
func (r *panelReader) addUnlessFooter(fields []Field, line int) error {
	if r.time == nil || r.time.counts || !isFooter(fields[r.time.index]) {
		return cmp.Or(r.footer.err, r.add(fields, line))
	}
	if r.footer.lines++; r.footer.lines == 1 {
		text := fields[r.time.index].Text
		r.footer.first, r.footer.text = line, strings.Clone(text)
		r.footer.err = r.fieldError(fields, line, r.time.index, r.time.notATime(text))
	}
	return nil
}

// isFooter reports whether a field in place of a time is that of a line of totals.
func isFooter(f Field) bool { return f.Kind == TextField && !hasDigit(f) }

// note adds a note about the lines that are left out.
func (f *footer) note(r *panelReader) {
	switch {
	case f.lines == 1:
		r.notef("line %d is no row and is left out, since %.40q is no time", f.first, f.text)
	case f.lines > 1:
		r.notef("%d lines at the end are no rows and are left out, since %.40q in line %d is no time", f.lines, f.text, f.first)
	}
}
