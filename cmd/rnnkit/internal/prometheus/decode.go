package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Error is the answer of a server that could not do what it was asked.
type Error struct {
	Kind string // such as bad_data or execution
	Text string
}

func (e *Error) Error() string {
	return fmt.Sprintf("Prometheus answered with an error: %s: %.1000s", e.Kind, e.Text)
}

// ErrEmpty is the error of an answer without a series.
var ErrEmpty = errors.New("the answer holds no series: nothing matches the query in its range; try it on Prometheus' own page")

// Decode reads answers of the HTTP API of Prometheus to range queries, one or several in a
// row, and joins the series that have the same labels. It also reads the data of an answer
// alone, and the list of series that promtool prints.
//
// The error wraps an *[Error] if the server answered with one, and is [ErrEmpty] if there is
// no series. Answers of other kinds and native histograms are refused. Two values of a
// series at the same time must be equal.
func Decode(r io.Reader) (*Matrix, error) {
	m := &Matrix{}
	if err := m.decode(r); err != nil {
		return nil, err
	}
	return m, m.finish()
}

// decode adds what documents hold.
func (m *Matrix) decode(r io.Reader) error {
	d := &decoder{json: json.NewDecoder(r), matrix: m}
	d.json.UseNumber()
	for documents := 0; ; documents++ {
		token, err := d.json.Token()
		switch {
		case err == io.EOF && documents == 0:
			return errors.New("the answer is empty")
		case err == io.EOF:
			return nil
		case err != nil:
			return d.errorf("%w", err)
		}
		if err := d.document(token); err != nil {
			return err
		}
	}
}

// decoder reads documents token by token.
type decoder struct {
	json   *json.Decoder
	matrix *Matrix

	kind    string // of the document's result, "" as long as it is not known
	found   bool   // the document has a result
	failed  bool   // it says that the query failed
	failure Error

	labels map[string]string // of the series that is read, for messages
}

// errorf returns an error about what was read last.
func (d *decoder) errorf(format string, args ...any) error {
	where := fmt.Sprintf("byte %d", d.json.InputOffset())
	if d.labels != nil {
		where += fmt.Sprintf(" (in %.80s)", Name(d.labels))
	}
	return fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...))
}

// token returns the next token of a document.
func (d *decoder) token() (json.Token, error) {
	token, err := d.json.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, d.errorf("the document is cut off (%w); fetch it again", err)
	}
	if err != nil {
		return nil, d.errorf("%w", err)
	}
	return token, nil
}

// document reads a document whose first token is given.
func (d *decoder) document(first json.Token) error {
	d.kind, d.found, d.failed, d.failure = "", false, false, Error{}
	var err error
	switch first {
	case json.Delim('{'):
		err = d.object(d.answer)
	case json.Delim('['):
		err = d.list(d.element)
		d.found = true
	}
	switch {
	case err != nil:
		return err
	case d.failed:
		return &d.failure
	case !d.found:
		return d.errorf("no answer of Prometheus to a query, which has data with a result")
	}
	return nil
}

// answer reads the value of a key of the whole answer.
func (d *decoder) answer(key string) (err error) {
	switch key {
	case "status":
		var status string
		status, err = d.text()
		d.failed = status == "error"
	case "errorType":
		d.failure.Kind, err = d.text()
	case "error":
		d.failure.Text, err = d.text()
	case "warnings", "infos":
		err = d.optional('[', func() error { return d.list(d.warning) })
	case "data":
		err = d.optional('{', func() error { return d.object(d.data) })
	default:
		err = d.data(key)
	}
	return err
}

// data reads the value of a key of the answer's data.
func (d *decoder) data(key string) (err error) {
	switch key {
	case "resultType":
		if d.kind, err = d.text(); err == nil {
			err = d.checkKind(d.kind)
		}
	case "result":
		d.found = true
		err = d.optional('[', func() error { return d.list(d.element) })
	default:
		err = d.skip()
	}
	return err
}

// checkKind refuses results that have no history.
func (d *decoder) checkKind(kind string) error {
	switch kind {
	case "matrix":
		return nil
	case "vector":
		return d.errorf("the answer to an instant query (a vector), which has one value of each series; ask query_range, which has their history")
	case "scalar", "string":
		return d.errorf("a %s, which has no series; ask query_range for a metric, or for an expression such as vector(…) of it", kind)
	}
	return d.errorf("a result of the type %.40q; ask query_range, whose result is a matrix", kind)
}

// warning reads a warning of the server.
func (d *decoder) warning(token json.Token) error {
	text, ok := token.(string)
	if !ok {
		return d.errorf("%v, where a warning should be in quotes", token)
	}
	d.matrix.note("Prometheus warns: " + text)
	return nil
}

// element reads an element of the result, of which the first token is given.
func (d *decoder) element(first json.Token) error {
	if first != json.Delim('{') {
		return d.checkKind("scalar")
	}
	var points []Point
	histograms := false
	err := d.object(func(key string) (err error) {
		switch key {
		case "metric":
			d.labels, err = d.metric()
		case "values":
			points, err = d.points()
		case "value", "histogram":
			err = d.checkKind("vector")
		default:
			histograms = histograms || key == "histograms"
			err = d.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.addSeries(points, histograms)
}

// addSeries adds the points of the series that was read.
func (d *decoder) addSeries(points []Point, histograms bool) error {
	switch {
	case d.labels == nil:
		return d.errorf("a series without its labels, under metric")
	case histograms:
		return d.errorf("a native histogram, which is no number; ask for one of it, such as histogram_quantile(0.99, …) or histogram_avg(…)")
	}
	s := d.matrix.series(d.labels)
	s.Points = append(s.Points, points...)
	d.labels = nil
	return nil
}

// metric reads the labels of a series.
func (d *decoder) metric() (map[string]string, error) {
	labels := map[string]string{}
	if err := d.open('{'); err != nil {
		return nil, err
	}
	return labels, d.object(func(key string) (err error) {
		if labels[key], err = d.text(); labels[key] == "" {
			delete(labels, key) // an empty label is none
		}
		return err
	})
}

// points reads the values of a series.
func (d *decoder) points() (points []Point, err error) {
	err = d.optional('[', func() error {
		return d.list(func(first json.Token) error {
			p, err := d.point(first)
			points = append(points, p)
			return err
		})
	})
	return points, err
}

// point reads a time and a value, such as [1565799000.825,"178.175"].
func (d *decoder) point(first json.Token) (p Point, err error) {
	if first != json.Delim('[') {
		return p, d.errorf("%v, where a list of a time and a value should be", first)
	}
	if p.Time, err = d.time(); err != nil {
		return p, err
	}
	if p.Value, err = d.value(); err != nil {
		return p, err
	}
	return p, d.open(']')
}

// The times that can be written in RFC 3339, in seconds.
const earliest, latest = -62135596800, 253402300799

// time reads a time in seconds.
func (d *decoder) time() (int64, error) {
	token, err := d.token()
	if err != nil {
		return 0, err
	}
	number, ok := token.(json.Number)
	seconds, err := strconv.ParseFloat(string(number), 64)
	if !ok || err != nil || seconds < earliest || seconds > latest {
		return 0, d.errorf("%v, where a time in seconds since 1970 should be", token)
	}
	return int64(math.Round(seconds * 1000)), nil
}

// value reads a value, which is a text because it may be NaN or infinite.
func (d *decoder) value() (float64, error) {
	token, err := d.token()
	if err != nil {
		return 0, err
	}
	text, ok := token.(string)
	if !ok {
		return 0, d.errorf("%v, where a number should be in quotes", token)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, d.errorf("%.40q, where a number should be in quotes", text)
	}
	return v, nil
}

// object reads an object whose brace was read, with read for the value of each key.
func (d *decoder) object(read func(key string) error) error {
	seen := map[string]bool{}
	for d.json.More() {
		key, err := d.text()
		if err != nil {
			return err
		}
		if seen[key] {
			return d.errorf("the key %.40q comes twice in an object", key)
		}
		seen[key] = true
		if err := read(key); err != nil {
			return err
		}
	}
	return d.open('}')
}

// list reads a list whose bracket was read, with read for each element, whose first token
// it is given.
func (d *decoder) list(read func(first json.Token) error) error {
	for d.json.More() {
		token, err := d.token()
		if err != nil {
			return err
		}
		if err := read(token); err != nil {
			return err
		}
	}
	return d.open(']')
}

// optional reads what begins with a delimiter, or null, which is nothing.
func (d *decoder) optional(first json.Delim, rest func() error) error {
	token, err := d.token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return nil
	case token != first:
		return d.expected(first, token)
	}
	return rest()
}

// open reads a delimiter.
func (d *decoder) open(want json.Delim) error {
	token, err := d.token()
	if err == nil && token != want {
		err = d.expected(want, token)
	}
	return err
}

func (d *decoder) expected(want json.Delim, have json.Token) error {
	return d.errorf("%v, where %v should be", have, want)
}

// text reads a text.
func (d *decoder) text() (string, error) {
	token, err := d.token()
	if err != nil {
		return "", err
	}
	text, ok := token.(string)
	if !ok {
		return "", d.errorf("%v, where a text should be in quotes", token)
	}
	return text, nil
}

// skip reads a value of any kind.
func (d *decoder) skip() error {
	for depth := 0; ; {
		token, err := d.token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
