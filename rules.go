package rnnkit

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// The numbers of the rules, in one place. A training with few windows is one on a single
// short series; with many windows it learns from many series or a long one.
const (
	minWindows        = 8    // to learn from
	minHistorySeasons = 2    // that a window must have to be learned from
	knownShare        = 0.8  // of what is known of so many rows on average, where values are missing
	fewWindows        = 1000 // less is a small training
	fewOfShort        = 4000 // likewise, of short series
	shortSeries       = 120  // rows of a short series, at most
	smallSeasons      = 5    // of a window of a small training
	freeWindow        = 48   // steps that the model looks back without a season
	freeSegment       = 12   // steps of a segment without a season
	freeHorizon       = 12   // steps ahead without a season
	fewSeries         = 20   // less are few
	fewSeriesWindow   = 168  // steps of a window of few series, at most
	maxSegment        = 48   // a longer season is cut

	hidden       = 64
	linearMaps   = 8 // that the network mixes
	members      = 3 // of the ensemble
	mixedMembers = 2 // of each ensemble of a mixture
	smallBatch   = 64
	largeBatch   = 128
	smallRate    = 1e-3
	largeRate    = 3e-3
	weightDecay  = 1e-4
	medianWeight = 3 // of the loss of the median, where that of another quantile has 1
	updates      = 8 // times the root of the number of windows
	leastUpdates = 200
	mostUpdates  = 2000

	mixedDropout = 0.5   // of the members that have no linear maps
	mixedGain    = 0.002 // by which mixing must make the error smaller, as mixedError has it

	maxCategoryEmbedding = 16

	calibrationAnswers = 200  // of each step ahead, so many at least, if the series are long enough
	calibrationShare   = 0.25 // of a series at most
)

// seasonsOfWindow has how many seasons a window holds, by the length of a season, which
// is that or more.
var seasonsOfWindow = []struct{ season, seasons int }{{168, 2}, {96, 7}, {24, 14}, {8, 5}, {5, 8}, {2, 5}}

// mixedWeights are those that a second ensemble may have, beside none.
var mixedWeights = []float32{0.2, 0.3, 0.4, 0.5}

// rules settles the options that are left open by what the data are, and says why.
type rules struct {
	*ForecasterOptions
	panel                *datasets.Panel
	seasons              []int // that the panel has
	windows              int   // to learn from, about
	calibration, origins int   // see forecaster
	mixLogs, structural  bool  // see forecaster
	said                 []string
}

func newRules(panel *datasets.Panel, o *ForecasterOptions) *rules {
	return &rules{ForecasterOptions: o, panel: panel, seasons: panel.Seasons()}
}

// say notes what was chosen and why.
func (r *rules) say(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

// settle sets all options that are left open.
func (r *rules) settle() error {
	if n := longest(r.panel); r.Season >= n && r.Season > 1 && r.Start == nil {
		return &models.FieldError{Field: "Season", Value: r.Season, Want: fmt.Sprintf("less than %d, the rows of the longest series", n)}
	}
	r.settleSeason()
	r.settleHorizon()
	history := min(minHistorySeasons*r.Season, r.limit())
	eachTarget(r.panel, func(values []float64) { r.windows += max(0, len(values)-r.Horizon-history+1) })
	if n := longest(r.panel); r.Window > n && r.Start == nil {
		return &models.FieldError{Field: "Window", Value: r.Window, Want: fmt.Sprintf("shorter, or the series longer: the longest has %d rows", n)}
	}
	r.settleWindow()
	if r.Window%r.Segment != 0 {
		return &models.FieldError{Field: "Window", Value: r.Window, Want: fmt.Sprintf("a multiple of the segment, %d", r.Segment)}
	}
	if r.Log == On && anyTarget(r.panel, func(v float64) bool { return v < 0 }) {
		if r.Start != nil {
			return &models.FieldError{Field: "Start", Value: "a model that reads logarithms", Want: "one that does not: there are values below 0, which have no logarithm"}
		}
		return &models.FieldError{Field: "Log", Value: string(r.Log), Want: "off: there are values below 0, which have no logarithm"}
	}
	r.settleMixture()
	r.settleLog()
	r.settleBound()
	r.settleCalendar()
	r.settleSize()
	r.settleCenter()
	r.useStandards()
	if r.settleCalibration(); r.Trials > 0 && r.calibration == 0 {
		return &models.FieldError{Field: "Trials", Value: r.Trials, Want: "0: the series are too short to hold rows back to try on"}
	}
	if r.calibration == 0 && r.Mixture == On && !r.mixLogs && !r.structural && r.Start == nil {
		r.Mixture = Off
		r.say("no mixture: there are no rows held back to choose one on")
	}
	return nil
}

// settleSeason finds the season.
func (r *rules) settleSeason() {
	if r.Season > 0 {
		r.say("season %d: as given", r.Season)
		return
	}
	if r.Season = 1; len(r.seasons) == 0 {
		r.say("no season: the series do not repeat")
		return
	}
	r.Season = r.seasons[0]
	r.say("season %d: the series repeat after so many rows", r.Season)
}

func (r *rules) settleHorizon() {
	if r.Horizon > 0 {
		return
	}
	rows := usual(r.panel)
	short := max(freeHorizon, rows/6)
	switch {
	case r.Season > short && float64(r.Season) > calibrationShare*float64(rows):
		r.Horizon = short
		r.say("horizon %d: a sixth of a usual series, at least %d, since a quarter holds no season to test on", short, freeHorizon)
	case r.Season > 1:
		r.Horizon = r.Season
		r.say("horizon %d: one season", r.Horizon)
	default:
		r.Horizon = max(1, min(freeHorizon, rows/10))
		r.say("horizon %d: a tenth of a usual series, at most %d", r.Horizon, freeHorizon)
	}
}

// settleWindow chooses the segment and the window.
func (r *rules) settleWindow() {
	if r.Segment == 0 {
		r.settleSegment()
	}
	if r.Window > 0 {
		return
	}
	steps, why := freeWindow, "without a season"
	for _, w := range seasonsOfWindow {
		if r.Season >= w.season {
			seasons := w.seasons
			if r.few() {
				seasons = min(seasons, smallSeasons)
			}
			if len(r.panel.Series) < fewSeries {
				seasons = max(1, min(seasons, fewSeriesWindow/r.Season))
			}
			steps, why = r.Season*seasons, count(seasons, "season")
			break
		}
	}
	if limit := r.limit(); steps > limit {
		steps, why = limit, "three fifths of a usual series"
	}
	r.Window = max(1, steps/r.Segment) * r.Segment
	r.say("window %d: %s", r.Window, why)
}

// limit returns the longest window for series as short as a usual one.
func (r *rules) limit() int { return 3 * usual(r.panel) / 5 }

// settleSegment takes the largest part of a season that fits, and of the window if that
// is given.
func (r *rules) settleSegment() {
	whole := r.Season
	if r.Season <= 1 {
		whole = freeSegment
	}
	most := min(whole, maxSegment)
	if r.Window == 0 {
		most = max(1, min(most, r.limit()))
	}
	r.Segment = divisor(most, whole, r.Window)
	if r.Window > 0 && 4*r.Segment < most { // it is not made of seasons
		r.Segment = divisor(most, 0, r.Window)
	}
	r.say("segments of %d", r.Segment)
}

// divisor returns the largest number up to most that divides a and b.
func divisor(most, a, b int) int {
	for most > 1 && (a%most != 0 || b%most != 0) {
		most--
	}
	return most
}

// settleMixture has other ensembles where that helps. Few windows are forecast by a
// structural model besides, unless covariates are known ahead, which it does not read: they
// tell more of what comes than those that are known up to the last row. Many values do not
// tell whether logarithms are better, and the mean of both is near the better one.
func (r *rules) settleMixture() {
	if r.Start != nil {
		return
	}
	ahead := len(r.panel.Future) > 0
	if r.Mixture == Auto {
		if r.Mixture = On; r.few() && ahead {
			r.Mixture = Off
		}
	}
	r.structural = r.Mixture == On && r.few() && !ahead
	r.mixLogs = r.Mixture == On && !r.structural && r.Log == Auto && positive(r.panel) && varies(r.panel)
	switch {
	case r.structural:
		r.say("mixture: 0.6 of structural models, fitted to the windows, since there are few")
	case r.mixLogs:
		r.say("mixture: half of an ensemble that reads the values, half of one that reads logarithms, since all values are more than 0")
	case r.Mixture == On:
		r.say("mixture: a second ensemble, without linear maps, if it helps on the rows held back")
	}
}

// settleLog reads logarithms of a few positive values. Many values show by themselves how
// seasons grow with the level.
func (r *rules) settleLog() {
	if r.Log != Auto || r.Start != nil {
		return
	}
	if r.Log = Off; r.few() && !r.mixLogs && positive(r.panel) && varies(r.panel) {
		r.Log = On
		r.say("logarithms: there are few windows, and all values are more than 0")
	}
}

// positive reports whether all targets are more than 0.
func positive(panel *datasets.Panel) bool {
	return !anyTarget(panel, func(v float64) bool { return v <= 0 })
}

// varies reports whether a target has different values.
func varies(panel *datasets.Panel) bool {
	found := false
	eachTarget(panel, func(values []float64) {
		found = found || slices.ContainsFunc(values, func(v float64) bool { return v != values[0] && v == v })
	})
	return found
}

// anyTarget reports whether a value of a target is as asked for.
func anyTarget(panel *datasets.Panel, is func(v float64) bool) bool {
	found := false
	eachTarget(panel, func(values []float64) { found = found || slices.ContainsFunc(values, is) })
	return found
}

// moments returns the mean and the standard deviation of the values that are not missing.
func moments(values []float64) (mean, deviation float64) {
	var n, squares float64
	for _, v := range values {
		if !math.IsNaN(v) {
			n++
			mean += v
		}
	}
	mean /= n
	for _, v := range values {
		if d := v - mean; !math.IsNaN(d) {
			squares += d * d
		}
	}
	return mean, math.Sqrt(squares / n)
}

// settleBound bounds the answers at 0 where no value is negative.
func (r *rules) settleBound() {
	switch {
	case r.Min != nil && math.IsInf(*r.Min, -1):
		r.Min = nil
	case r.Min == nil && (r.Max == nil || *r.Max > 0) && varies(r.panel) && !anyTarget(r.panel, func(v float64) bool { return v < 0 }):
		r.Min = new(0.0)
		r.say("no answer is less than 0, since no value is")
	}
}

// settleCalendar chooses features of the times where the series have a longer season than
// the one that makes the segments, such as weeks beside days, and where there are enough
// days of a few series to learn their hours.
func (r *rules) settleCalendar() {
	if r.Calendar != nil || r.Start != nil || r.panel.Frequency == (models.Frequency{}) {
		return
	}
	switch {
	case len(r.seasons) >= 2:
		r.Calendar = []string{"hour", "dayofweek"}
		r.say("calendar: the hour and the day of the week, since the series repeat after %d rows too", r.seasons[1])
	case r.fewLong() && float64(r.Season) == stepsOfDay(r.panel.Frequency):
		r.Calendar = []string{"hour"}
		r.say("calendar: the hour, since a few long series repeat after a day")
	}
}

// settleCenter takes the last value of a window where what is known ahead, or much that was
// learned of a few series, says how the series goes on from there.
func (r *rules) settleCenter() {
	if r.Center == "" && (len(r.panel.Future) > 0 || r.fewLong()) {
		r.Center = models.CenterLast
	}
}

// fewLong reports whether there are few series, each with many windows.
func (r *rules) fewLong() bool {
	n := len(r.panel.Series)
	return n < fewSeries && r.windows >= n*fewWindows
}

// few reports whether there are few windows to learn from.
func (r *rules) few() bool {
	return r.windows < fewWindows || r.windows < fewOfShort && usual(r.panel) <= shortSeries
}

// settleSize chooses the model and the length of the training.
func (r *rules) settleSize() {
	batch, rate := largeBatch, largeRate
	if r.few() {
		batch, rate = smallBatch, smallRate
	}
	r.Fit.Batch, r.Fit.LearningRate = cmp.Or(r.Fit.Batch, batch), cmp.Or(r.Fit.LearningRate, rate)
	ensemble, where := members, ""
	if r.Mixture == On && !r.structural {
		ensemble, where = mixedMembers, " in each ensemble"
	}
	r.Spec.Hidden, r.Ensemble = cmp.Or(r.Spec.Hidden, hidden), cmp.Or(r.Ensemble, ensemble)
	r.Updates = cmp.Or(r.Updates, max(leastUpdates, min(mostUpdates, int(updates*math.Sqrt(float64(r.windows))))))
	r.say("%s%s of %d units, each trained by %d updates of %d windows: there are %d windows", count(r.Ensemble, "member"), where, r.Spec.Hidden, r.Updates, r.Fit.Batch, r.windows)
}

// count returns a number of things, such as "1 member" or "5 members".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// useStandards sets what does not depend on the data.
func (o *ForecasterOptions) useStandards() {
	o.Spec.Cell = cmp.Or(o.Spec.Cell, models.GRU)
	o.Spec.Layers = cmp.Or(o.Spec.Layers, 1)
	o.Spec.Hidden = cmp.Or(o.Spec.Hidden, hidden)
	o.Spec.Embedding = cmp.Or(o.Spec.Embedding, max(1, o.Spec.Hidden))
	o.Center = cmp.Or(o.Center, models.CenterMean)
	o.Linear = cmp.Or(o.Linear, linearMaps)
	fit := &o.Fit
	if fit.Optimizer.Method == "" {
		fit.Optimizer = trainer.Optimizer{Method: trainer.AdamW, Beta2: 0.98, WeightDecay: weightDecay}
	}
	fit.MedianWeight = cmp.Or(fit.MedianWeight, medianWeight)
	fit.LearningRate, fit.ClipNorm = cmp.Or(fit.LearningRate, largeRate), cmp.Or(fit.ClipNorm, 1)
	if fit.Schedule.Shape == "" {
		fit.Schedule = trainer.Schedule{Shape: trainer.Cosine, Warmup: o.Updates / 10}
	}
}

// settleCalibration chooses the rows at the end of the series that the first fit does not
// see, and the number of origins in them.
func (r *rules) settleCalibration() {
	rows := int(calibrationShare * float64(usual(r.panel)))
	series := len(r.panel.Series) * len(r.panel.Targets)
	switch {
	case r.Trials > 0:
		rows /= 2 // the trials need as many before
	case series >= calibrationAnswers && 2*usual(r.panel) >= 5*r.Horizon:
		rows = max(rows, r.Horizon) // there is enough to learn from in so many series
	}
	if rows < r.Horizon {
		r.say("no calibration: a quarter of a usual series, %s, is less than the horizon, so the intervals are those that the model learned", count(rows, "row"))
		return
	}
	r.origins = max(1, min(rows-r.Horizon+1, (calibrationAnswers+series-1)/series))
	r.calibration = min(rows, r.Horizon+(r.origins-1)*max(1, r.Horizon/2))
	r.say("calibration: %s of each series, over its last %d rows", count(r.origins, "forecast"), r.calibration)
}

// lengths returns the number of rows of each series.
func lengths(panel *datasets.Panel) (list []int) {
	for i := range panel.Series {
		list = append(list, panel.Series[i].Len())
	}
	return list
}

// usual returns the number of rows of the series in which the middle one of all rows lies.
func usual(panel *datasets.Panel) int {
	sorted, all := slices.Sorted(slices.Values(lengths(panel))), 0
	for _, n := range sorted {
		all += n
	}
	rows := 0
	for _, n := range sorted {
		if rows += n; 2*rows >= all {
			return n
		}
	}
	return 0
}

// longest returns the number of rows of the longest series.
func longest(panel *datasets.Panel) int { return slices.Max(lengths(panel)) }
