package datasets

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

var (
	// labelWords are names of a column of labels.
	labelWords = []string{"label", "labels", "class", "classes", "target", "category", "classification", "y_true"}
	// rowWords are names of a column that counts the sequences. whoseWords are
	// names of a column that says whom or what they belong to.
	rowWords = []string{
		"index", "idx", "row", "rownum", "rownames", "no", "nr", "obs", "#", "n", "number", "num", "sample", "seq",
		"sequence", "series", "case", "instance", "record", "observation", "file", "filename", "name",
	}
	whoseWords = append([]string{"subject", "patient", "participant", "person", "user", "series_id", "sample_id", "user_id", "subject_id", "patient_id", "sequence_id", "file_id"}, idWords...)
	// missingLabels stand for an unknown label.
	missingLabels = []string{"", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "Null", "None", "?", "-", "--", ".",
		"na", "NAN", "Nan", "NaT", "#NA", "#NV", "#VALUE!", "#WERT!", "#DIV/0!", "#REF!", "#NAME?", "#NUM!", "#NULL!"}
)

// The place of a label in a record is the index of its field, or one of these.
const (
	lastField = -1
	noField   = -2
)

// rows holds the records of a sheet of sequences, and the meaning of their fields.
type rows struct {
	*sheet
	first int   // index of the first record after the header
	label int   // the place of the label
	skip  []int // indices of fields that are not read
	named bool  // the header tells which field is the label
}

// header returns the names of the fields, or nil if the sheet has no header.
func (r *rows) header() []string {
	if r.first == 0 {
		return nil
	}
	return r.records[0]
}

// names returns the names of all fields of the first record, "" for those without one.
func (r *rows) names() []string {
	names := make([]string, len(r.records[0]))
	for i, name := range r.header() {
		names[i] = strings.TrimSpace(name)
	}
	return names
}

// data returns the records after the header.
func (r *rows) data() [][]string { return r.records[r.first:] }

// findLabel finds the label by the header: by the given name or number, or by the names
// that labels usually have. It sets noField if the header does not tell.
func (r *rows) findLabel(label string) error {
	r.label = noField
	var found []int
	for i, name := range r.header() {
		name = strings.TrimSpace(name)
		end := i == 0 || i == len(r.header())-1
		switch {
		case label != "" && strings.EqualFold(name, label):
			found = append(found, i)
		case label == "" && (slices.Contains(labelWords, strings.ToLower(name)) || end && strings.EqualFold(name, "y")):
			found = append(found, i)
		}
	}
	if n, err := strconv.Atoi(label); err == nil && n >= 1 && n <= len(r.records[0]) && len(found) == 0 {
		found = append(found, n-1)
	}
	switch {
	case len(found) > 1:
		return r.errorf(0, 0, "%d columns are called like labels, such as %.40q and %.40q: %w", len(found), r.records[0][found[0]], r.records[0][found[1]], ErrWhichLabel)
	case len(found) == 1:
		r.named = true
		r.label = found[0]
		if r.label == len(r.records[0])-1 {
			r.label = lastField
		}
	case label != "":
		return r.errorf(0, 0, "%w", &NoColumnError{label, r.names()})
	}
	return nil
}

// ErrWhichLabel is what a CSVError wraps if more than one column may hold the labels.
var ErrWhichLabel = errors.New("more than one column may hold the labels: call the right one label in the first line")

// guessLabel chooses the last field as the label, or the first one if only that is
// text. It is an error if either may be the label.
func (r *rows) guessLabel() error {
	r.label = lastField
	var firsts, lasts []string
	for _, record := range r.data() {
		if len(record) > 1 {
			firsts, lasts = append(firsts, record[0]), append(lasts, record[len(record)-1])
		}
	}
	values := all(lasts, isNumber)
	switch {
	case values && all(firsts, isText):
		r.label = 0
	case values && !all(lasts, isWholeNumber) && all(firsts, isWholeNumber) && len(firsts) > 2 && 2*distinct(firsts) <= len(firsts):
		return r.errorf(0, 0, "the first column has %d different whole numbers, and the last has other numbers: %w", distinct(firsts), ErrWhichLabel)
	}
	return nil
}

func isWholeNumber(field string) bool {
	v, err := parse(field)
	return err == nil && v == float64(int64(v))
}

// findSkipped finds the columns besides the label that count or name the sequences or
// hold times. In a file of numbers without a header such a first column is an error.
func (r *rows) findSkipped(tokens bool) error {
	for i, name := range r.header() {
		if i != r.label && r.isBeside(i, strings.TrimSpace(name)) {
			r.skip = append(r.skip, i)
		}
	}
	if key, steps := r.longForm(); key >= 0 {
		return r.errorf(r.lines[r.first], key+1, "%s is the same on several lines, which %s counts: a sequence goes over several lines; write the values of each on one line, with its label", r.title(key), r.title(steps))
	}
	switch {
	case tokens || len(r.header()) > 0 || r.label == 0 || len(r.records) < 5:
	case r.countsLines():
		return r.errorf(1, 1, "the column counts the lines; leave it out, or if it has values, give the file a first line of names")
	case tellTime("", numbersOf(r.column(0))):
		return r.errorf(1, 1, "the column tells the time; leave it out, or if it has values, give the file a first line of names")
	}
	return nil
}

// longForm returns the column that names the sequence of each line and the column that
// counts its steps, if each line is one step. Otherwise it returns noField.
func (r *rows) longForm() (key, steps int) {
	for _, key := range r.skip {
		names := r.column(key)
		if distinct(names) == len(names) {
			continue
		}
		for steps := range r.header() {
			if steps != key && countsEach(names, numbersOf(r.column(steps))) {
				return key, steps
			}
		}
	}
	return noField, noField
}

// countsEach reports whether numbers count by ones while the name stays the same, and
// start again where it changes.
func countsEach(names []string, numbers []float64) bool {
	if len(numbers) != len(names) || distinct(names) < 2 || !whole(numbers) {
		return false
	}
	counted := 0
	for i := 1; i < len(names); i++ {
		switch {
		case names[i] == names[i-1] && numbers[i] == numbers[i-1]+1:
			counted++
		case names[i] == names[i-1] || numbers[i] != numbers[0]:
			return false
		}
	}
	return 2*counted >= len(names)
}

// isBeside reports whether a column of that name is not part of the sequences.
func (r *rows) isBeside(i int, name string) bool {
	fields := r.column(i)
	word := strings.ToLower(name)
	counts := slices.Contains(rowWords, word) || strings.HasPrefix(name, "Unnamed: ") || i == 0 && name == "" && all(fields, isWholeNumber)
	return slices.Contains(whoseWords, word) || counts && distinct(fields) == len(fields) || all(fields, isTime) || tellTime(name, numbersOf(fields))
}

// column returns the fields of column i of the data.
func (r *rows) column(i int) (list []string) {
	for _, record := range r.data() {
		if i < len(record) {
			list = append(list, record[i])
		}
	}
	return list
}

// numbersOf returns the numbers in fields, or nil if a field is no number.
func numbersOf(fields []string) (numbers []float64) {
	for _, field := range fields {
		v, err := parse(field)
		if err != nil {
			return nil
		}
		numbers = append(numbers, v)
	}
	return numbers
}

// countsLines reports whether the first column counts the lines from 0 or 1 and the
// second column holds something else.
func (r *rows) countsLines() bool {
	start, err := strconv.Atoi(strings.TrimSpace(r.records[0][0]))
	if err != nil || start < 0 || start > 1 {
		return false
	}
	alike := true
	for i, record := range r.records {
		if strings.TrimSpace(record[0]) != strconv.Itoa(start+i) || len(record) != len(r.records[0]) || len(record) < 2 {
			return false
		}
		alike = alike && isWholeNumber(record[1])
	}
	return !alike
}

// missingLabel returns the error of the first missing label. A minus is a label beside
// a plus, and a point and a minus are labels beside each other.
func (r *rows) missingLabel(labels []string) error {
	signs := slices.Contains(labels, "-") && (slices.Contains(labels, "+") || slices.Contains(labels, "."))
	for i, label := range labels {
		if slices.Contains(missingLabels, label) && !(signs && (label == "-" || label == ".")) {
			_, _, place := r.sequence(r.first + i)
			return r.fieldErrorf(r.first+i, place, "%.40q is a missing label; write the label, or leave the line out", label)
		}
	}
	return nil
}

// sequence returns the fields of record i that are values, their indices, and the index
// of the label, or noField.
func (r *rows) sequence(i int) (fields []string, places []int, label int) {
	record := r.records[i]
	label = r.label
	if label == lastField {
		label = len(record) - 1
	}
	for place, field := range record {
		if place != label && !slices.Contains(r.skip, place) {
			fields, places = append(fields, field), append(places, place)
		}
	}
	return fields, places, label
}

// describe describes in words what was read.
func (r *rows) describe(s *Sequences) string {
	var b strings.Builder
	shortest, longest, n := s.length(0), s.Longest(), max(len(s.Inputs), len(s.Tokens))
	for i := range n {
		shortest = min(shortest, s.length(i))
	}
	fmt.Fprintf(&b, "%s of ", plural(n, "sequence"))
	if shortest < longest {
		fmt.Fprintf(&b, "%d to ", shortest)
	}
	b.WriteString(plural(longest, "step"))
	switch {
	case r.label == lastField && r.named:
		fmt.Fprintf(&b, ", the label last (%.40q)", strings.TrimSpace(r.records[0][len(r.records[0])-1]))
	case r.label == lastField:
		b.WriteString(", the label last")
	case r.label >= 0:
		fmt.Fprintf(&b, ", the label in %s", r.title(r.label))
	}
	for _, i := range r.skip {
		fmt.Fprintf(&b, "; %s names, counts or dates the lines and is not read", r.title(i))
	}
	return b.String()
}

func (r *rows) title(i int) string {
	if len(r.header()) == 0 || strings.TrimSpace(r.records[0][i]) == "" {
		return fmt.Sprintf("column %d", i+1)
	}
	return fmt.Sprintf("column %d %.40q", i+1, strings.TrimSpace(r.records[0][i]))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// noteAlike returns a note about labels that may be meant to be the same.
func noteAlike(labels []string) string {
	var pairs []string
	seen := map[string]string{}
	for _, label := range labels {
		key, how := strings.ToLower(strings.Join(strings.Fields(label), " ")), "but for case and spaces"
		if v, err := parse(label); err == nil {
			key, how = strconv.FormatFloat(v, 'g', -1, 64), "as numbers"
		}
		if other, found := seen[key]; found {
			pairs = append(pairs, fmt.Sprintf("%.40q and %.40q are equal %s", other, label, how))
		} else {
			seen[key] = label
		}
	}
	if len(pairs) == 0 {
		return ""
	}
	return fmt.Sprintf("the labels %s, and are classes of their own; write them alike if they are one", strings.Join(pairs, ", "))
}
