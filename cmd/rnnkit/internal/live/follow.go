// Package live runs a detector on a query of Prometheus, step by step, and serves its scores
// as metrics.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/detectorstate"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
	"github.com/rnnkit/rnnkit/infer"
)

// Config has the settings of a Follower.
type Config struct {
	Client     *prometheus.Client
	Expression string        // in PromQL; its series have one value at each step
	Step       time.Duration // from one observation to the next
	Range      time.Duration // of the history that it reads without states, and trains on

	Log io.Writer // a line for each change of its health

	// Retrain is the time after which Train is called, from the time of Trained on; 0 is
	// never. Train returns a detector that has learned from a matrix, and keeps its file.
	Retrain time.Duration
	Trained time.Time
	Train   func(context.Context, *prometheus.Matrix) (*infer.Detector, error)
}

// Follower queries at each step, and scores the new values. After a pause it catches up by
// the states of the series.
type Follower struct {
	Config
	now func() time.Time

	mu       sync.RWMutex // of what follows
	detector *infer.Detector
	states   *detectorstate.States
	series   map[string]*watched // by name
	until    time.Time           // the last query ended here
	health   health
}

// watched is a series as it was at its last observation.
type watched struct {
	labels    map[string]string
	time      time.Time
	value     float64
	reading   infer.Reading // in slices of the series' state
	anomalies int
}

// health has the figures of a Follower besides its series.
type health struct {
	success                time.Time // of the last query that was answered
	queries, failures      int
	observations           int
	trainings, failedTrain int
	failing                string // the error of the last query, "" if it was answered
}

// New returns a Follower. The states are those of the detector, which has one column.
func New(c Config, d *infer.Detector, states *detectorstate.States) *Follower {
	return &Follower{Config: c, now: time.Now, detector: d, states: states, series: map[string]*watched{}, until: states.Last()}
}

// late is how long after its time an observation may come, and how long a series without a
// new one is shown.
func (c *Config) late() time.Duration { return max(5*c.Step, time.Minute) }

// Run follows the query until ctx ends. It saves the states once a minute, and at the end.
// The error is one that asking again does not mend, at the first query, or that of the last
// save.
func (f *Follower) Run(ctx context.Context) error {
	if err := f.poll(ctx); err != nil && ctx.Err() == nil && !prometheus.MayPass(err) && !errors.Is(err, prometheus.ErrEmpty) {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	trained := make(chan *successor)
	var training sync.WaitGroup
	training.Go(func() { f.train(ctx, trained) })
	defer training.Wait()
	defer stop()
	return f.loop(ctx, trained)
}

// loop polls at each step until ctx ends.
func (f *Follower) loop(ctx context.Context, trained <-chan *successor) error {
	saved := f.now()
	for {
		select {
		case <-ctx.Done():
			return f.save()
		case next := <-trained:
			f.takeOver(next)
			saved = time.Time{}
		case <-time.After(f.pause()):
		}
		f.poll(ctx)
		if now := f.now(); now.Sub(saved) >= time.Minute {
			saved = now
			if err := f.save(); err != nil {
				f.logf("cannot save the states: %v", err)
			}
		}
	}
}

// logf writes a line to the log.
func (f *Follower) logf(format string, args ...any) {
	fmt.Fprintf(f.Log, "%s %s\n", f.now().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

// pause returns how long it is until the next step has begun, and its values are there.
func (f *Follower) pause() time.Duration {
	now := f.now()
	return f.align(now).Add(f.Step + min(f.Step/4, 5*time.Second)).Sub(now)
}

// align returns the last step up to t.
func (c *Config) align(t time.Time) time.Time { return prometheus.Align(t, c.Step) }

// save writes the states, without those of series that are long gone.
func (f *Follower) save() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	gone := f.now().Add(-f.Range)
	f.states.ForgetBefore(gone)
	for name, w := range f.series {
		if w.time.Before(gone) {
			delete(f.series, name)
		}
	}
	return f.states.Save()
}

// poll asks for what is new, and scores it.
func (f *Follower) poll(ctx context.Context) error {
	q, due := f.next()
	if !due {
		return nil
	}
	matrix, err := f.Client.QueryRange(ctx, q)
	if ctx.Err() != nil {
		return err
	}
	f.record(err)
	if err != nil && !errors.Is(err, prometheus.ErrEmpty) {
		return err
	}
	f.mu.Lock()
	f.until, f.health.success = q.End, f.now()
	f.mu.Unlock()
	if err != nil {
		return err
	}
	for _, s := range matrix.Series {
		if err := f.feed(s); err != nil {
			f.logf("%v", err)
			return err
		}
	}
	return nil
}

// next returns the query for what is new, and again for the last steps, whose values may
// have come late.
func (f *Follower) next() (q prometheus.Query, due bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := f.align(f.now())
	if end.Before(f.until) {
		f.logf("the clock has stepped back by %v", f.until.Sub(end))
		f.until = end
		return q, false
	}
	from, first := f.align(f.until.Add(f.Step-f.late())), end.Add(-f.Range)
	if from.Before(first) {
		from = f.align(first)
	}
	due = end.After(f.until) || f.health.success.IsZero()
	return prometheus.Query{Expression: f.Expression, Start: from, End: end, Step: f.Step}, due
}

// record counts a query, and logs the first failure and the first answer after failures.
func (f *Follower) record(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &f.health
	h.queries++
	text := ""
	if err != nil {
		h.failures++
		text = err.Error()
	}
	switch {
	case text != "" && h.failing == "":
		f.logf("%s", text)
	case text == "" && h.failing != "":
		f.logf("the query is answered again")
	}
	h.failing = text
}

// feed scores the new points of a series.
func (f *Follower) feed(s *prometheus.Series) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := prometheus.Name(s.Labels)
	w := f.series[name]
	if w == nil {
		w = &watched{labels: s.Labels}
		f.series[name] = w
	}
	observed, err := observe(f.detector, f.states.Of(name), s.Points, w.keep)
	f.health.observations += observed
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// observe takes the points into a state that are later than its last, and returns how many
// those were.
func observe(d *infer.Detector, state *infer.DetectorState, points []prometheus.Point, keep func(time.Time, float64, infer.Reading)) (n int, err error) {
	value := make([]float64, 1)
	for _, p := range points {
		at := time.UnixMilli(p.Time).UTC()
		if !at.After(state.Last()) {
			continue
		}
		value[0] = p.Value
		r, err := d.Observe(state, at, value)
		if err != nil {
			return n, err
		}
		keep(at, p.Value, r)
		n++
	}
	return n, nil
}

// keep keeps a reading.
func (w *watched) keep(at time.Time, value float64, r infer.Reading) {
	w.time, w.value, w.reading = at, value, r
	if r.Score >= 1 {
		w.anomalies++
	}
}
