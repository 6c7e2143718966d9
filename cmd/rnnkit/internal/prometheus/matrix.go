// Package prometheus reads what Prometheus answers to range queries, from a document or
// from a server.
package prometheus

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Matrix is the answer to a range query, or to several of the same query over several
// ranges.
type Matrix struct {
	Series []*Series // in the order in which they came first
	Notes  []string  // what the server warned of

	byName map[string]*Series
}

// Series is one series of a Matrix.
type Series struct {
	Labels map[string]string // the name of the metric is that of NameLabel
	Points []Point           // each later than the one before
}

// Point is a value of a series as it came: NaN and infinities are among them.
type Point struct {
	Time  int64 // milliseconds since 1970
	Value float64
}

// NameLabel is the label that holds the name of a metric.
const NameLabel = "__name__"

var plainName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// Name returns labels as Prometheus writes them: metric{label="value",...}, in the order of
// the labels' names.
func Name(labels map[string]string) string {
	name := labels[NameLabel]
	var within []string
	if name != "" && !plainName.MatchString(name) {
		name, within = "", append(within, strconv.Quote(name))
	}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		if label == NameLabel {
			continue
		}
		value := strconv.Quote(labels[label])
		if !plainName.MatchString(label) {
			label = strconv.Quote(label)
		}
		within = append(within, label+"="+value)
	}
	if len(within) == 0 && name != "" {
		return name
	}
	return name + "{" + strings.Join(within, ",") + "}"
}

// series returns the series with the given labels, a new one if there is none yet.
func (m *Matrix) series(labels map[string]string) *Series {
	name := Name(labels)
	s := m.byName[name]
	if s == nil {
		if m.byName == nil {
			m.byName = map[string]*Series{}
		}
		s = &Series{Labels: labels}
		m.byName[name], m.Series = s, append(m.Series, s)
	}
	return s
}

// note adds a note, once.
func (m *Matrix) note(text string) {
	if !slices.Contains(m.Notes, text) {
		m.Notes = append(m.Notes, text)
	}
}

// add adds the points and the notes of another matrix.
func (m *Matrix) add(other *Matrix) {
	for _, from := range other.Series {
		s := m.series(from.Labels)
		s.Points = append(s.Points, from.Points...)
	}
	for _, note := range other.Notes {
		m.note(note)
	}
}

// finish sorts the points of each series by time. Of equal points it keeps one. Two values
// at the same time are an error, and so is a matrix without a series.
func (m *Matrix) finish() error {
	if len(m.Series) == 0 {
		return ErrEmpty
	}
	for _, s := range m.Series {
		slices.SortStableFunc(s.Points, func(a, b Point) int { return cmp.Compare(a.Time, b.Time) })
		s.Points = slices.CompactFunc(s.Points, samePoint)
		for i := 1; i < len(s.Points); i++ {
			if a, b := s.Points[i-1], s.Points[i]; a.Time == b.Time {
				return fmt.Errorf("%.80s has two values at %s, %g and %g; give it answers to one query", Name(s.Labels), formatTime(a.Time), a.Value, b.Value)
			}
		}
	}
	return nil
}

func samePoint(a, b Point) bool {
	return a.Time == b.Time && (a.Value == b.Value || a.Value != a.Value && b.Value != b.Value)
}

// formatTime returns a time for messages.
func formatTime(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format("2006-01-02 15:04:05.999")
}
