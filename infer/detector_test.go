package infer_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

// newDetector returns a detector whose network has the parameters to begin with: it
// forecasts little change.
func newDetector(t testing.TB, seed uint64, watched models.Detection) *infer.Detector {
	t.Helper()
	if watched.Columns == nil {
		watched.Columns = []string{"latency"}
	}
	watched.Frequency, watched.Border, watched.Rate = "1min", 6, 1e-4
	spec := models.Spec{Cell: models.GRU, Features: 5, Hidden: 7, Layers: 2, Readout: models.ReadLast, Outputs: 1}
	model, err := models.New(models.Metadata{Task: models.Detect, Spec: spec, Window: 32, Horizon: 1, State: spec.State(), Detector: &watched}, seed)
	if err != nil {
		t.Fatal(err)
	}
	file, err := export.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	m, err := infer.OpenBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	d, err := infer.NewDetector(m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// stream feeds a detector one series of a column, minute by minute.
type stream struct {
	*testing.T
	detector *infer.Detector
	state    *infer.DetectorState
	noise    *rand.Rand
	minute   int
}

func newStream(t *testing.T, watched models.Detection) *stream {
	d := newDetector(t, 1, watched)
	s := &stream{T: t, detector: d, state: d.NewState(), noise: rand.New(rand.NewPCG(1, 2))}
	for range 200 {
		if r := s.observe(0); r.Score >= 1 {
			t.Fatalf("minute %d of noise is an anomaly: %+v", s.minute, r)
		}
	}
	return s
}

// observe feeds noise around 50 and so much more.
func (s *stream) observe(more float64) infer.Reading {
	s.Helper()
	s.minute++
	r, err := s.detector.Observe(s.state, noon.Add(time.Duration(s.minute)*time.Minute), []float64{50 + s.noise.NormFloat64() + more})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

func TestDetector(t *testing.T) {
	s := newStream(t, models.Detection{})
	if r := s.observe(30); !(r.Score >= 1) || !(r.Upper[0] < 80) || !(math.Abs(r.Forecast[0]-50) < 6) || r.Shares[0] != 1 {
		t.Errorf("a spike: %+v", r)
	}
	quiet := 0
	for range 60 {
		if s.observe(0).Score < 1 {
			quiet++
		}
	}
	if quiet < 59 {
		t.Errorf("%d of 60 minutes after a spike are quiet", quiet)
	}
	if r := s.observe(-30); !(r.Score >= 1) {
		t.Errorf("a spike below: %+v", r)
	}
	for range 60 {
		s.observe(-30)
	}
	for range 60 {
		if r := s.observe(-30); r.Score >= 1 {
			t.Errorf("minute %d, an hour after a shift of the level: %+v", s.minute, r)
		}
	}
}

func TestDetectorKnobs(t *testing.T) {
	for name, test := range map[string]struct {
		watched models.Detection
		more    []float64
		want    string // of each observation, whether it is an anomaly
	}{
		"both":        {models.Detection{}, []float64{30, -30}, "!!"},
		"above":       {models.Detection{Direction: models.Above}, []float64{-30, 0, 0, 30}, "...!"},
		"below":       {models.Detection{Direction: models.Below}, []float64{30, 0, 0, -30}, "...!"},
		"deviation":   {models.Detection{MinDeviation: 50}, []float64{30, 0, 0, 90}, "...!"},
		"relative":    {models.Detection{MinRelative: 1}, []float64{30, 0, 0, 90}, "...!"},
		"consecutive": {models.Detection{Consecutive: 2}, []float64{30, 90, 0}, ".!!"},
		"refractory":  {models.Detection{Refractory: 2}, []float64{30, 90, 0, 30}, "!..!"},
	} {
		s, got := newStream(t, test.watched), ""
		for _, more := range test.more {
			mark := "."
			if s.observe(more).Score >= 1 {
				mark = "!"
			}
			got += mark
		}
		if got != test.want {
			t.Errorf("%s: the anomalies are %s, not %s", name, got, test.want)
		}
	}
}

// An event has one alarm: what follows it scores 0.5 at most, unless it would score far more.
func TestDetectorEvents(t *testing.T) {
	s := newStream(t, models.Detection{Refractory: 5})
	alarm := s.observe(10).Score
	if !(alarm >= 1) {
		t.Fatalf("a spike has the score %g", alarm)
	}
	if score := s.observe(20).Score; score != 0.5 {
		t.Errorf("a larger one right after it has the score %g", score)
	}
	if score := s.observe(1000).Score; !(score >= 1.5*alarm) {
		t.Errorf("a far larger spike has the score %g, after one of %g", score, alarm)
	}
	for range 5 {
		if score := s.observe(-1000).Score; score != 0.5 {
			t.Errorf("another one soon has the score %g", score)
		}
	}
	if score := s.observe(1e5).Score; !(score >= 1) {
		t.Errorf("a later one has the score %g", score)
	}
}

// Missing values and gaps are no anomalies, and the values after them are scored.
func TestDetectorGaps(t *testing.T) {
	s := newStream(t, models.Detection{Season: 7})
	for _, missing := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if r := s.observe(missing); r.Score != 0 || !(math.Abs(r.Forecast[0]-50) < 6) {
			t.Errorf("a missing value: %+v", r)
		}
	}
	for _, gap := range []int{3, 100_000} {
		s.minute += gap
		if r := s.observe(0); r.Score >= 1 || r.Missed != gap {
			t.Errorf("after a gap of %d: %+v", gap, r)
		}
	}
	if r := s.observe(40); !(r.Score >= 1) {
		t.Errorf("a spike after the gaps: %+v", r)
	}
}

// A clock that steps back is an error, after which the state goes on as if it had not.
func TestDetectorNotAfter(t *testing.T) {
	s := newStream(t, models.Detection{})
	before := marshaled(t, s.state)
	for _, at := range []int{s.minute, s.minute - 5} {
		if _, err := s.detector.Observe(s.state, noon.Add(time.Duration(at)*time.Minute), []float64{50}); !errors.Is(err, infer.ErrNotAfter) {
			t.Errorf("minute %d again: %v", at, err)
		}
	}
	if !bytes.Equal(marshaled(t, s.state), before) {
		t.Error("the state has changed")
	}
}

// Times that are a little off count for the nearest step.
func TestDetectorJitter(t *testing.T) {
	d := newDetector(t, 1, models.Detection{})
	s := d.NewState()
	for _, test := range []struct{ second, missed int }{{0, 0}, {61, 0}, {119, 0}, {205, 0}, {300, 1}, {310, 0}, {370, 0}} {
		r, err := d.Observe(s, noon.Add(time.Duration(test.second)*time.Second), []float64{1})
		if err != nil || r.Missed != test.missed {
			t.Errorf("second %d: %d missed, not %d: %v", test.second, r.Missed, test.missed, err)
		}
	}
}

func marshaled(t *testing.T, s *infer.DetectorState) []byte {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDetectorState(t *testing.T) {
	s := newStream(t, models.Detection{Season: 60, Columns: []string{"latency"}})
	data := marshaled(t, s.state)
	restored := s.detector.NewState()
	if err := restored.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(marshaled(t, restored), data) || !restored.Last().Equal(s.state.Last()) {
		t.Error("the restored state is another")
	}
	for _, more := range []float64{1, 30, math.NaN(), 0} {
		at, value := restored.Last().Add(time.Minute), []float64{50 + more}
		want, err := s.detector.Observe(s.state, at, value)
		got, failed := s.detector.Observe(restored, at, value)
		if fmt.Sprint(got) != fmt.Sprint(want) || err != nil || failed != nil {
			t.Errorf("the restored state reads %+v, not %+v: %v, %v", got, want, err, failed)
		}
	}
}

func TestDetectorStateDamaged(t *testing.T) {
	s := newStream(t, models.Detection{Season: 9})
	data := marshaled(t, s.state)
	for n := range len(data) {
		if err := s.state.UnmarshalBinary(data[:n]); err == nil {
			t.Errorf("%d of %d bytes are read", n, len(data))
		}
		changed := bytes.Clone(data)
		changed[n] ^= 1
		if err := s.state.UnmarshalBinary(changed); err == nil {
			t.Errorf("a changed byte %d is read", n)
		}
	}
	if !bytes.Equal(marshaled(t, s.state), data) {
		t.Error("the state has changed")
	}
	if err := newDetector(t, 1, models.Detection{Season: 10}).NewState().UnmarshalBinary(data); err == nil {
		t.Error("the state of another model is read")
	}
}

func TestDetectorRefuses(t *testing.T) {
	d := newDetector(t, 1, models.Detection{})
	for name, test := range map[string]struct {
		state  *infer.DetectorState
		values []float64
		field  string
	}{
		"none":    {nil, []float64{1}, "s"},
		"another": {newDetector(t, 2, models.Detection{}).NewState(), []float64{1}, "s"},
		"columns": {d.NewState(), []float64{1, 2}, "values"},
	} {
		var field *models.FieldError
		if _, err := d.Observe(test.state, noon, test.values); !errors.As(err, &field) || field.Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	var other *infer.TaskError
	if _, err := infer.NewForecaster(d.Model()); !errors.As(err, &other) || other.Task != models.Detect {
		t.Errorf("a forecaster of a detector: %v", err)
	}
	d.Model().Close()
	if _, err := d.Observe(d.NewState(), noon, []float64{1}); !errors.Is(err, infer.ErrClosed) {
		t.Errorf("a closed detector: %v", err)
	}
}

func TestDetectorAllocates(t *testing.T) {
	s := newStream(t, models.Detection{Season: 60})
	at, values, least := s.state.Last(), []float64{50}, math.Inf(1)
	for range 50 { // the race detector has pools lose what they hold now and then
		least = min(least, testing.AllocsPerRun(1, func() {
			at = at.Add(time.Minute)
			s.detector.Observe(s.state, at, values)
		}))
	}
	if least > 0 {
		t.Errorf("an observation allocates %g times", least)
	}
}

func BenchmarkObserve(b *testing.B) {
	d := newDetector(b, 1, models.Detection{Season: 1440})
	s, at, values := d.NewState(), noon, []float64{50}
	b.ReportAllocs()
	for i := range b.N {
		at, values[0] = at.Add(time.Minute), float64(i%7)
		if _, err := d.Observe(s, at, values); err != nil {
			b.Fatal(err)
		}
	}
}

// newMachine returns a detector of 10 columns whose noise has a deviation of 1, 2, … 10.
func newMachine(t testing.TB) *infer.Detector {
	var watched models.Detection
	for i := range 10 {
		watched.Columns = append(watched.Columns, fmt.Sprint("c", i))
		watched.Spreads = append(watched.Spreads, models.Spread{Level: float64(i + 1), Change: float64(i + 1), Rows: 1000})
	}
	return newDetector(t, 1, watched)
}

// Columns are scored together: the score is in the mean over those that have a value, and
// the shares say which of them are far away.
func TestDetectorColumns(t *testing.T) {
	d := newMachine(t)
	s, noise, values := d.NewState(), rand.New(rand.NewPCG(1, 2)), make([]float64, 10)
	observe := func(far ...int) infer.Reading {
		t.Helper()
		for i := range values {
			values[i] = 100 + noise.NormFloat64()*float64(i+1)
		}
		for _, i := range far {
			values[i] += 40 * float64(i+1)
		}
		r, err := d.Observe(s, time.Time{}, values)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	usual := 0.0
	for range 300 {
		usual = max(usual, observe().Score)
	}
	one := observe(3).Score
	r := observe(2, 7)
	if !(usual*5 < one && one*1.5 < r.Score && one < 1.3*math.Log(1+17*17)/10/6) {
		t.Errorf("the score is %g at most for noise, %g for one column that is far away, %g for two", usual, one, r.Score)
	}
	sum := 0.0
	for i, share := range r.Shares {
		if far := i == 2 || i == 7; far != (share > 0.4) {
			t.Errorf("column %d has a share of %g", i, share)
		}
		sum += share
	}
	if !(math.Abs(sum-1) < 1e-12) {
		t.Errorf("the shares sum to %g", sum)
	}
	for i := range values {
		values[i] = math.NaN()
	}
	if r, err := d.Observe(s, time.Time{}, values); r.Score != 0 || err != nil {
		t.Errorf("missing values: %+v, %v", r, err)
	}
	values[4] = 100 + 5*30
	r, err := d.Observe(s, time.Time{}, values)
	if !(r.Score > one*4) || r.Shares[4] != 1 || err != nil {
		t.Errorf("a single column with a value, which is far away: %+v, %v", r, err)
	}
	restored := d.NewState()
	if err := restored.UnmarshalBinary(marshaled(t, s)); err != nil {
		t.Fatal(err)
	}
	want := observe(5).Score
	if got, err := d.Observe(restored, time.Time{}, values); got.Score != want || err != nil {
		t.Errorf("the restored state has the score %g, not %g: %v", got.Score, want, err)
	}
}
