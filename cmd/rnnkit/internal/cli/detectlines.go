package cli

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/picture"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
)

// readingWriter prints what a detector reads of rows.
type readingWriter interface {
	write(*datasets.Observation, infer.Reading) error
	flush() error
}

// readingTable prints readings as CSV.
type readingTable struct {
	*csv.Writer
	columns []string
	record  []string
}

// newReadingTable prints the header.
func newReadingTable(w io.Writer, columns []string) *readingTable {
	t := &readingTable{Writer: csv.NewWriter(w), columns: columns}
	header := []string{"series", "time", "y", "yhat", "yhat_lower", "yhat_upper", "anomaly_score"}
	if len(columns) > 1 {
		header = append(header, "column")
	}
	t.Write(header)
	return t
}

// write prints a row. Of several columns it is the one that contributes most to the score.
func (t *readingTable) write(row *datasets.Observation, r infer.Reading) error {
	most := slices.Index(r.Shares, slices.Max(r.Shares))
	y := row.Values[most]
	yhat, lower, upper := bandOf(y, r, most)
	t.record = append(t.record[:0], row.Series, row.Stamp, exact(y), number(yhat), number(lower), number(upper), number(r.Score))
	if len(t.columns) > 1 {
		t.record = append(t.record, t.columns[most])
	}
	return t.Write(t.record)
}

// bandOf returns what was expected of a column, and the band around it. While the series is
// too new for either, the value itself was expected, and the band reaches from the one to
// the other, so that each row with a score has all figures.
func bandOf(y float64, r infer.Reading, column int) (yhat, lower, upper float64) {
	yhat, lower, upper = r.Forecast[column], r.Lower[column], r.Upper[column]
	if math.IsNaN(r.Score) {
		return yhat, lower, upper
	}
	if math.IsNaN(yhat) {
		yhat = y
	}
	if math.IsNaN(y) {
		y = yhat
	}
	if math.IsNaN(lower) {
		lower, upper = min(y, yhat), max(y, yhat)
	}
	return yhat, lower, upper
}

func (t *readingTable) flush() error {
	t.Flush()
	return t.Error()
}

// exact returns the shortest text of a value of a table. A missing one is empty.
func exact(v float64) string {
	if v != v {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// readingObjects prints readings as JSON objects, one a line.
type readingObjects struct {
	buffer  *bufio.Writer
	encoder *json.Encoder
	columns []string
}

// readingObject is what is printed of a row.
type readingObject struct {
	Series  string                  `json:"series"`
	Time    string                  `json:"time"`
	Score   *float64                `json:"anomaly_score"`
	Columns map[string]columnObject `json:"columns"`
}

type columnObject struct {
	Y     *float64 `json:"y"`
	Yhat  *float64 `json:"yhat"`
	Lower *float64 `json:"yhat_lower"`
	Upper *float64 `json:"yhat_upper"`
	Share float64  `json:"share"` // of the score
}

func newReadingObjects(w io.Writer, columns []string) *readingObjects {
	buffer := bufio.NewWriter(w)
	return &readingObjects{buffer, json.NewEncoder(buffer), columns}
}

func (o *readingObjects) write(row *datasets.Observation, r infer.Reading) error {
	object := readingObject{row.Series, row.Stamp, known(r.Score), map[string]columnObject{}}
	for i, name := range o.columns {
		object.Columns[name] = columnObject{known(row.Values[i]), known(r.Forecast[i]), known(r.Lower[i]), known(r.Upper[i]), r.Shares[i]}
	}
	return o.encoder.Encode(object)
}

func (o *readingObjects) flush() error { return o.buffer.Flush() }

// drawnSeries has the rows of the first series of a table, for a picture of its first
// column.
type drawnSeries struct {
	picture.Detection
	series string
	stamps []string
	others bool // there are other series
	score  float64
	peak   int // the row with the highest score
}

// maxDrawn is how many rows are drawn.
const maxDrawn = 1000

func (s *drawnSeries) add(row *datasets.Observation, r infer.Reading) {
	if len(s.stamps) == 0 {
		s.series = row.Series
	}
	if row.Series != s.series {
		s.others = true
		return
	}
	if r.Score > s.score {
		s.score, s.peak = r.Score, len(s.stamps)
	}
	s.stamps = append(s.stamps, row.Stamp)
	s.Values, s.Forecast = append(s.Values, row.Values[0]), append(s.Forecast, r.Forecast[0])
	s.Low, s.High = append(s.Low, r.Lower[0]), append(s.High, r.Upper[0])
	s.Anomalies = append(s.Anomalies, r.Score >= 1)
}

// draw draws the rows around the one with the highest score.
func (s *drawnSeries) draw(path, column string) error {
	from := max(0, min(s.peak-maxDrawn/2, len(s.stamps)-maxDrawn))
	to := min(from+maxDrawn, len(s.stamps))
	d := picture.Detection{
		Name: column, Values: s.Values[from:to], Forecast: s.Forecast[from:to],
		Low: s.Low[from:to], High: s.High[from:to], Anomalies: s.Anomalies[from:to],
		Time: func(row int) string {
			if row < 0 || from+row >= to {
				return ""
			}
			return s.stamps[from+row]
		},
	}
	if s.series != "" {
		d.Name += ", " + s.series
	}
	return d.Write(path)
}
