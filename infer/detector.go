package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rnnkit/rnnkit/internal/anomaly"
	"github.com/rnnkit/rnnkit/models"
)

// Detector scores observations of series as they come, one at a time. It is safe for
// concurrent use; each series has a [DetectorState] of its own.
type Detector struct {
	model     *Model
	detection models.Detection
	frequency models.Frequency
	alone     float64 // the surprisal at which a column's value is an anomaly by itself
}

// NewDetector returns a Detector that runs m. It is a [*TaskError] if m does not detect, a
// [*models.FieldError] if m is nil, and an error if its graph is not what its metadata says.
func NewDetector(m *Model) (*Detector, error) {
	description, err := m.task(models.Detect)
	if err != nil {
		return nil, err
	}
	if m.meta == nil || m.meta.Detector == nil {
		return nil, &TaskError{Task: description.Task, Want: models.Detect}
	}
	switch {
	case m.meta.Spec.Features != len(anomaly.Inputs):
		return nil, fmt.Errorf("the detector reads %d numbers of each column, where this rnnkit computes %d: train it again", m.meta.Spec.Features, len(anomaly.Inputs))
	case !m.hasAllStates():
		return nil, errors.New("the detector has no inputs and outputs for its state: train it again")
	case indexOf(m.Outputs(), outputName) < 0:
		return nil, fmt.Errorf("the detector has no output %q: train it again", outputName)
	}
	d := &Detector{model: m, detection: *m.meta.Detector}
	if d.alone = d.detection.Border; len(d.detection.Columns) > 1 {
		d.alone = -math.Log10(d.detection.Rate)
	}
	d.frequency, err = models.ParseFrequency(d.detection.Frequency)
	return d, err
}

// Model returns the model that d runs.
func (d *Detector) Model() *Model { return d.model }

// Detection returns the settings of d, from the metadata of its model. The caller must not
// change the slices.
func (d *Detector) Detection() models.Detection { return d.detection }

// ErrNotAfter is what [Detector.Observe] returns for an observation that is not later than
// the last one: the clock has stepped back, or an observation came twice.
var ErrNotAfter = errors.New("the observation is not later than the last one")

// Reading is the result of an observation. Its slices have a value for each column, belong to
// the state and are valid until the next observation.
type Reading struct {
	// Score is the anomaly score: an observation that reaches 1, the border, is an anomaly.
	// It is 0 while the series is new, and for missing values.
	Score float64

	// Forecast is the value that the network forecast, in units of the column. A value from
	// Lower to Upper is no anomaly by itself. They are NaN while the series is new.
	Forecast, Lower, Upper []float64

	// Shares say how much each column contributes to the score. They sum to 1, or are all 0
	// where the score is.
	Shares []float64

	Missed int // observations that are missing between the last one and this one
}

// Observe scores the values of the columns at a time and takes them into the state. NaN
// and infinities are missing values. A zero time, or any time for a detector without a
// frequency, stands for the next step.
//
// Times need not be exact: an observation counts for the nearest step. Steps without an
// observation count as missing values, which are no anomaly. After a gap the score is that
// of the value beside its forecast over the gap.
//
// An observation that is not later than the last one is an [ErrNotAfter], values of another
// length are a [*models.FieldError] of "values", and a state of another detector is one of
// "s". These leave the state as it was. After an error of the engine, begin with NewState.
//
// Observe allocates nothing after the first observation of a state.
func (d *Detector) Observe(s *DetectorState, t time.Time, values []float64) (Reading, error) {
	switch {
	case s == nil || s.detector != d:
		return Reading{}, &models.FieldError{Field: "s", Value: s, Want: "a state of this detector: begin with NewState"}
	case len(values) != len(s.columns):
		return Reading{}, &models.FieldError{Field: "values", Value: values, Want: fmt.Sprintf("of length %d, a value for each column", len(s.columns))}
	}
	if err := d.model.retain(); err != nil {
		return Reading{}, err
	}
	defer d.model.release()
	steps, at, err := s.stepsTo(t)
	if err != nil {
		return Reading{}, err
	}
	if err := s.skip(steps - 1); err != nil {
		return Reading{}, err
	}
	s.time, s.last = at, t
	r := s.read(values)
	r.Missed = steps - 1
	return r, s.advance(values)
}

// stepsTo returns how many steps t lies after the last observation, and the time of its
// step.
func (s *DetectorState) stepsTo(t time.Time) (steps int, at time.Time, err error) {
	f := s.detector.frequency
	if f.Count == 0 || t.IsZero() || s.time.IsZero() {
		return 1, t, nil
	}
	if !t.After(s.last) {
		return 0, at, ErrNotAfter
	}
	steps, exact := f.Steps(s.time.In(t.Location()), t)
	at = f.Add(s.time.In(t.Location()), steps)
	if !exact {
		if next := f.Add(at, 1); next.Sub(t) < t.Sub(at) {
			steps, at = steps+1, next
		}
	}
	if steps < 1 {
		return 1, t, nil // two observations in one step
	}
	return steps, at, nil
}

// skip takes missing observations into the state.
func (s *DetectorState) skip(steps int) error {
	for range min(steps, maxSkipped) {
		if err := s.advance(s.missing); err != nil {
			return err
		}
	}
	if n := steps - maxSkipped; n > 0 && s.season > 0 {
		s.phase = (s.phase + n) % s.season
	}
	return nil
}

// maxSkipped is how many missing observations the network is run for.
const maxSkipped = 128

// read scores values, and takes them into the tails and ranges of their columns.
func (s *DetectorState) read(values []float64) Reading {
	sum, known := 0.0, 0.0
	for i, v := range values {
		if s.shares[i] = s.score(i, v); finite(v) {
			known++
		}
		sum += s.shares[i]
	}
	for i := range s.shares {
		if sum > 0 {
			s.shares[i] /= sum
		}
	}
	copy(s.shown, s.forecast)
	return Reading{Score: s.settle(sum / max(known, 1)), Forecast: s.shown, Lower: s.lower, Upper: s.upper, Shares: s.shares}
}

// score sets the band of a column, and returns the score of its value: by itself if it is
// the only column, and else what it adds to the mean over all of them.
func (s *DetectorState) score(i int, value float64) float64 {
	d, c, forecast := &s.detector.detection, &s.columns[i], s.forecast[i]
	least, half := max(d.MinDeviation, d.MinRelative*math.Abs(forecast)), math.NaN()
	if c.Residual.Ready() {
		half = max(c.Residual.Reach(s.detector.alone), least)
	}
	s.lower[i], s.upper[i] = forecast-half, forecast+half
	if !finite(value) {
		return 0
	}
	surprisal, novelty := c.Score(value, forecast, s.phase, d.Direction)
	switch {
	case len(s.columns) > 1:
		return c.Baseline.Score(value, forecast, d.Spreads[i], least, d.Direction) / d.Border
	case math.Abs(value-forecast) < least:
		return 0
	}
	return max(surprisal/d.Border, novelty)
}

// held is the largest score of an observation that belongs to the event of an earlier one, or
// that has not yet reached the border often enough in a row.
const held = 0.5

// escalation is how many times the score of the last alarm makes another alarm within the
// refractory period.
const escalation = 1.5

// settle turns the score of an observation into that of an event: scores that are no larger
// than one shortly before them belong to its event.
func (s *DetectorState) settle(score float64) float64 {
	d := &s.detector.detection
	s.quiet = max(0, s.quiet-1)
	if s.streak++; score < 1 {
		s.streak = 0
	}
	if score >= 1 && s.streak < d.Consecutive || s.quiet > 0 && score < s.bar {
		return min(score, held)
	}
	if score >= held {
		s.quiet, s.bar = d.Refractory+1, score
	}
	if score >= 1 {
		s.bar *= escalation
	}
	return score
}

// advance takes values into the state, forecasts in place of missing ones, and forecasts
// the next.
func (s *DetectorState) advance(values []float64) error {
	for i := range s.columns {
		if c := &s.columns[i]; finite(values[i]) {
			c.Advance(values[i], s.phase)
		} else {
			c.Fill(s.forecast[i])
		}
	}
	if s.season > 0 {
		s.phase = (s.phase + 1) % s.season
	}
	return s.predict()
}

// predict runs the network for the next observation.
func (s *DetectorState) predict() error {
	m := s.detector.model
	x := s.x.Data.([]float32)
	for i := range s.columns {
		s.columns[i].Read(x[i*len(anomaly.Inputs):][:len(anomaly.Inputs)], s.phase)
	}
	for i, p := range m.places {
		s.inputs[p.input], s.outputs[p.output] = &s.tensors[i], &s.next[i]
	}
	if err := m.run(context.Background(), m.session, s.inputs, s.outputs); err != nil {
		return err
	}
	s.tensors, s.next = s.next, s.tensors
	y, ok := s.y.Data.([]float32)
	if !ok || len(y) < len(s.columns) {
		return fmt.Errorf("the detector's network answers %s for %d columns: train it again", tensorShapeOf(s.y), len(s.columns))
	}
	for i := range s.columns {
		s.forecast[i] = math.NaN()
		if c := &s.columns[i]; c.Count > 0 {
			s.forecast[i] = c.Forecast(float64(y[i]))
		}
	}
	return nil
}
