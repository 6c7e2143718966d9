package live

import (
	"context"
	"time"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/detectorstate"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
	"github.com/rnnkit/rnnkit/infer"
)

// successor is a detector that takes the place of the one before it. Its states have seen
// all observations until then.
type successor struct {
	detector *infer.Detector
	states   *detectorstate.States
	until    time.Time
}

// train trains a successor whenever it is time. After a failure it tries again in a tenth
// of that time.
func (f *Follower) train(ctx context.Context, trained chan<- *successor) {
	for due := f.Trained.Add(f.Retrain); f.Retrain > 0; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(due.Sub(f.now())):
		}
		next, err := f.succeed(ctx)
		if ctx.Err() != nil {
			return
		}
		f.recordTraining(err)
		if due = f.now().Add(f.Retrain); err != nil {
			due = f.now().Add(f.Retrain / 10)
			continue
		}
		select {
		case <-ctx.Done():
		case trained <- next:
		}
	}
}

// succeed trains a successor on the last Range without the anomalies of the detector before
// it, and has it observe all of that Range.
func (f *Follower) succeed(ctx context.Context) (*successor, error) {
	end := f.align(f.now())
	m, err := f.Client.QueryRange(ctx, prometheus.Query{Expression: f.Expression, Start: end.Add(-f.Range), End: end, Step: f.Step})
	if err != nil {
		return nil, err
	}
	f.mu.RLock()
	now, states := f.detector, f.states
	f.mu.RUnlock()
	usual, err := withoutAnomalies(now, m)
	if err != nil {
		return nil, err
	}
	d, err := f.Train(ctx, usual)
	if err != nil {
		return nil, err
	}
	next := &successor{d, states.For(d), end}
	for _, s := range m.Series {
		if _, err := observe(d, next.states.Of(prometheus.Name(s.Labels)), s.Points, func(time.Time, float64, infer.Reading) {}); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// withoutAnomalies returns a matrix without what a detector calls an anomaly.
func withoutAnomalies(d *infer.Detector, m *prometheus.Matrix) (*prometheus.Matrix, error) {
	usual := &prometheus.Matrix{Notes: m.Notes}
	for _, s := range m.Series {
		kept := &prometheus.Series{Labels: s.Labels}
		_, err := observe(d, d.NewState(), s.Points, func(at time.Time, value float64, r infer.Reading) {
			if r.Score < 1 {
				kept.Points = append(kept.Points, prometheus.Point{Time: at.UnixMilli(), Value: value})
			}
		})
		if err != nil {
			return nil, err
		}
		usual.Series = append(usual.Series, kept)
	}
	return usual, nil
}

// recordTraining counts a training, and logs its failure.
func (f *Follower) recordTraining(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.health.trainings++
	if err != nil {
		f.health.failedTrain++
		f.logf("the training failed, and the detector stays as it is: %v", err)
	}
}

// takeOver puts a successor in the place of the detector. What the series were last stays
// until the next observation.
func (f *Follower) takeOver(next *successor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.detector
	f.detector, f.states, f.until = next.detector, next.states, next.until
	before.Model().Close()
	f.logf("the detector has learned from the last %v", f.Range)
}
