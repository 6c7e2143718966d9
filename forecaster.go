package rnnkit

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// ForecasterOptions say how [NewForecaster] trains. A field of value 0 stands for what
// follows from the data, by rules that are told in Forecast.Rules of the model's metadata.
// The same holds for the Cell, Hidden, Embedding and Layers of Spec, and for the
// Optimizer, LearningRate, Schedule, ClipNorm and Batch of Fit. [DefaultForecasterOptions]
// returns what most programs begin with.
type ForecasterOptions struct {
	// Options are the options of all tasks, as far as a direct forecaster has them. It has
	// no StateInput and no HeldOut: it is tested on the last rows of each series before it
	// learns from all of them.
	Options

	Horizon int // steps ahead that the model answers for at once
	Window  int // steps that it looks back, a multiple of Segment
	Segment int // steps that its recurrent layers read as one
	Season  int // steps after which the series repeat; 1 if they do not

	Linear int           // linear maps from the window to the horizon, which the network mixes
	Log    Switch        // whether the model reads the logarithm of the targets
	Center models.Center // what each window is normalized around

	// Mixture says whether the model mixes the answers of a second ensemble with those of
	// the first. Where all values are more than 0 and Log is left open, one reads the values
	// and the other their logarithms. Else the second has no linear maps, and how much of it
	// is mixed in is chosen on the rows that are held back.
	Mixture Switch

	Updates  int // of the parameters, of each member of an ensemble
	Ensemble int // members of an ensemble, which answers their median
	Trials   int // settings to try before, on rows that then calibrate nothing; 0 for none

	// Levels are the shares of values that the intervals hold, such as 0.8 and 0.95.
	// Without any there are no intervals.
	Levels []float64

	// No answer is less than Min, or more than Max. A Max of nil is no bound. A Min of nil
	// is 0 where no value is negative, else no bound; one of -Inf is no bound for any data.
	Min, Max *float64
	Integer  bool // answers are rounded to whole numbers

	// Missing says what is done about missing values of the targets. Empty is what the
	// panel says, or models.MissingMask.
	Missing models.Missing

	// Calendar lists features of the times that the model reads beside the covariates, of
	// models.CalendarColumns. Nil follows from the frequency of the panel; an empty list
	// is none.
	Calendar []string
}

// Switch is an option that is on or off, or follows from the data.
type Switch string

// The settings of a Switch.
const (
	Auto Switch = "" // as the data ask for
	On   Switch = "on"
	Off  Switch = "off"
)

// DefaultForecasterOptions returns options that follow from the data, with intervals that
// hold 80% and 95% of the values.
func DefaultForecasterOptions() ForecasterOptions {
	return ForecasterOptions{Levels: []float64{0.8, 0.95}}
}

// Validate returns a *models.FieldError for the first field that fits no data.
// [NewForecaster] calls it before it looks at the data.
func (o ForecasterOptions) Validate() error {
	if err := atLeast(0, field{"Horizon", o.Horizon}, field{"Window", o.Window}, field{"Segment", o.Segment}, field{"Season", o.Season},
		field{"Updates", o.Updates}, field{"Ensemble", o.Ensemble}, field{"Trials", o.Trials}); err != nil {
		return err
	}
	switch {
	case o.Segment > 0 && o.Window%o.Segment != 0:
		return &models.FieldError{Field: "Window", Value: o.Window, Want: fmt.Sprintf("a multiple of the Segment, %d", o.Segment)}
	case o.Linear < 0 || o.Linear > len(structures):
		return &models.FieldError{Field: "Linear", Value: o.Linear, Want: fmt.Sprintf("from 1 to %d, or 0 for what follows", len(structures))}
	case o.Ensemble > maxEnsemble:
		return &models.FieldError{Field: "Ensemble", Value: o.Ensemble, Want: fmt.Sprintf("%d or less", maxEnsemble)}
	case !slices.Contains([]Switch{Auto, On, Off}, o.Log):
		return &models.FieldError{Field: "Log", Value: string(o.Log), Want: "on, off or empty"}
	case !slices.Contains([]Switch{Auto, On, Off}, o.Mixture):
		return &models.FieldError{Field: "Mixture", Value: string(o.Mixture), Want: "on, off or empty"}
	case o.Min != nil && o.Max != nil && !(*o.Min < *o.Max):
		return &models.FieldError{Field: "Min", Value: *o.Min, Want: fmt.Sprintf("less than the Max, %g", *o.Max)}
	case o.Missing != "" && !slices.Contains([]models.Missing{models.MissingMask, models.MissingRefuse, models.MissingInterpolate}, o.Missing):
		return &models.FieldError{Field: "Missing", Value: o.Missing, Want: "mask, refuse or interpolate"}
	}
	if err := o.validateNumbers(); err != nil {
		return err
	}
	if _, err := models.CalendarColumns(o.Calendar...); err != nil {
		return err
	}
	if err := o.validateOthers(); err != nil {
		return err
	}
	return o.validateModel()
}

// maxEnsemble limits an ensemble that a mistyped number asks for.
const maxEnsemble = 100

// validateNumbers checks the levels and the bounds.
func (o ForecasterOptions) validateNumbers() error {
	for i, level := range o.Levels {
		if !(level > 0 && level < 1) || slices.Contains(o.Levels[:i], level) {
			return &models.FieldError{Field: fmt.Sprintf("Levels[%d]", i), Value: level, Want: "between 0 and 1, such as 0.8, and no other"}
		}
	}
	for _, bound := range []struct {
		name  string
		value *float64
	}{{"Min", o.Min}, {"Max", o.Max}} {
		if v := bound.value; v != nil && !(bound.name == "Min" && math.IsInf(*v, -1)) && (math.IsNaN(*v) || math.IsInf(float64(float32(*v)), 0)) {
			return &models.FieldError{Field: bound.name, Value: *v, Want: "finite as a float32"}
		}
	}
	return nil
}

// validateOthers refuses options of other tasks, and those that follow from others.
func (o ForecasterOptions) validateOthers() error {
	switch {
	case o.Fit.Stateful:
		return &models.FieldError{Field: "Fit.Stateful", Value: true, Want: "false: a direct forecaster has no state"}
	case o.Fit.Validation != nil:
		return &models.FieldError{Field: "Fit.Validation", Value: "set", Want: "nil: the last rows of the series validate"}
	case o.Fit.DataDigest != "":
		return &models.FieldError{Field: "Fit.DataDigest", Value: o.Fit.DataDigest, Want: "empty: it follows from the data"}
	case o.StateInput:
		return &models.FieldError{Field: "StateInput", Value: true, Want: "false: a direct forecaster has no state, NewStepForecaster makes one that has"}
	case o.HeldOut != 0:
		return &models.FieldError{Field: "HeldOut", Value: o.HeldOut, Want: "0: a direct forecaster is tested on the last rows before it learns from all"}
	case o.Fit.Loss != nil:
		return &models.FieldError{Field: "Fit.Loss", Value: o.Fit.Loss.Name(), Want: "nil: a direct forecaster learns its quantiles"}
	case o.Fit.Epochs != 0:
		return &models.FieldError{Field: "Fit.Epochs", Value: o.Fit.Epochs, Want: "0: the training is as long as the Updates say"}
	case o.Fit.Patience != 0:
		return &models.FieldError{Field: "Fit.Patience", Value: o.Fit.Patience, Want: "0: the training is as long as the Updates say"}
	case o.Fit.Schedule.Shape == trainer.Plateau:
		return &models.FieldError{Field: "Fit.Schedule.Shape", Value: o.Fit.Schedule.Shape, Want: "another: a direct forecaster has no epochs"}
	case o.Fit.NoShuffle:
		return &models.FieldError{Field: "Fit.NoShuffle", Value: true, Want: "false: the windows of a direct forecaster are drawn"}
	case o.Trials == 1:
		return &models.FieldError{Field: "Trials", Value: o.Trials, Want: "0 for none, or at least 2 to choose from"}
	case o.Trials > 0 && o.Start != nil:
		return &models.FieldError{Field: "Trials", Value: o.Trials, Want: "0, as the model keeps the sizes of Start"}
	}
	return nil
}

// validateModel checks what the user has said of the model and of the training.
func (o ForecasterOptions) validateModel() error {
	smallest := ForecasterOptions{Options: o.Options, Horizon: 1, Window: 1, Segment: 1, Levels: o.Levels, Center: o.Center}
	smallest.useStandards()
	spec := smallest.direct(roles{targets: 1})
	if err := spec.Validate(); err != nil {
		return inOptions(err)
	}
	fit := smallest.Fit
	fit.Epochs = 1
	if err := models.InField("Fit", fit.Validate(spec)); err != nil {
		return err
	}
	_, err := o.initializers(spec, 0)
	return err
}

// inOptions returns the error of a Spec as one of the options that it follows from.
func inOptions(err error) error {
	var field *models.FieldError
	if !errors.As(err, &field) || !strings.HasPrefix(field.Field, "Direct.") {
		return models.InField("Spec", err)
	}
	option := *field
	option.Field = strings.TrimPrefix(field.Field, "Direct.")
	return &option
}

// NewForecaster returns the job of forecasting the next values of the series of a panel:
// of every series the targets, each with the same model. The model reads a window at once
// and answers for the whole horizon, with intervals: see models.Direct. It suits whatever
// comes in rows, and is the one to begin with. A stream that has no end, in which each
// value is to be answered at once and a state is kept, is for [NewStepForecaster].
//
// Where the series are too short for a horizon of one season, and Horizon is 0, it is the
// longest that they are long enough for.
//
// The panel is not changed, and must not be while the job trains. The job's metadata have
// what was chosen for the data and why, in Forecast.Rules.
//
// The error is a *models.FieldError if an option does not fit the panel, or the panel is
// none. It wraps a [datasets.ErrTooShort] if no series is long enough to learn from.
func NewForecaster(panel *datasets.Panel, o ForecasterOptions) (*Job, error) {
	if panel == nil {
		return nil, &models.FieldError{Field: "panel", Value: nil, Want: "a panel of series"}
	}
	if err := o.useStart(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := models.InField("panel", panel.Check()); err != nil {
		return nil, err
	}
	if err := checkPrecision(panel); err != nil {
		return nil, err
	}
	f, err := newForecaster(panel, o)
	if err != nil {
		return nil, err
	}
	if f, err = f.shortened(); err != nil {
		return nil, err
	}
	return f.job()
}

// forecaster is what trains a direct forecaster.
type forecaster struct {
	ForecasterOptions // with all that follows from the data
	given             given
	panel             *datasets.Panel // with the calendar
	meta              models.Metadata
	mixLogs           bool              // the mixture is of values and of their logarithms
	structural        bool              // the mixture is of structural models besides
	calibration       int               // rows at the end of the series that the first fit does not see
	origins           int               // of each series in these rows, from which it forecasts
	weighed           string            // what was chosen of a mixture, in words
	calibrated        int               // forecasts that calibrate
	calibratedHeads   map[int][]float32 // of structural models by the number of their ensemble: the quantiles that were calibrated
	halved            bool              // the intervals of test are those that other forecasts ask for
	test              *BacktestResult   // on these rows; nil before, or without calibration
}

// given is what a forecaster was made of.
type given struct {
	panel   *datasets.Panel
	options ForecasterOptions
}

// newForecaster settles what the options leave open.
func newForecaster(panel *datasets.Panel, o ForecasterOptions) (*forecaster, error) {
	from := given{panel, o}
	panel, err := o.clean(panel)
	if err != nil {
		return nil, err
	}
	if err := o.checkBounds(panel); err != nil {
		return nil, err
	}
	r := newRules(panel, &o)
	if err := r.settle(); err != nil {
		return nil, err
	}
	if panel, err = withCalendar(panel, o.Horizon, o.Calendar); err != nil {
		return nil, err
	}
	if o.Start != nil {
		if err := checkRoles(panel, o.Start.Forecast); err != nil {
			return nil, err
		}
	}
	f := &forecaster{ForecasterOptions: o, given: from, panel: panel, mixLogs: r.mixLogs, structural: r.structural, calibration: r.calibration, origins: r.origins}
	f.describe(r.said)
	return f, nil
}

// useStart takes what follows from Start, if there is one. It refuses an option that was
// set to something else.
func (o *ForecasterOptions) useStart() error {
	if err := o.Options.useStart(models.Forecast); err != nil || o.Start == nil {
		return err
	}
	d, f := o.Start.Spec.Direct, o.Start.Forecast
	if d == nil {
		return &models.FieldError{Field: "Start.Spec.Direct", Value: nil, Want: "set: NewStepForecaster goes on from a model that reads step by step"}
	}
	o.Center, o.Linear, o.Calendar, o.Log = d.Center, d.Linear, f.Calendar, Off
	if o.Start.LogFloor() > 0 {
		o.Log = On
	}
	mixture := Off
	if len(o.Start.Mixture) > 0 {
		mixture = On
	}
	o.Levels = d.Levels()
	switch {
	case o.Min != nil:
	case f.Min == nil:
		o.Min = new(math.Inf(-1))
	case *f.Min != 0: // that follows from the data
		o.Min = f.Min
	}
	if o.Max == nil {
		o.Max = f.Max
	}
	o.Integer = o.Integer || f.Integer
	return cmp.Or(
		keepStart("Window", &o.Window, d.Window, 0),
		keepStart("Horizon", &o.Horizon, d.Horizon, 0),
		keepStart("Segment", &o.Segment, d.Segment, 0),
		keepStart("Mixture", &o.Mixture, mixture, Auto),
		keepStart("Season", &o.Season, f.Season, 0),
		keepStart("Ensemble", &o.Ensemble, 1+len(o.Start.Ensemble), 0),
	)
}

// checkPrecision refuses targets whose differences float32 would round away.
func checkPrecision(panel *datasets.Panel) error {
	for i, s := range panel.Series {
		for t, values := range s.Targets {
			if err := precise(fmt.Sprintf("panel.Series[%d].Targets[%d]", i, t), values); err != nil {
				return err
			}
		}
	}
	return nil
}

// clean returns the panel without the missing values that the options do not allow.
func (o *ForecasterOptions) clean(panel *datasets.Panel) (*datasets.Panel, error) {
	o.Missing = cmp.Or(o.Missing, panel.Missing, models.MissingMask)
	switch o.Missing {
	case models.MissingRefuse:
		return panel, refuseMissing(panel)
	case models.MissingInterpolate:
		return interpolate(panel), nil
	}
	return panel, nil
}

// refuseMissing returns an error for the first missing value of a target.
func refuseMissing(panel *datasets.Panel) error {
	for i, s := range panel.Series {
		for t, values := range s.Targets {
			if row := slices.IndexFunc(values, math.IsNaN); row >= 0 {
				return &models.FieldError{
					Field: fmt.Sprintf("panel.Series[%d].Targets[%d][%d]", i, t, row), Value: values[row],
					Want: "a number, or Missing another than refuse: mask tells the model which values are missing, interpolate fills them in",
				}
			}
		}
	}
	return nil
}

// interpolate returns the panel with the missing values of the targets on a straight line
// between their neighbours. Those before the first value and after the last stay.
func interpolate(panel *datasets.Panel) *datasets.Panel {
	filled := *panel
	filled.Series = slices.Clone(panel.Series)
	for i := range filled.Series {
		s := &filled.Series[i]
		s.Targets = slices.Clone(s.Targets)
		for t, values := range s.Targets {
			s.Targets[t] = interpolated(values)
		}
	}
	return &filled
}

func interpolated(values []float64) []float64 {
	filled, last := slices.Clone(values), -1
	for i, v := range filled {
		if math.IsNaN(v) {
			continue
		}
		for k := last + 1; k < i && last >= 0; k++ {
			filled[k] = filled[last] + (v-filled[last])*float64(k-last)/float64(i-last)
		}
		last = i
	}
	return filled
}

// checkBounds refuses bounds between which no value of the targets lies.
func (o *ForecasterOptions) checkBounds(panel *datasets.Panel) error {
	least, most := math.Inf(1), math.Inf(-1)
	anyTarget(panel, func(v float64) bool {
		if v == v {
			least, most = min(least, v), max(most, v)
		}
		return false
	})
	switch {
	case o.Min != nil && *o.Min > most:
		return &models.FieldError{Field: "Min", Value: *o.Min, Want: fmt.Sprintf("%g, the largest value, or less", most)}
	case o.Max != nil && *o.Max < least:
		return &models.FieldError{Field: "Max", Value: *o.Max, Want: fmt.Sprintf("%g, the least value, or more", least)}
	}
	return nil
}

// roles are the numbers of columns of a panel.
type roles struct {
	targets, past, future, static int
	categories                    []models.Category
}

// rolesOf counts the columns of a panel and the values of its categories.
func rolesOf(panel *datasets.Panel, values []models.CategoryValues) roles {
	r := roles{targets: len(panel.Targets), past: len(panel.Past), future: len(panel.Future), static: len(panel.Static)}
	for _, c := range values {
		size := len(c.Values) + 1 // and all others
		r.categories = append(r.categories, models.Category{Size: size, Embedding: min(maxCategoryEmbedding, (size+1)/2)})
	}
	return r
}

// direct returns the Spec of settled options for a panel.
func (o *ForecasterOptions) direct(r roles) models.Spec {
	s := o.Spec
	s.Direct = &models.Direct{
		Window: o.Window, Horizon: o.Horizon, Segment: o.Segment,
		Targets: r.targets, Past: r.past, Future: r.future, Static: r.static, Categories: r.categories,
		Center: o.Center, Linear: o.Linear, Quantiles: quantiles(o.Levels),
	}
	if s.Features = s.Direct.Columns(); s.Readout == "" {
		s.Readout = models.ReadLast
		if r.future > 0 {
			s.Readout = models.ReadAll
		}
	}
	steps := o.Horizon
	if s.Readout == models.ReadAll {
		steps = o.Segment
	}
	s.Outputs = steps * len(s.Direct.Quantiles)
	return s
}

// quantiles returns the ends of the intervals of the given levels, and the median.
func quantiles(levels []float64) []float64 {
	list := []float64{0.5}
	for _, level := range levels {
		list = append(list, (1-level)/2, (1+level)/2)
	}
	slices.Sort(list)
	for i, q := range list {
		list[i] = math.Round(q*1e9) / 1e9 // 0.95 gives 0.025
	}
	return list
}

// withCalendar returns the panel with features of a calendar, for so many rows after the
// last too, unless it has some already.
func withCalendar(panel *datasets.Panel, ahead int, features []string) (*datasets.Panel, error) {
	if len(features) == 0 || len(panel.Roles.Calendar) > 0 {
		return panel, nil
	}
	added := *panel
	added.Series = slices.Clone(panel.Series)
	return &added, added.AddCalendar(ahead, features...)
}

// describe sets the metadata.
func (f *forecaster) describe(said []string) {
	p := f.panel
	values := p.CategoryValues()
	if f.Start != nil {
		values = f.Start.Forecast.Categories
	}
	f.Spec = f.direct(rolesOf(p, values))
	if f.Log == On {
		f.Spec.Direct.Log = logFloor(p)
	}
	forecast := &models.Forecasting{
		Targets: p.Targets, Past: p.Past, Future: p.Future, Calendar: p.Calendar, Static: p.Static, Categories: values,
		Time: p.Roles.Time, Series: p.Roles.Series, Wide: p.Wide, Frequency: p.Frequency.String(), Season: f.Season,
		Min: f.Min, Max: f.Max, Integer: f.Integer, Missing: f.Missing, Rules: said,
	}
	forecast.PastScale, forecast.FutureScale, forecast.StaticScale = p.CovariateScales()
	keepFlags(forecast.PastScale, p.Series, func(s *datasets.PanelSeries) [][]float64 { return s.Past })
	keepFlags(forecast.FutureScale, p.Series, func(s *datasets.PanelSeries) [][]float64 { return s.Future })
	mixture := f.mixture()
	if f.Start != nil {
		f.Spec, mixture = f.Start.Spec, f.Start.Mixture
		start := f.Start.Forecast
		forecast.PastScale, forecast.FutureScale, forecast.StaticScale = start.PastScale, start.FutureScale, start.StaticScale
	}
	f.meta = models.Metadata{
		Task: models.Forecast, Spec: f.Spec, Window: f.Window, Horizon: f.Horizon,
		Columns: slices.Concat(p.Targets, p.Past, p.Future), Forecast: forecast, Mixture: mixture,
	}
}

// mixture returns what is mixed with the first ensemble: one that reads logarithms, or one
// without linear maps, of which calibrate chooses how much.
func (f *forecaster) mixture() []models.Component {
	if f.Mixture != On {
		return nil
	}
	other, direct := f.Spec, *f.Spec.Direct
	other.Direct = &direct
	if f.structural {
		return f.structuralModels()
	}
	if f.mixLogs {
		direct.Log = logFloor(f.panel)
		return []models.Component{{Spec: other, Weight: 0.5}}
	}
	direct.Linear = 0
	other.Hidden, other.Dropout = 2*f.Spec.Hidden, mixedDropout
	return []models.Component{{Spec: other, Weight: mixedWeights[len(mixedWeights)/2]}}
}

// structuralModels returns one that reads the values, and one that reads logarithms if the
// first ensemble does.
func (f *forecaster) structuralModels() []models.Component {
	if f.Log != On {
		return []models.Component{{Spec: structuralSpec(f.Spec, 0), Weight: structuralWeight}}
	}
	return []models.Component{
		{Spec: structuralSpec(f.Spec, 0), Weight: structuralWeight / 2},
		{Spec: structuralSpec(f.Spec, f.Spec.Direct.Log), Weight: structuralWeight / 2},
	}
}

// keepFlags leaves columns as they are that have no values but 0 and 1: a flag that is
// rarely set would become a large number.
func keepFlags(scale *models.Scale, series []datasets.PanelSeries, columns func(*datasets.PanelSeries) [][]float64) {
	if scale == nil {
		return
	}
	for c := range scale.Mean {
		if isFlag(series, func(s *datasets.PanelSeries) []float64 { return columns(s)[c] }) {
			scale.Mean[c], scale.Std[c] = 0, 1
		}
	}
}

// isFlag reports whether a column has no values but 0 and 1, or missing ones.
func isFlag(series []datasets.PanelSeries, column func(*datasets.PanelSeries) []float64) bool {
	for i := range series {
		if slices.ContainsFunc(column(&series[i]), func(v float64) bool { return v != 0 && v != 1 && !math.IsNaN(v) }) {
			return false
		}
	}
	return true
}

// logFloor returns the smallest value to take a logarithm of: a tenth of the smallest one
// that the targets have, so that smaller ones may come. Where some are 0, it is the smallest
// above 0.
func logFloor(panel *datasets.Panel) float64 {
	floor, zeros := math.Inf(1), false
	eachTarget(panel, func(values []float64) {
		for _, v := range values {
			if v > 0 {
				floor = min(floor, v)
			}
			zeros = zeros || v <= 0
		}
	})
	switch {
	case math.IsInf(floor, 1):
		return 1
	case zeros || float32(floor/10) == 0:
		return floor
	}
	return floor / 10
}

// eachTarget calls do for the values of each target of each series.
func eachTarget(panel *datasets.Panel, do func(values []float64)) {
	for i := range panel.Series {
		for _, values := range panel.Series[i].Targets {
			do(values)
		}
	}
}

// job returns the job of f.
func (f *forecaster) job() (*Job, error) {
	train, err := f.enoughWindows()
	if err != nil {
		return nil, err
	}
	j, err := newJob(f.Options, f.meta, examples{train: train, test: &datasets.Sequences{}, data: panelBytes(f.panel)})
	if err != nil {
		return nil, err
	}
	j.forecaster, j.summary = f, func() (string, error) { return f.summary(), nil }
	return j, nil
}

// enoughWindows returns the windows to learn from, or an error that wraps a
// datasets.ErrTooShort if those are too few.
func (f *forecaster) enoughWindows() (*datasets.PanelWindows, error) {
	train, err := f.windows(f.panel)
	if err == nil && train.Len() < minWindows {
		err = fmt.Errorf("series are %w: they have %d windows, and %d are the least to learn from", datasets.ErrTooShort, train.Len(), minWindows)
	}
	return train, err
}

// shortened returns f, or if the series are too short for a horizon that was left open, a
// forecaster with the longest that they are long enough for.
func (f *forecaster) shortened() (*forecaster, error) {
	_, err := f.enoughWindows()
	if !errors.Is(err, datasets.ErrTooShort) {
		return f, err
	}
	horizon, tested := f.longestHorizon()
	if f.given.options.Horizon > 0 || horizon == 0 {
		return nil, f.tooShort(err, horizon, tested)
	}
	o := f.given.options
	o.Horizon = horizon
	shorter, err := newForecaster(f.given.panel, o)
	if err == nil {
		rules := &shorter.meta.Forecast.Rules
		*rules = slices.Insert(*rules, 1, fmt.Sprintf("horizon %d: the series are too short for %d", horizon, f.Horizon)) // after the season
	}
	return shorter, err
}

// longestHorizon returns the longest horizon that the series are long enough for, 0 if
// there is none, and whether rows are left to test on. It is one with such rows if it can be.
func (f *forecaster) longestHorizon() (horizon int, tested bool) {
	if f.Start != nil {
		return 0, false
	}
	longest := func(tested bool) int {
		return f.Horizon - 1 - sort.Search(f.Horizon-1, func(i int) bool { return f.fits(f.Horizon-1-i, tested) })
	}
	if horizon = longest(true); horizon > 0 {
		return horizon, true
	}
	return longest(false), false
}

// fits reports whether the series are long enough for a horizon, with rows to test on.
func (f *forecaster) fits(horizon int, tested bool) bool {
	o := f.given.options
	o.Horizon = horizon
	g, err := newForecaster(f.given.panel, o)
	if err != nil || tested && g.calibration == 0 {
		return false
	}
	_, err = g.enoughWindows()
	return err == nil
}

// windows returns the windows of a panel to learn from, with two seasons or more.
func (f *forecaster) windows(panel *datasets.Panel) (*datasets.PanelWindows, error) {
	return f.windowsOf(panel, f.historyRows())
}

// windowsOf returns the windows of a panel that have so many rows before the origin. They
// have fewer where there would be too few of them.
func (f *forecaster) windowsOf(panel *datasets.Panel, rows int) (w *datasets.PanelWindows, err error) {
	o := datasets.WindowOptions{
		Window: f.Window, Horizon: f.Horizon,
		Errors: panel.SeasonalErrors(f.Season), Categories: f.meta.Forecast.Categories,
	}
	for o.MinHistory = minHistory(panel, rows); o.MinHistory > 0; o.MinHistory /= 2 {
		if w, err = panel.Windows(o); err == nil && w.Len() >= minWindows || err != nil && !errors.Is(err, datasets.ErrTooShort) {
			break
		}
	}
	return w, err
}

// minHistory returns how many values a window must have: so many, or what is known of so
// many rows where values are missing.
func minHistory(panel *datasets.Panel, n int) int {
	rows, known := 0, 0
	eachTarget(panel, func(values []float64) {
		rows += len(values)
		for _, v := range values {
			if !math.IsNaN(v) {
				known++
			}
		}
	})
	if known < rows {
		n = int(knownShare * float64(n) * float64(known) / float64(rows))
	}
	return max(1, n)
}

// historyRows returns how many rows there must be before an origin.
func (f *forecaster) historyRows() int { return min(f.Window, minHistorySeasons*max(1, f.Season)) }

// tooShort is the error of a panel whose series are too short, but for a shorter horizon
// if that is not 0.
func (f *forecaster) tooShort(err error, horizon int, tested bool) error {
	rows := fmt.Sprintf("the longest has %d rows, which give fewer than %d windows to learn from", longest(f.panel), minWindows)
	if horizon == 0 {
		return fmt.Errorf("series are %w: %s", datasets.ErrTooShort, rows)
	}
	want := fmt.Sprintf("%d or less, or the series longer: %s", horizon, rows)
	if tested {
		want += " and rows to test on"
	}
	return &models.FieldError{Field: "Horizon", Value: f.Horizon, Want: want, Err: err}
}

// panelBytes lists the values of a panel as little-endian float64.
func panelBytes(p *datasets.Panel) (data []byte) {
	for _, s := range p.Series {
		for _, columns := range [][][]float64{s.Targets, s.Past, s.Future, {s.Static}} {
			for _, values := range columns {
				data, _ = binary.Append(data, binary.LittleEndian, values)
			}
		}
		data = fmt.Appendf(data, "%q", s.Categories)
	}
	return data
}
