package rnnkit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/anomaly"
	"github.com/rnnkit/rnnkit/internal/baselines"
	"github.com/rnnkit/rnnkit/internal/conformal"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// DetectorOptions are the options of [NewDetector]. A field of value 0 follows from the data,
// by rules that Detector.Rules of the model's metadata lists. The zero value suits most data.
type DetectorOptions struct {
	// Options are the options of all tasks. HeldOut is the share of each series, at its end,
	// that the network does not learn from and that its forecasts are tested on; 0 is 0.3.
	Options

	Season int // observations after which the series repeat; 1 if they do not

	Direction    models.Direction // on which side of the forecast an anomaly lies
	MinDeviation float64          // what lies nearer to its forecast is no anomaly, in units of the column
	MinRelative  float64          // likewise, as a share of the absolute value of the forecast
	Consecutive  int              // observations in a row that must reach the border
	Refractory   int              // observations after an alarm in which there is no other; 0 for 60 with one column

	// Rate is the number of false alarms for each observation, such as 1.0/14400 for one in
	// ten days of minutes; 0 is one in five days, or in 1000 observations if these are more.
	Rate float64
}

// The numbers of the rules.
const (
	detectorHidden   = 16
	detectorSteps    = 32 // of truncated backpropagation
	detectorRate     = 5e-3
	detectorHeldOut  = 0.3
	detectorUpdates  = 800
	detectorEpochs   = 8
	detectorPasses   = 30 // over the rows, at most: more of them teach the noise of few rows
	detectorDecay    = 0.1
	detectorStreams  = 64          // at most
	leastDetectorRow = 64          // rows that a series is learned from, with those that calibrate
	leastScored      = 200         // rows after which the scores of a series calibrate the border
	mostDay          = 24 * 60 * 4 // rows of a day that is taken for a season unseen
	alarmDays        = 5           // about one false alarm in so many days
	alarmRows        = 1000
	alarmHold        = 60 // rows after an alarm in which there is no other
)

// Validate returns a *models.FieldError for the first field that fits no data.
func (o DetectorOptions) Validate() error {
	switch {
	case o.HeldOut < 0 || !(o.HeldOut < 1):
		return &models.FieldError{Field: "HeldOut", Value: o.HeldOut, Want: "more than 0 and less than 1, or 0 for what follows"}
	case o.Rate < 0 || !(o.Rate < 1):
		return &models.FieldError{Field: "Rate", Value: o.Rate, Want: "between 0 and 1, or 0 for what follows"}
	}
	d := o.detection()
	d.Columns, d.Border, d.Rate = []string{"value"}, 1, 0.5
	return d.Validate()
}

// detection returns the settings of a detector that are options.
func (o DetectorOptions) detection() models.Detection {
	return models.Detection{
		Season: o.Season, Direction: o.Direction, MinDeviation: o.MinDeviation, MinRelative: o.MinRelative,
		Consecutive: o.Consecutive, Refractory: o.Refractory, Rate: o.Rate,
	}
}

// NewDetector returns the job of training a detector of anomalies in the series of a panel.
// The targets of a series are watched together. Missing values are no anomalies.
//
// The job trains a network that forecasts the next observation, on the first part of each
// series. The scores of all observations, each as if it was the newest, then calibrate the
// border to a rate of false alarms. The series need not be free of anomalies, but many of
// them raise the border. docs/detect.md has the formulas of the score, and
// [infer.NewDetector] runs the file.
//
// The error is a *models.FieldError if an option does not fit the panel, or the panel is
// none. It wraps a [datasets.ErrTooShort] if the series are too short.
func NewDetector(panel *datasets.Panel, o DetectorOptions) (*Job, error) {
	if panel == nil {
		return nil, &models.FieldError{Field: "panel", Value: nil, Want: "a panel of series"}
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := models.InField("panel", panel.Check()); err != nil {
		return nil, err
	}
	if n := longest(panel); n < leastDetectorRow {
		return nil, fmt.Errorf("the series are %w: the longest has %d rows, and a detector learns from %d or more", datasets.ErrTooShort, n, leastDetectorRow)
	}
	d := &detector{DetectorOptions: o, panel: panel}
	d.settle()
	return d.job()
}

// detector is the training of a detector.
type detector struct {
	DetectorOptions // as settle completes them
	panel           *datasets.Panel
	said            []string
	spreads         []models.Spread // of the columns, if there are several
	calibration     calibration
}

// say adds a rule: what was chosen and why.
func (d *detector) say(format string, args ...any) {
	d.said = append(d.said, fmt.Sprintf(format, args...))
}

// settle sets the options that follow from the data.
func (d *detector) settle() {
	d.HeldOut = cmp.Or(d.HeldOut, detectorHeldOut)
	d.settleSeason()
	if len(d.panel.Targets) > 1 {
		d.settleColumns()
	} else {
		d.Refractory = cmp.Or(d.Refractory, alarmHold)
	}
	if d.Rate == 0 {
		d.Rate = 1 / math.Max(alarmRows, alarmDays*stepsOfDay(d.panel.Frequency))
		d.say("about %s", FalseAlarms(d.Rate, d.panel.Frequency))
	}
}

// settleSeason takes the longest season that the series show.
func (d *detector) settleSeason() {
	if d.Season > 0 {
		d.say("season %d: as given", d.Season)
		return
	}
	d.Season = slices.Max(append(d.panel.Seasons(), 1))
	switch day := stepsOfDay(d.panel.Frequency); {
	case float64(d.Season) >= max(2, day):
		d.say("season %d: the series repeat after so many rows", d.Season)
	case day >= 2 && day <= mostDay && day == math.Trunc(day):
		d.Season = int(day)
		d.say("season %d: a day, which most metrics of services follow", d.Season)
	default:
		d.say("no season: the series do not repeat")
	}
}

// stepsOfDay returns how many steps a day has, or 0 if that is not known.
func stepsOfDay(f models.Frequency) float64 {
	if seconds := f.Seconds(); seconds > 0 {
		return 86400 / seconds
	}
	return 0
}

// job returns the job of d.
func (d *detector) job() (*Job, error) {
	columns := d.columns()
	o := StepForecasterOptions{Options: d.Options, Window: detectorSteps, Horizon: 1, Target: anomaly.Inputs[0], TBPTT: detectorSteps}
	o.HeldOut, o.StateInput = 0, true
	o.Spec.Cell, o.Spec.Layers, o.Spec.Readout = cmp.Or(o.Spec.Cell, models.GRU), cmp.Or(o.Spec.Layers, 1), models.ReadLast
	o.Spec.Hidden = cmp.Or(o.Spec.Hidden, detectorHidden)
	passes := d.settleFit(&o.Fit, len(columns[0].Values))
	if o.Start != nil {
		start := *o.Start
		start.Task, start.Detector = models.Forecast, nil
		o.Start = &start
	}
	j, err := NewStepForecaster(columns, o)
	if err != nil {
		return nil, err
	}
	detection := d.detection()
	p := d.panel
	detection.Columns, detection.Time, detection.Zone, detection.Series = p.Targets, p.Roles.Time, p.Roles.Zone, p.Roles.Series
	detection.Spreads = d.spreads
	detection.Frequency, detection.Border, detection.Rules = p.Frequency.String(), 1, d.said
	j.Model.Task, j.Model.Detector = models.Detect, &detection
	j.TrainData = &repeated{j.TrainData, passes}
	j.detector, j.summary = d, func() (string, error) { return d.summary(&j.Model.Metadata), nil }
	return j, j.Model.Validate()
}

// settleFit chooses the length of a training on so many rows. It returns how many passes
// over the rows an epoch has: of few rows, many.
func (d *detector) settleFit(fit *trainer.Options, rows int) (passes int) {
	fit.Batch = cmp.Or(fit.Batch, max(1, min(detectorStreams, rows/(4*detectorSteps))))
	if fit.Optimizer.Method == "" {
		fit.Optimizer = trainer.Optimizer{Method: trainer.AdamW, WeightDecay: detectorDecay}
	}
	fit.LearningRate, fit.ClipNorm = cmp.Or(fit.LearningRate, detectorRate), cmp.Or(fit.ClipNorm, 1)
	if fit.Loss == nil {
		fit.Loss = trainer.MAE()
	}
	if fit.Schedule.Shape == "" {
		fit.Schedule = trainer.Schedule{Shape: trainer.Cosine, Warmup: 20}
	}
	if fit.Epochs > 0 {
		return 1
	}
	updates := max(1, rows/fit.Batch/detectorSteps) // of a pass
	passes = min(detectorPasses, (detectorUpdates+updates-1)/updates)
	fit.Epochs = min(passes, detectorEpochs)
	return (passes + fit.Epochs - 1) / fit.Epochs
}

// repeated is a source whose examples come several times.
type repeated struct {
	datasets.Source
	times int
}

func (r *repeated) Len() int { return r.times * r.Source.Len() }

func (r *repeated) Read(b *datasets.Batch, examples []int) error {
	once := make([]int, len(examples))
	for i, e := range examples {
		once[i] = e % r.Source.Len()
	}
	return r.Source.Read(b, once)
}

// columns returns what the network learns from: all columns of all series, one after the
// other, as it reads them.
func (d *detector) columns() []datasets.Column {
	list := make([]datasets.Column, len(anomaly.Inputs))
	for i, name := range anomaly.Inputs {
		list[i].Name = name
	}
	for i := range d.panel.Series {
		s := &d.panel.Series[i]
		for _, values := range s.Targets {
			d.appendInputs(list, values[:d.trained(s)])
		}
	}
	return list
}

// trained returns how many rows of a series the network learns from.
func (d *detector) trained(s *datasets.PanelSeries) int {
	return int(float64(s.Len()) * (1 - d.HeldOut))
}

// appendInputs appends what the network reads of a column.
func (d *detector) appendInputs(list []datasets.Column, values []float64) {
	c, inputs := anomaly.NewColumn(d.Season), make([]float32, len(anomaly.Inputs))
	for i, v := range values {
		if phase := i % d.Season; math.IsNaN(v) {
			c.Fill(c.Base)
		} else {
			c.Advance(v, phase)
		}
		c.Read(inputs, (i+1)%d.Season)
		for k, x := range inputs {
			list[k].Values = append(list[k].Values, float64(x))
		}
	}
}

// calibration has the scores and errors of rows that the network did not learn from.
type calibration struct {
	scores    []float64 // with a border of 1
	off       []float64 // absolute errors of the forecast
	repeating []float64 // and of the last value
}

// calibrate sets the border of a trained model. A row is an alarm where the last
// Consecutive scores have reached the border: where the least of them has.
func (d *detector) calibrate(ctx context.Context, m *models.Model) error {
	watched := *m.Detector
	d.calibration = calibration{}
	m.Detector.Border, m.Detector.Consecutive, m.Detector.Refractory = 1, 0, 0
	err := d.observe(ctx, m)
	c := &d.calibration
	watched.Border, watched.Calibrated = conformal.Border(c.scores, d.Rate, -math.Log10(d.Rate)), len(c.scores)
	if len(watched.Columns) > 1 {
		watched.Border = borderTogether(c.scores, d.Rate)
	}
	m.Detector = &watched
	return err
}

// observe runs the detector over all series and keeps the scores of the last rows.
func (d *detector) observe(ctx context.Context, m *models.Model) error {
	file, err := export.Marshal(m)
	if err != nil {
		return err
	}
	opened, err := infer.OpenBytes(file)
	if err != nil {
		return err
	}
	defer opened.Close()
	live, err := infer.NewDetector(opened)
	if err != nil {
		return err
	}
	for i := range d.panel.Series {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := d.observeSeries(live, i); err != nil {
			return err
		}
	}
	return nil
}

// observeSeries runs the detector over a series.
func (d *detector) observeSeries(live *infer.Detector, i int) error {
	s, state := &d.panel.Series[i], live.NewState()
	row, last := make([]float64, len(s.Targets)), make([]float64, max(1, min(d.Consecutive, s.Len())))
	for at := range s.Len() {
		for k, values := range s.Targets {
			row[k] = values[at]
		}
		r, err := live.Observe(state, d.panel.Time(i, at), row)
		if err != nil {
			return err
		}
		if last[at%len(last)] = r.Score; at >= d.scored(s) {
			d.calibration.addScore(s, at, slices.Min(last))
		}
		if at >= d.trained(s) {
			d.calibration.addErrors(s, at, r)
		}
	}
	return nil
}

// scored returns the row of a series from which on its scores calibrate the border: from
// there on all of them tell something.
func (d *detector) scored(s *datasets.PanelSeries) int {
	return min(d.trained(s), max(leastScored, d.Season*3/2))
}

// addScore adds the score of a row, unless all its values are missing.
func (c *calibration) addScore(s *datasets.PanelSeries, at int, score float64) {
	for _, values := range s.Targets {
		if !math.IsNaN(values[at]) {
			c.scores = append(c.scores, score)
			return
		}
	}
}

// addErrors adds the absolute errors of the forecast of a row, and of the row before it.
func (c *calibration) addErrors(s *datasets.PanelSeries, at int, r infer.Reading) {
	for k, values := range s.Targets {
		off := math.Abs(values[at] - r.Forecast[k])
		if at > 0 && !math.IsNaN(off) && !math.IsNaN(values[at-1]) {
			c.off = append(c.off, off)
			c.repeating = append(c.repeating, math.Abs(values[at]-values[at-1]))
		}
	}
}

// summary says in words what a trained detector does.
func (d *detector) summary(m *models.Metadata) string {
	c := &d.calibration
	off, _ := moments(c.off)
	repeating, _ := moments(c.repeating)
	robust := ""
	if e := d.robustError(); !math.IsNaN(e) {
		robust = fmt.Sprintf(" and the median of a robust seasonal z-score by %.4g", e)
	}
	return fmt.Sprintf("about %s; the forecast of the next observation is off by %.4g, where repeating the last is off by %.4g%s (mean absolute, over the last %d rows)",
		FalseAlarms(m.Detector.Rate, d.panel.Frequency), off, repeating, robust, len(c.off))
}

// comparedRows is after how many rows no further series is compared with the z-score.
const comparedRows = 100_000

// robustError returns the mean absolute error of what a robust seasonal z-score expects, on
// the rows that the network did not learn from, NaN where it knows too little of all.
func (d *detector) robustError() float64 {
	sum, n, rows := 0.0, 0.0, 0
	for i := 0; i < len(d.panel.Series) && rows < comparedRows; i++ {
		s := &d.panel.Series[i]
		rows += s.Len()
		for _, values := range s.Targets {
			scores, scales := baselines.RobustZ(values, d.Season)
			for at := d.trained(s); at < s.Len(); at++ {
				if off := scores[at] * scales[at]; !math.IsNaN(off) {
					sum, n = sum+off, n+1
				}
			}
		}
	}
	return sum / n
}

// FalseAlarms says in words how often a detector of that rate has a false alarm, at steps of
// the given frequency.
func FalseAlarms(rate float64, f models.Frequency) string {
	if f.Count == 0 {
		return fmt.Sprintf("1 false alarm in %.0f rows", 1/rate)
	}
	seconds := f.Seconds() / rate
	for _, unit := range []struct {
		seconds float64
		name    string
	}{{365 * 86400, "years"}, {86400, "days"}, {3600, "hours"}, {60, "minutes"}} {
		if n := seconds / unit.seconds; n >= 2 {
			return fmt.Sprintf("1 false alarm in %.3g %s, at steps of %s", n, unit.name, f.Span(1))
		}
	}
	return fmt.Sprintf("1 false alarm in %.3g seconds, at steps of %s", seconds, f.Span(1))
}
