package live

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/detectorstate"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// begin is when the values of all tests begin.
var begin = time.Unix(1_700_000_000, 0).UTC().Truncate(time.Minute)

// wave is the value of a series a number of minutes after begin.
func wave(series, minute int) float64 {
	noise := float64((minute*7919+series*104729)%1009)/1009 - 0.5
	return 10 + 3*math.Sin(2*math.Pi*float64(minute)/60) + noise
}

// server answers range queries with waves, and with what a test puts among them.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	labels []string // of each series; empty for one that is not there
	status int      // 0 for an answer
	spike  int      // the minute in which all series are far off, 0 for none
	late   int      // minutes whose values have not come yet
	asked  []string // "from to" of each query, in minutes
}

func newServer(t *testing.T, labels ...string) *server {
	s := &server{labels: labels}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// set changes what the server answers.
func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != 0 {
		http.Error(w, "no", s.status)
		return
	}
	minute := func(key string) int {
		v, err := strconv.ParseFloat(r.FormValue(key), 64)
		if err != nil || r.FormValue("step") != "60" {
			panic(err)
		}
		return int(v-float64(begin.Unix())) / 60
	}
	from, to := minute("start"), minute("end")
	s.asked = append(s.asked, fmt.Sprint(from, to))
	var series []string
	for i, labels := range s.labels {
		var points []string
		for m := max(0, from); m <= to-s.late && labels != ""; m++ {
			v := wave(i, m)
			if m == s.spike && m > 0 {
				v += 50
			}
			points = append(points, fmt.Sprintf(`[%d,"%g"]`, begin.Unix()+60*int64(m), v))
		}
		if len(points) > 0 {
			series = append(series, fmt.Sprintf(`{"metric":{%s},"values":[%s]}`, labels, strings.Join(points, ",")))
		}
	}
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, strings.Join(series, ","))
}

// trainedModel is the file of a detector of waves.
var trainedModel = sync.OnceValues(func() ([]byte, error) {
	values := make([]float64, 600)
	for i := range values {
		values[i] = wave(0, i)
	}
	panel, err := datasets.NewPanel(values)
	if err != nil {
		return nil, err
	}
	panel.Series[0].Start = begin
	panel.Frequency.Count, panel.Frequency.Unit = 1, "min"
	o := rnnkit.DetectorOptions{Season: 60, Rate: 0.002}
	o.Fit.Epochs, o.Spec.Hidden = 20, 4
	j, err := rnnkit.NewDetector(panel, o)
	if err != nil {
		return nil, err
	}
	r, err := j.Train(context.Background())
	if err != nil {
		return nil, err
	}
	return r.File, nil
})

func openDetector(t *testing.T) *infer.Detector {
	t.Helper()
	file, err := trainedModel()
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

// clock is a time that tests set, in minutes after begin.
type clock struct{ minute float64 }

func (c *clock) now() time.Time { return begin.Add(time.Duration(c.minute * float64(time.Minute))) }

// follower returns a Follower of the server, with its states in the file at path if there
// is one.
func follower(t *testing.T, s *server, c *clock, path string, log io.Writer) *Follower {
	t.Helper()
	client, err := prometheus.NewClient(prometheus.Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	d := openDetector(t)
	states, err := detectorstate.Open(path, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(states.Close)
	f := New(Config{Client: client, Expression: "up", Step: time.Minute, Range: 20 * time.Hour, Log: log}, d, states)
	f.now = c.now
	return f
}

func (f *Follower) mustPoll(t *testing.T) {
	t.Helper()
	if err := f.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// metrics returns what f serves.
func metricsOf(t *testing.T, f *Follower) string {
	t.Helper()
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	return w.Body.String()
}

// value returns the value of a metric, NaN if it is not there.
func value(t *testing.T, metrics, name string) float64 {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	return math.NaN()
}

const api, db = `"__name__":"latency","job":"api"`, `"__name__":"latency","job":"db","metric":"x"`

func TestFollow(t *testing.T) {
	s, c, path := newServer(t, api, db), &clock{500.2}, filepath.Join(t.TempDir(), "state")
	var log strings.Builder
	f := follower(t, s, c, path, &log)
	f.mustPoll(t)
	for c.minute = 501.1; c.minute < 510; c.minute++ {
		f.mustPoll(t)
	}
	s.set(func(s *server) { s.spike = 510 })
	f.mustPoll(t)
	have := metricsOf(t, f)
	apiLabels, dbLabels := `{job="api",metric="latency"}`, `{exported_metric="x",job="db",metric="latency"}`
	for i, labels := range []string{apiLabels, dbLabels} {
		score, yhat := value(t, have, "rnnkit_anomaly_score"+labels), value(t, have, "rnnkit_yhat"+labels)
		low, high := value(t, have, "rnnkit_yhat_lower"+labels), value(t, have, "rnnkit_yhat_upper"+labels)
		if y := value(t, have, "rnnkit_y"+labels); !(math.Abs(y-wave(i, 510)-50) < 1e-4) {
			t.Errorf("of series %d the value is %g", i, y)
		}
		if !(score > 1 && math.Abs(yhat-wave(i, 510)) < 2 && low < yhat && yhat < high && high < wave(i, 510)+50) {
			t.Errorf("of series %d it is score %g, %g, %g, %g", i, score, low, yhat, high)
		}
		if n := value(t, have, "rnnkit_anomalies_total"+labels); !(n >= 1) {
			t.Errorf("series %d has %g anomalies", i, n)
		}
	}
	for name, want := range map[string]float64{
		"rnnkit_series": 2, "rnnkit_observations_total": 2 * 511, "rnnkit_queries_total": 11, "rnnkit_query_failures_total": 0,
		"rnnkit_last_success_timestamp_seconds": float64(c.now().UnixMilli()) / 1000, "rnnkit_lag_seconds": 6,
	} {
		if v := value(t, have, name); !(math.Abs(v-want) < 1e-6) {
			t.Errorf("%s is %g, want %g", name, v, want)
		}
	}
	if first := s.asked[0]; first != "-700 500" || s.asked[1] != "496 501" {
		t.Errorf("it asks for the minutes %q", s.asked)
	}
	if log.Len() > 0 {
		t.Errorf("the log has %q", &log)
	}
}

// same fails unless two followers serve the same of their series.
func same(t *testing.T, a, b *Follower) {
	t.Helper()
	for _, name := range []string{"rnnkit_anomaly_score", "rnnkit_yhat", "rnnkit_yhat_lower", "rnnkit_yhat_upper"} {
		have, want := value(t, metricsOf(t, a), name+`{job="api",metric="latency"}`), value(t, metricsOf(t, b), name+`{job="api",metric="latency"}`)
		if !(have == want) {
			t.Errorf("%s is %g, want %g", name, have, want)
		}
	}
}

// TestCatchUp has a server that is away, a follower that is, and values that come late. In
// the end each has seen all.
func TestCatchUp(t *testing.T) {
	s, c := newServer(t, api), &clock{700.5}
	whole := follower(t, s, c, "", io.Discard)
	whole.mustPoll(t)

	t.Run("server", func(t *testing.T) {
		var log strings.Builder
		c.minute = 600.5
		f := follower(t, s, c, "", &log)
		f.mustPoll(t)
		s.set(func(s *server) { s.status = http.StatusNotFound })
		for range 40 {
			c.minute++
			if err := f.poll(t.Context()); err == nil {
				t.Fatal("there is no error")
			}
		}
		if have := metricsOf(t, f); strings.Contains(have, "anomaly_score") || value(t, have, "rnnkit_query_failures_total") != 40 || value(t, have, "rnnkit_series") != 0 {
			t.Errorf("while the server is away it serves\n%s", have)
		}
		s.set(func(s *server) { s.status = 0 })
		c.minute = 700.5
		f.mustPoll(t)
		same(t, f, whole)
		if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "404 Not Found") || !strings.Contains(log.String(), "answered again") {
			t.Errorf("the log has %q", &log)
		}
	})
	t.Run("follower", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		c.minute = 600.5
		f := follower(t, s, c, path, io.Discard)
		f.mustPoll(t)
		if err := f.save(); err != nil {
			t.Fatal(err)
		}
		f.states.Close()
		c.minute = 700.5
		s.set(func(s *server) { s.asked = nil })
		f = follower(t, s, c, path, io.Discard)
		f.mustPoll(t)
		same(t, f, whole)
		if s.asked[0] != "596 700" || f.health.observations != 100 {
			t.Errorf("it asks for %q and observes %d", s.asked, f.health.observations)
		}
	})
	t.Run("late", func(t *testing.T) {
		c.minute = 680.5
		f := follower(t, s, c, "", io.Discard)
		for ; c.minute < 700; c.minute++ {
			s.set(func(s *server) { s.late = int(c.minute) % 4 })
			f.mustPoll(t)
		}
		s.set(func(s *server) { s.late = 0 })
		f.mustPoll(t)
		same(t, f, whole)
	})
}

// TestLabelsChange has a series that vanishes and comes again, and one that is new.
func TestLabelsChange(t *testing.T) {
	s, c := newServer(t, api, ""), &clock{400.5}
	f := follower(t, s, c, filepath.Join(t.TempDir(), "state"), io.Discard)
	f.mustPoll(t)
	s.set(func(s *server) { s.labels = []string{"", db} })
	for range 8 {
		c.minute++
		f.mustPoll(t)
	}
	have := metricsOf(t, f)
	if strings.Contains(have, `job="api"`) || value(t, have, "rnnkit_series") != 1 || math.IsNaN(value(t, have, `rnnkit_anomaly_score{exported_metric="x",job="db",metric="latency"}`)) {
		t.Errorf("after the series changed it serves\n%s", have)
	}
	s.set(func(s *server) { s.labels = []string{api, db} })
	c.minute++
	f.mustPoll(t)
	if have := metricsOf(t, f); value(t, have, "rnnkit_series") != 2 || !(value(t, have, `rnnkit_anomaly_score{job="api",metric="latency"}`) < 1) {
		t.Errorf("after the series came again it serves\n%s", have)
	}
	s.set(func(s *server) { s.labels = []string{"", ""} })
	c.minute++
	if err := f.poll(t.Context()); err == nil || f.health.failures != 1 || f.health.success != c.now() {
		t.Errorf("an empty answer is %v, and %+v", err, f.health)
	}
	c.minute += 21 * 60
	if err := f.save(); err != nil || f.states.Len() != 0 || len(f.series) != 0 {
		t.Errorf("%v: of series that are long gone %d states stay", err, f.states.Len())
	}
}

func TestClockStepsBack(t *testing.T) {
	s, c := newServer(t, api), &clock{600.5}
	var log strings.Builder
	f := follower(t, s, c, "", &log)
	f.mustPoll(t)
	before := f.health.observations
	s.set(func(s *server) { s.asked = nil })
	for _, minute := range []float64{570.5, 571.5, 572.5, 599.5, 600.5, 601.5, 602.5} {
		c.minute = minute
		f.mustPoll(t)
	}
	if f.health.observations != before+2 || strings.Count(log.String(), "the clock has stepped back by 30m0s") != 1 {
		t.Errorf("it observes %d more, want 2; the log has %q", f.health.observations-before, &log)
	}
	whole := follower(t, s, c, "", io.Discard)
	whole.mustPoll(t)
	same(t, f, whole)
}

func TestTrain(t *testing.T) {
	s, c := newServer(t, api), &clock{600.5}
	var log strings.Builder
	f := follower(t, s, c, filepath.Join(t.TempDir(), "state"), &log)
	f.Retrain, f.Trained = time.Hour, c.now().Add(-2*time.Hour)
	tries := 0
	f.Train = func(_ context.Context, m *prometheus.Matrix) (*infer.Detector, error) {
		if tries++; tries == 1 {
			f.Retrain = time.Millisecond
			return nil, fmt.Errorf("too little memory")
		}
		f.Retrain = time.Hour
		for _, p := range m.Series[0].Points {
			if p.Value > 30 {
				t.Error("it trains on what the detector called an anomaly")
			}
		}
		if n := len(m.Series[0].Points); n > 600 || n < 590 {
			t.Errorf("it trains on %d points", n)
		}
		return openDetector(t), nil
	}
	s.set(func(s *server) { s.spike = 300 })
	f.mustPoll(t)
	trained := make(chan *successor)
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { f.train(ctx, trained) })
	next := <-trained
	before := f.detector
	f.takeOver(next)
	stop()
	done.Wait()
	if f.detector == before || f.health.trainings != 2 || f.health.failedTrain != 1 || !strings.Contains(log.String(), "too little memory") {
		t.Errorf("it is %+v, the log has %q", f.health, &log)
	}
	if _, err := before.Observe(before.NewState(), time.Time{}, []float64{1}); err != infer.ErrClosed {
		t.Errorf("the model before is not closed: %v", err)
	}
	whole := follower(t, s, c, "", io.Discard)
	whole.mustPoll(t)
	same(t, f, whole)
	c.minute += 2
	f.mustPoll(t)
	whole.mustPoll(t)
	same(t, f, whole)
	if err := f.save(); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	s, c := newServer(t, api), &clock{600.5}
	path := filepath.Join(t.TempDir(), "state")
	f := follower(t, s, c, path, io.Discard)
	ready := func() int {
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/-/ready", nil))
		return w.Code
	}
	if code := ready(); code != http.StatusServiceUnavailable {
		t.Errorf("before the first query /-/ready answers %d", code)
	}
	s.set(func(s *server) { s.status = http.StatusUnauthorized })
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "401 Unauthorized") {
		t.Errorf("the error is %v", err)
	}
	s.set(func(s *server) { s.status = 0 })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	testenv.Eventually(t, "it is ready", func() bool { return ready() == 200 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	f.states.Close()
	if again := follower(t, s, c, path, io.Discard); !again.until.Equal(begin.Add(600 * time.Minute)) {
		t.Errorf("after a start it has all until %v", again.until)
	}
	w := httptest.NewRecorder()
	if f.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/-/healthy", nil)); w.Code != 200 {
		t.Error("it is not healthy")
	}
}
