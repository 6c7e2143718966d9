package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/backtestpage"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/models"
)

type backtestOptions struct {
	*streams
	engineFlags
	model     string
	data      string
	cutoffs   int
	every     int
	from      string
	origins   string
	retrain   bool
	forecasts string
	report    string
	json      bool
	perStep   bool

	flags *pflag.FlagSet
}

const backtestLong = `Forecast from origins in the past of a table, and compare the forecasts with what
came and with those of simple methods, on the same values. From an origin the model
sees the rows before it, and covariates that are known ahead.

Origins are the last --cutoffs that are --every rows apart, or all from --from on, or
those that a CSV file lists: its column origin has the time of the last row before each
forecast, or without times its number from 1, and the columns of --series are there
where there are several. The model may have been trained on some of what it forecasts:
--retrain trains it anew on what came before each origin.

MASE and MSIS are in units of the error of the seasonal naive forecast on the rows before
the first origin of each series.`

const backtestExample = `  rnnkit backtest sales.onnx --data sales.csv --cutoffs 8
  rnnkit backtest sales.onnx --data sales.csv --every 1 --from 2024-01-01 --forecasts all.csv
  rnnkit backtest sales.onnx --data sales.csv --origins origins.csv --report backtest.html`

func newBacktestCmd(s *streams) *cobra.Command {
	return newVerbCmd(&backtestOptions{streams: s}, &cobra.Command{
		Use:     "backtest MODEL.onnx --data table.csv",
		Short:   "Compare a forecaster with what came, and with simple methods",
		Long:    backtestLong,
		Example: backtestExample,
		Args:    oneModel("rnnkit backtest MODEL.onnx --data table.csv"),
	})
}

func (o *backtestOptions) addFlags(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVar(&o.data, "data", "", "the table, - for standard input")
	flags.IntVar(&o.cutoffs, "cutoffs", 0, "origins of each series (default 1, or with --from all)")
	flags.IntVar(&o.every, "every", 0, "rows from one origin to the next (default the horizon)")
	flags.StringVar(&o.from, "from", "", "the time of the first row that is forecast")
	flags.StringVar(&o.origins, "origins", "", "a CSV file that lists the origins")
	flags.BoolVar(&o.retrain, "retrain", false, "train anew on what came before each origin")
	flags.StringVar(&o.forecasts, "forecasts", "", "write all forecasts and what came to this CSV file")
	flags.StringVar(&o.report, "report", "", "write an HTML page with the forecasts and the metrics to this file")
	flags.BoolVar(&o.json, "json", false, "print the metrics as JSON")
	flags.BoolVar(&o.perStep, "per-step", false, "print the metrics of each step ahead too")
	o.engineFlags.add(flags)
}

func (o *backtestOptions) validate() error {
	switch {
	case o.data == "":
		return usagef("name the table: --data FILE")
	case o.flags.Changed("cutoffs") && o.cutoffs < 1:
		return usagef("--cutoffs is %d: it must be 1 or more", o.cutoffs)
	case o.flags.Changed("every") && o.every < 1:
		return usagef("--every is %d: it must be 1 or more", o.every)
	case o.origins != "" && (o.cutoffs > 0 || o.every > 0 || o.from != ""):
		return usagef("--origins goes with none of --cutoffs, --every and --from: leave out one or the other")
	}
	return o.engineFlags.validate()
}

func (o *backtestOptions) run(ctx context.Context, args []string) error {
	o.model = args[0]
	model, err := o.open(ctx, o.model, o.Err)
	if err != nil {
		return err
	}
	defer model.Close()
	if !isDirect(model) {
		return fmt.Errorf("%s is no forecaster of a whole horizon, such as rnnkit train forecast writes: its forecasts cannot be tested", args[0])
	}
	meta := model.Metadata()
	panel, err := o.readPanelFile(o.data, rolesOf(meta.Forecast))
	if err != nil {
		return err
	}
	options, err := o.options(args[0], meta, panel)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	result, err := rnnkit.Backtest(ctx, model, panel, options)
	if err != nil {
		return fmt.Errorf("%s: %w", o.data, withFieldFlag(err, backtestFlag))
	}
	if result.Reports[0].All.Compared == 0 {
		return fmt.Errorf("%s: there are only missing values where the model forecasts: choose other origins", o.data)
	}
	return o.tellResult(panel, meta, result)
}

// backtestFlag returns the flag that sets a field of rnnkit.BacktestOptions.
func backtestFlag(field string) string {
	return map[string]string{"Cutoffs": "--cutoffs", "Every": "--every", "From": "--from", "Origins": "--origins"}[field]
}

// options returns those of the backtest that the flags ask for.
func (o *backtestOptions) options(path string, meta *models.Metadata, panel *datasets.Panel) (b rnnkit.BacktestOptions, err error) {
	b.Cutoffs, b.Every = o.cutoffs, o.every
	if o.from != "" {
		if b.From, err = timeIn(panel, o.from); err != nil {
			return b, usagef("--from is %q: %w", o.from, err)
		}
	}
	if o.origins != "" {
		if b.Origins, err = readOrigins(o.origins, panel); err != nil {
			return b, err
		}
	}
	if o.retrain {
		m, err := export.ReadFile(path)
		if err != nil {
			return b, err
		}
		b.Retrain = optionsOf(m)
	}
	return b, nil
}

// timeIn returns the time that a text is in a panel.
func timeIn(panel *datasets.Panel, text string) (time.Time, error) {
	if panel.Frequency.Count == 0 {
		return time.Time{}, fmt.Errorf("the table has no times")
	}
	return panel.ParseTime(text)
}

// optionsOf returns the options that train a model as m is.
func optionsOf(m *models.Model) *rnnkit.ForecasterOptions {
	d, f := m.Spec.Direct, m.Forecast
	o := rnnkit.DefaultForecasterOptions()
	o.Horizon, o.Window, o.Segment, o.Season = d.Horizon, d.Window, d.Segment, max(1, f.Season)
	o.Log, o.Center, o.Levels, o.Ensemble = rnnkit.Off, d.Center, d.Levels(), 1+len(m.Ensemble)
	if d.Log > 0 {
		o.Log = rnnkit.On
	}
	if o.Mixture = rnnkit.Off; len(m.Mixture) > 0 {
		o.Mixture = rnnkit.On
	}
	if m.LogFloor() != d.Log {
		o.Log = rnnkit.Auto
	}
	o.Min, o.Max, o.Integer, o.Missing = f.Min, f.Max, f.Integer, f.Missing
	if o.Min == nil {
		o.Min = new(math.Inf(-1))
	}
	o.Calendar = append([]string{}, f.Calendar...)
	o.Spec.Cell, o.Spec.Hidden, o.Spec.Layers = m.Spec.Cell, m.Spec.Hidden, m.Spec.Layers
	return &o
}

// tellResult prints the metrics, and writes the files that the flags ask for.
func (o *backtestOptions) tellResult(panel *datasets.Panel, meta *models.Metadata, result *rnnkit.BacktestResult) error {
	if o.forecasts != "" {
		if err := writeWhole(o.forecasts, func(w io.Writer) error { return printBackcasts(w, panel, meta, result) }); err != nil {
			return err
		}
	}
	if o.report != "" {
		if err := writeWhole(o.report, func(w io.Writer) error { return o.page(panel, meta, result).Write(w) }); err != nil {
			return err
		}
	}
	if o.json {
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(metricsOf(result, o.perStep))
	}
	return o.printMetrics(result)
}

// page returns the HTML page of a backtest.
func (o *backtestOptions) page(panel *datasets.Panel, meta *models.Metadata, result *rnnkit.BacktestResult) *backtestpage.Page {
	return &backtestpage.Page{
		Model: filepath.Base(o.model), Data: filepath.Base(o.data),
		Panel: panel, Result: result, Levels: meta.Spec.Direct.Levels(), Rules: meta.Forecast.Rules,
	}
}

// writeWhole writes a file, which is there whole or not at all.
func writeWhole(path string, write func(io.Writer) error) error {
	file, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer file.Abort()
	if err := write(file); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return file.Commit()
}

// printBackcasts prints all forecasts of a backtest, with what came.
func printBackcasts(w io.Writer, panel *datasets.Panel, meta *models.Metadata, result *rnnkit.BacktestResult) error {
	levels := meta.Spec.Direct.Levels()
	table := newForecastTable(w, panel, levels, true)
	for i := 0; i < len(result.Forecasts); i += len(panel.Targets) {
		first := result.Forecasts[i]
		lines := forecastLines{series: first.Series, origin: first.Origin, Forecast: &infer.Forecast{
			Levels: levels, Low: make([][][]float64, len(levels)), High: make([][][]float64, len(levels)),
		}}
		for _, c := range result.Forecasts[i:][:len(panel.Targets)] {
			lines.add(c)
		}
		if err := table.print(lines); err != nil {
			return err
		}
	}
	return nil
}

// add adds what was forecast for a target.
func (l *forecastLines) add(c rnnkit.Backcast) {
	l.actual, l.Median = append(l.actual, c.Actual), append(l.Median, c.Forecast)
	middle := len(l.Levels)
	for i := range l.Levels {
		low, high := make([]float64, len(c.Quantiles)), make([]float64, len(c.Quantiles))
		for step, q := range c.Quantiles {
			low[step], high[step] = q[middle-1-i], q[middle+1+i]
		}
		l.Low[i], l.High[i] = append(l.Low[i], low), append(l.High[i], high)
	}
}
