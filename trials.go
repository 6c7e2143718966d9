package rnnkit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Trials: the share of the updates that the first round of them takes, and how many
// windows tell how good a setting is.
const (
	firstRound    = 8 // the part of all updates
	scoredWindows = 500
)

// trial is a setting that is tried.
type trial struct {
	options ForecasterOptions // what is left open
	words   string            // how it differs from the rules
	error   float64           // on the windows that score, in units of the seasonal naive error
}

// choose tries settings on the rows before those of the calibration, and settles for the
// best: successive halving, Jamieson and Talwalkar, "Non-stochastic Best Arm
// Identification and Hyperparameter Optimization" (2016). In each round the better half of
// them goes on with twice the updates. The first setting is that of the rules.
func (f *forecaster) choose(ctx context.Context) error {
	trials := f.draw()
	watch := &watcher{options: f.Fit, phase: 1, phases: f.phases(), updates: f.trialUpdates(len(trials))}
	for updates := f.firstUpdates(); len(trials) > 1; updates = min(2*updates, f.Updates) {
		failures := make([]error, len(trials))
		if err := inParallel(ctx, len(trials), func(i int) { failures[i] = f.try(ctx, &trials[i], updates, watch) }); err != nil {
			return err
		}
		if err := cmp.Or(failures...); err != nil {
			return err
		}
		slices.SortStableFunc(trials, func(a, b trial) int { return cmp.Compare(a.error, b.error) })
		trials = trials[:(len(trials)+1)/2]
	}
	best, n := trials[0], f.Trials
	chosen, err := newForecaster(f.given.panel, best.options)
	if err != nil {
		return err
	}
	rules := *chosen.meta.Forecast
	rules.Rules = append(slices.Clone(rules.Rules), fmt.Sprintf("the best of %d settings tried on the rows before: %s, with an error of %.3f", n, best.words, best.error))
	chosen.meta.Forecast = &rules
	*f = *chosen
	f.Trials = n
	return nil
}

// firstUpdates returns the updates of the first round.
func (f *forecaster) firstUpdates() int { return max(1, f.Updates/firstRound) }

// trialUpdates returns the updates of all rounds together.
func (f *forecaster) trialUpdates(trials int) (sum int) {
	for updates := f.firstUpdates(); trials > 1; updates = min(2*updates, f.Updates) {
		sum += trials * updates
		trials = (trials + 1) / 2
	}
	return sum
}

// draw returns the settings to try.
func (f *forecaster) draw() []trial {
	rng := rand.New(rand.NewPCG(f.Fit.Seed, 0x747269616c73))
	trials := []trial{{options: f.given.options, words: "that of the rules"}}
	for len(trials) < f.Trials {
		t := f.vary(rng)
		if !slices.ContainsFunc(trials, func(other trial) bool { return other.words == t.words }) || rng.IntN(10) == 0 {
			trials = append(trials, t)
		}
	}
	return trials
}

// vary returns a setting in which some of what was left open differs from the rules.
func (f *forecaster) vary(rng *rand.Rand) trial {
	t := trial{options: f.given.options}
	var words []string
	change := func(open bool, name string, value any, set func()) {
		if open && rng.IntN(3) == 0 {
			set()
			words = append(words, fmt.Sprintf("%s %v", name, value))
		}
	}
	o, given, half := &t.options, f.given.options, rng.IntN(2) == 0
	segment, window, hidden, rate := 2*f.Segment, 2*f.Window, 2*f.Spec.Hidden, 2*f.Fit.LearningRate
	if half {
		segment, window, hidden, rate = max(1, f.Segment/2), f.Window/2, max(1, f.Spec.Hidden/2), f.Fit.LearningRate/2
	}
	change(given.Segment == 0 && f.Window%segment == 0, "segment", segment, func() { o.Segment, o.Window = segment, f.Window })
	change(given.Window == 0 && window > 0 && window%max(segment, f.Segment) == 0 && window < longest(f.panel)/2, "window", window, func() { o.Window = window })
	change(given.Spec.Hidden == 0, "hidden", hidden, func() { o.Spec.Hidden = hidden })
	change(given.Fit.LearningRate == 0, "learning rate", rate, func() { o.Fit.LearningRate = rate })
	change(given.Spec.Cell == "", "cell", models.LSTM, func() { o.Spec.Cell = models.LSTM })
	center := map[models.Center]models.Center{models.CenterMean: models.CenterLast, models.CenterLast: models.CenterMean}[f.Center]
	change(given.Center == "", "center", center, func() { o.Center = center })
	other := map[Switch]Switch{On: Off, Off: On}[f.Log]
	change(given.Log == Auto && !f.mixLogs && positive(f.panel), "logarithms", other, func() { o.Log = other })
	t.words = strings.Join(words, ", ")
	return t
}

// try trains one member by a setting, and sets its error.
func (f *forecaster) try(ctx context.Context, t *trial, updates int, watch *watcher) error {
	panel := f.given.panel.Until(f.calibration)
	g, err := newForecaster(f.given.panel, t.options)
	if err != nil {
		return err
	}
	g.Updates, g.Fit.Checkpoint, g.Fit.Resume = updates, "", false
	before := f.panel.Until(2 * f.calibration)
	begins, err := g.beginnings(before)
	if err != nil {
		return err
	}
	m := g.fitMember(ctx, before, 0, begins[0], g.memberOptions(watch, "", 1))
	if m.err != nil {
		return m.err
	}
	if g.Calendar != nil {
		panel = g.panel.Until(f.calibration)
	}
	t.error, err = g.score(&models.Model{Metadata: g.alone(g.Spec), Params: m.params}, panel, f.calibration)
	return err
}

// score returns the mean absolute error of a model on the last rows of a panel, in units
// of the seasonal naive error of each series.
func (f *forecaster) score(m *models.Model, panel *datasets.Panel, rows int) (float64, error) {
	w, err := panel.Windows(datasets.WindowOptions{
		Window: f.Window, Horizon: f.Horizon, Last: max(1, rows-f.Horizon+1),
		Errors: panel.SeasonalErrors(f.Season), Categories: f.meta.Forecast.Categories,
	})
	if err != nil {
		return 0, err
	}
	var b datasets.Batch
	var sum, n float64
	for part := range slices.Chunk(drawn(w.Len(), scoredWindows, 0), 128) {
		if err := w.Read(&b, part); err != nil {
			return 0, err
		}
		answers, err := trainer.Forecast(m, &b)
		if err != nil {
			return 0, err
		}
		levels := len(f.Spec.Direct.Quantiles)
		for i, y := range b.Targets {
			if e := math.Abs(float64(y - answers[i*levels+levels/2])); e == e {
				sum += e * float64(b.Weights[i/f.Horizon])
				n++
			}
		}
	}
	return sum / n, nil
}
