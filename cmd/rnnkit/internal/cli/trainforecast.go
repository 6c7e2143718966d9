package cli

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tablefile"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/models"
)

// trainForecast is the verb that trains a forecaster: a direct one, or the one that reads
// step by step if a flag that only it has is given.
type trainForecast struct {
	trainFile
	steps  rnnkit.StepForecasterOptions
	direct rnnkit.ForecasterOptions
	told   forecastWords
	flags  *pflag.FlagSet
	why    string // the flag that asks for the model that reads step by step, or ""
}

// forecastWords are what flags say in words.
type forecastWords struct {
	roles                                           datasets.Roles
	series, targets, past, future, static, category string // lists of columns
	calendar                                        string // a list of features, auto or none
	log, mixture                                    string // auto, on or off
	intervals                                       string // a list of percentages, or none
	min, max                                        string // numbers, or ""
	missing                                         string
	window                                          int
}

func newTrainForecastCmd(s *streams) *cobra.Command {
	v := &trainForecast{steps: rnnkit.DefaultStepForecasterOptions(), direct: rnnkit.DefaultForecasterOptions()}
	o := &v.steps
	v.trainOptions = newTrainOptions(trainOptions{
		streams: s, task: models.Forecast, validator: o, fromData: true,
		Options: &o.Options, tbptt: &o.TBPTT, scale: &o.Scale,
	})
	return newTrainVerbCmd(v, v.trainOptions, &cobra.Command{
		Use:   "forecast",
		Short: "Forecast your own table: series, covariates, a whole horizon, intervals",
		Long: `Forecast the series of your own table: CSV, JSON Lines, Parquet or Arrow, with one
row a time. What no flag says follows from the data, by rules that are printed: the
season, how far the model looks back and ahead, its size, the length of the training.

The last rows are held back first: on them the intervals are calibrated, and the model
is compared with simple methods. Then it learns from all rows.

A flag that only the model has that reads step by step, such as --tbptt, --state or
--epochs, trains that one, on one column and one step ahead.`,
		Example: `  rnnkit train forecast --data sunspots.csv -o sunspots.onnx
  rnnkit train forecast --data sales.csv --series store --target units --horizon 28 -o sales.onnx
  rnnkit train forecast --data demand.parquet --time ts --target mw --past wind --future temperature,holiday --horizon 48 -o mw.onnx`,
		Args: dataByFlag,
	})
}

// stepFlags are those that only the model has that reads step by step.
var stepFlags = []string{"tbptt", "state", "readout", "bidirectional", "loss", "quantile", "epochs", "schedule", "warmup", "patience", "scale", "no-shuffle"}

func (v *trainForecast) addFlags(f *pflag.FlagSet) {
	v.flags = f
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(cmp.Or(map[string]string{"column": "target", "seq-len": "window"}[name], name))
	})
	w, r, o := &v.told, &v.told.roles, &v.direct
	f.StringVar(&v.path, "data", "", "the table, - for standard input")
	f.StringVar(&r.Time, "time", "", "the column of times, by name or number (default the first that has times)")
	f.StringVar(&w.series, "series", "", "the columns that tell series apart")
	f.StringVar(&w.targets, "target", "", "the columns to forecast; --column is the same (default the only one of numbers)")
	f.StringVar(&w.past, "past", "", "columns that are known up to the last row")
	f.StringVar(&w.future, "future", "", "columns that are known ahead")
	f.StringVar(&w.static, "static", "", "columns with one number or category a series")
	f.StringVar(&w.category, "category", "", "columns with one category a series, even if it is a number")
	f.StringVar(&w.calendar, "calendar", "auto", "features of the times: minute, hour, dayofweek, dayofmonth, dayofyear, month; or none")
	f.BoolVar(&r.Wide, "wide", false, "each column of numbers, or of --target, is a series of its own")
	f.StringVar(&w.missing, "missing", "", "values: refuse, interpolate or mask, which tells the model (default mask)")
	f.StringVar(&r.TimeFormat, "time-format", "", "how times are written, such as %d/%m/%Y, or unix, unix-ms (default as found)")
	f.StringVar(&r.Zone, "zone", "", "the time zone of times without one, such as Europe/Berlin (default UTC)")
	f.StringVar(&r.Frequency, "frequency", "", "from row to row, such as 15min, 1h, 1d, 1mo (default as found)")
	f.IntVar(&o.Horizon, "horizon", 0, "steps ahead to answer for at once (default one season)")
	f.IntVar(&o.Season, "season", 0, "steps after which the series repeat, 1 for none (default as found)")
	f.IntVar(&w.window, "window", 0, "steps to look back; --seq-len is the same (default from the data)")
	f.IntVar(&o.Segment, "segment", 0, "steps that the recurrent layers read as one (default from the data)")
	f.StringVar(&w.log, "log", "auto", "read logarithms: on, off or auto")
	f.StringVar(&w.mixture, "mixture", "auto", "mix in a second ensemble that differs: on, off or auto")
	f.StringVar(&w.intervals, "intervals", "80,95", "percentages of the values that intervals are to hold, or none")
	f.IntVar(&o.Updates, "updates", 0, "of the parameters, by each member of the ensemble (default from the data)")
	f.IntVar(&o.Ensemble, "ensemble", 0, "members, whose median is the answer (default from the data)")
	f.IntVar(&o.Trials, "trials", 0, "settings to try before, of which the best is taken (default none)")
	f.StringVar(&w.min, "min", "", "no answer is less; none for no bound (default 0 where no value is negative)")
	f.StringVar(&w.max, "max", "", "no answer is more (default no bound)")
	f.BoolVar(&o.Integer, "integer", false, "answer whole numbers")
	v.addScaleFlag(f, "undone inside the graph")
	v.addTrainFlags(f)
}

func (v *trainForecast) validate() error {
	for _, name := range stepFlags {
		if v.flags.Changed(name) && v.why == "" {
			v.why = "--" + name
		}
	}
	if v.why != "" {
		return v.validateSteps()
	}
	if err := v.readDirect(); err != nil {
		return err
	}
	v.validator, v.Options, v.words = &v.direct, &v.direct.Options, trainWords{} // which say nothing of it
	return v.trainFile.validate()
}

// directFlags are those that only a direct forecaster has.
var directFlags = []string{"time", "series", "past", "future", "static", "category", "calendar", "wide", "missing", "time-format", "zone", "frequency",
	"horizon", "season", "segment", "log", "mixture", "intervals", "updates", "ensemble", "trials", "min", "max", "integer"}

// validateSteps is validate for the model that reads step by step.
func (v *trainForecast) validateSteps() error {
	for _, name := range directFlags {
		if v.flags.Changed(name) {
			return usagef("--%s is not for the model that reads step by step, for which %s asks: leave out one of them", name, v.why)
		}
	}
	if v.flags.Changed("window") {
		v.steps.Window = v.told.window
	}
	return v.trainFile.validate()
}

// readDirect sets the options of a direct forecaster from the flags that were given.
func (v *trainForecast) readDirect() error {
	o, w, given := &v.direct, v.told, v.flags.Changed
	var err error
	if v.steps.Init, err = v.words.initList(); err != nil {
		return err
	}
	v.copyGiven()
	o.Window, o.Missing = w.window, models.Missing(w.missing)
	if o.Log, err = switched("log", w.log); err != nil {
		return err
	}
	if o.Mixture, err = switched("mixture", w.mixture); err != nil {
		return err
	}
	if o.Levels, err = w.levels(); err != nil {
		return err
	}
	if w.min == "none" {
		o.Min = new(math.Inf(-1))
	} else if o.Min, err = bound("min", w.min, given("min")); err != nil {
		return err
	}
	if o.Max, err = bound("max", w.max, given("max")); err != nil {
		return err
	}
	if w.calendar != "auto" {
		if o.Calendar, err = listed("calendar", w.calendar); err != nil {
			return err
		}
		if w.calendar == "none" {
			o.Calendar = []string{}
		}
	}
	return v.readRoles()
}

// switched returns what a flag that is on, off or auto says.
func switched(flag, value string) (rnnkit.Switch, error) {
	switch value {
	case "auto":
		return rnnkit.Auto, nil
	case "on", "off":
		return rnnkit.Switch(value), nil
	}
	return rnnkit.Auto, usagef("--%s is %q: it must be on, off or auto", flag, value)
}

// copyGiven takes what flags that both models have say, if they were given.
func (v *trainForecast) copyGiven() {
	to, from, given := &v.direct.Options, &v.steps.Options, v.flags.Changed
	to.Init = from.Init
	to.Fit.Seed, to.Fit.Threads = from.Fit.Seed, from.Fit.Threads
	to.Fit.Checkpoint, to.Fit.CheckpointEvery, to.Fit.Resume = from.Fit.Checkpoint, from.Fit.CheckpointEvery, from.Fit.Resume
	for name, take := range map[string]func(){
		"cell":         func() { to.Spec.Cell = from.Spec.Cell },
		"activation":   func() { to.Spec.Activation = from.Spec.Activation },
		"hidden":       func() { to.Spec.Hidden = from.Spec.Hidden },
		"layers":       func() { to.Spec.Layers = from.Spec.Layers },
		"dropout":      func() { to.Spec.Dropout = from.Spec.Dropout },
		"batch":        func() { to.Fit.Batch = from.Fit.Batch },
		"lr":           func() { to.Fit.LearningRate = from.Fit.LearningRate },
		"clip":         func() { to.Fit.ClipNorm = from.Fit.ClipNorm },
		"optimizer":    func() { to.Fit.Optimizer = from.Fit.Optimizer },
		"momentum":     func() { to.Fit.Optimizer = from.Fit.Optimizer },
		"nesterov":     func() { to.Fit.Optimizer = from.Fit.Optimizer },
		"weight-decay": func() { to.Fit.Optimizer = from.Fit.Optimizer },
	} {
		if given(name) {
			take()
		}
	}
}

// readRoles sets the roles of the columns.
func (v *trainForecast) readRoles() (err error) {
	w := &v.told
	w.roles.Missing = models.Missing(w.missing)
	for _, list := range []struct {
		flag, value string
		columns     *[]string
	}{
		{"series", w.series, &w.roles.Series}, {"target", w.targets, &w.roles.Targets}, {"past", w.past, &w.roles.Past},
		{"future", w.future, &w.roles.Future}, {"static", w.static, &w.roles.Static}, {"category", w.category, &w.roles.Categories},
	} {
		if *list.columns, err = listed(list.flag, list.value); err != nil {
			return err
		}
	}
	return nil
}

// listed returns what a flag lists, separated by commas.
func listed(flag, value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	list, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil || slices.Contains(list, "") {
		return nil, usagef("--%s is %q: it must be a list like a,b,3", flag, value)
	}
	return list, nil
}

// levels returns what --intervals lists, as shares.
func (w forecastWords) levels() (levels []float64, err error) {
	if w.intervals == "none" {
		return nil, nil
	}
	for word := range strings.SplitSeq(w.intervals, ",") {
		percent, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(word), "%"), 64)
		if err != nil || !(percent > 0 && percent < 100) || slices.Contains(levels, percent/100) {
			return nil, usagef("--intervals is %q: it must be none, or a list of percentages such as 80,95, each once", w.intervals)
		}
		levels = append(levels, percent/100)
	}
	return levels, nil
}

// bound returns the number of a flag, or nil if it was not given.
func bound(flag, value string, given bool) (*float64, error) {
	if !given {
		return nil, nil
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		return nil, usagef("--%s is %q: it must be a number", flag, value)
	}
	return &number, nil
}

func (v *trainForecast) run(ctx context.Context, _ []string) error {
	if v.why == "" && v.start != "" {
		if err := v.readStart(); err != nil {
			return err
		}
	}
	if v.why != "" {
		return v.runSteps(ctx)
	}
	panel, err := v.readPanel()
	if err != nil {
		return err
	}
	j, err := rnnkit.NewForecaster(panel, v.direct)
	if err == nil {
		for _, rule := range j.Model.Forecast.Rules {
			fmt.Fprintf(v.Err, "  %s\n", printable(rule))
		}
		if !v.direct.Integer && wholeNumbers(panel) {
			fmt.Fprintln(v.Err, "note: all values are whole numbers: with --integer the forecasts are too")
		}
	}
	return v.trainJob(ctx, j, withFieldFlag(err, windowFlag))
}

// wholeNumbers reports whether the targets have no other values.
func wholeNumbers(panel *datasets.Panel) bool {
	for _, s := range panel.Series {
		for _, values := range s.Targets {
			if slices.ContainsFunc(values, func(v float64) bool { return v != math.Trunc(v) }) {
				return false
			}
		}
	}
	return true
}

// windowFlag returns the flag of the window of a direct forecaster. Other fields have the
// flags of all tasks.
func windowFlag(field string) string { return map[string]string{"Window": "--window"}[field] }

// readStart makes the file of --init the Start of a direct forecaster. If it reads step by
// step, so does what is trained.
func (v *trainForecast) readStart() error {
	if _, err := os.Stat(v.start); err != nil {
		return fmt.Errorf("cannot read the model: %w", err)
	}
	m, err := export.ReadFile(v.start)
	if err != nil || m.Spec.Direct == nil {
		v.why = "--init " + v.start
		v.validator, v.Options, v.words = &v.steps, &v.steps.Options, v.describe()
		return v.validateSteps()
	}
	if err := v.checkKept(m); err != nil {
		return err
	}
	v.direct.Start, v.start = m, ""
	return nil
}

// checkKept refuses flags that ask for another model than that of --init, which stays as
// it is.
func (v *trainForecast) checkKept(m *models.Model) error {
	d, s, o := m.Spec.Direct, m.Spec, &v.direct
	calendar, _ := models.CalendarColumns(o.Calendar...)
	for _, kept := range []struct {
		flag string
		same bool
	}{
		{"hidden", o.Spec.Hidden == s.Hidden}, {"layers", o.Spec.Layers == s.Layers}, {"cell", o.Spec.Cell == s.Cell},
		{"activation", o.Spec.Activation == s.Activation}, {"dropout", o.Spec.Dropout == s.Dropout},
		{"log", o.Log == rnnkit.Auto || o.Log == rnnkit.On == (m.LogFloor() > 0)},
		{"mixture", o.Mixture == rnnkit.Auto || o.Mixture == rnnkit.On == (len(m.Mixture) > 0)},
		{"intervals", slices.Equal(slices.Sorted(slices.Values(o.Levels)), d.Levels())},
		{"calendar", o.Calendar == nil || slices.Equal(calendar, m.Forecast.Calendar)},
	} {
		if v.flags.Changed(kept.flag) && !kept.same {
			return usagef("--%s asks for another model than %s, which stays as it is: leave out one of them", kept.flag, v.start)
		}
	}
	return nil
}

// runSteps trains the model that reads step by step.
func (v *trainForecast) runSteps(ctx context.Context) error {
	fmt.Fprintf(v.Err, "the model reads step by step, for which %s asks\n", v.why)
	c, err := v.readColumnFile(v.path, v.told.targets)
	if err != nil {
		return err
	}
	if v.told.targets != "" {
		c.Name = c.Title() // by which infer finds it again in a file without names
	}
	j, err := rnnkit.NewStepForecaster([]datasets.Column{c}, v.steps)
	return v.trainJob(ctx, j, err)
}

// readPanel reads the table, and says what it is.
func (v *trainForecast) readPanel() (*datasets.Panel, error) {
	panel, err := v.readPanelFile(v.path, v.told.roles)
	if role, ok := errors.AsType[*models.FieldError](err); ok {
		return nil, usageError{withFlag(role)}
	}
	return panel, withRoleFlag(err)
}

// withRoleFlag returns the error of a table whose columns need a role with the flag that
// gives it.
func withRoleFlag(err error) error {
	role, ok := errors.AsType[*datasets.RoleError](err)
	if !ok {
		return err
	}
	column := role.Columns[0]
	if strings.ContainsFunc(column, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' }) {
		column = strconv.Quote(column)
	}
	advice := fmt.Sprintf("choose with --target %s, or say --wide if each is a series of its own", column)
	if role.Role == "Series" {
		advice = fmt.Sprintf("if it does, say --series %s; else %s", column, role.Else)
	}
	return errors.New(strings.Replace(err.Error(), role.Error(), role.Problem+"; "+advice, 1))
}

// readPanelFile reads the table at path, or on stdin for "-", and says what was read.
func (s *streams) readPanelFile(path string, roles datasets.Roles) (*datasets.Panel, error) {
	rows, err := tablefile.Open(path, s.In)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return s.readPanelRows(rows, roles)
}

// tableRows are rows whose format may say what the columns are for.
type tableRows interface {
	datasets.RowReader
	Roles(given datasets.Roles) datasets.Roles
	Notes() []string
}

// readPanelRows reads a table, and says what was read.
func (s *streams) readPanelRows(rows tableRows, roles datasets.Roles) (*datasets.Panel, error) {
	panel, err := datasets.ReadPanel(rows, rows.Roles(roles))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(panel.Describe()) {
		fmt.Fprintf(s.Err, "data: %s\n", printable(strings.TrimSuffix(line, "\n")))
	}
	for _, note := range slices.Concat(rows.Notes(), panel.Notes) {
		fmt.Fprintf(s.Err, "note: %s\n", printable(note))
	}
	return panel, nil
}
