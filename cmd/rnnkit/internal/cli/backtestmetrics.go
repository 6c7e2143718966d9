package cli

import (
	"fmt"
	"math"
	"strconv"
	"text/tabwriter"

	"github.com/rnnkit/rnnkit"
)

// methodMetrics are the metrics of a method as JSON.
type methodMetrics struct {
	Method string `json:"method"`
	stepMetrics
	Steps []stepMetrics `json:"steps,omitempty"` // of each step ahead
}

// stepMetrics are metrics over some values as JSON. A metric that no value has is null.
type stepMetrics struct {
	Compared  int               `json:"compared"`
	Missing   int               `json:"missing,omitempty"`
	MAE       *float64          `json:"mae"`
	RMSE      *float64          `json:"rmse"`
	SMAPE     *float64          `json:"smape"`
	MASE      *float64          `json:"mase"`
	RMSSE     *float64          `json:"rmsse"`
	WQL       *float64          `json:"wql"`
	Intervals []intervalMetrics `json:"intervals,omitempty"`
}

// intervalMetrics are the metrics of an interval as JSON.
type intervalMetrics struct {
	Level    float64  `json:"level"`
	Coverage *float64 `json:"coverage"`
	Score    *float64 `json:"score"`
	MSIS     *float64 `json:"msis"`
}

// metricsOf returns the metrics of all methods of a backtest.
func metricsOf(result *rnnkit.BacktestResult, perStep bool) (list []methodMetrics) {
	for _, r := range result.Reports {
		m := methodMetrics{Method: r.Method, stepMetrics: stepMetricsOf(r.All)}
		if perStep {
			for _, step := range r.Steps {
				m.Steps = append(m.Steps, stepMetricsOf(step))
			}
		}
		list = append(list, m)
	}
	return list
}

func stepMetricsOf(m rnnkit.Metrics) stepMetrics {
	s := stepMetrics{
		Compared: m.Compared, Missing: m.Missing,
		MAE: known(m.MAE), RMSE: known(m.RMSE), SMAPE: known(m.SMAPE), MASE: known(m.MASE), RMSSE: known(m.RMSSE), WQL: known(m.WQL),
	}
	for _, i := range m.Intervals {
		s.Intervals = append(s.Intervals, intervalMetrics{i.Level, known(i.Coverage), known(i.Score), known(i.MSIS)})
	}
	return s
}

// known returns nil for what JSON cannot say.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// printMetrics prints the metrics of all methods as a table.
func (o *backtestOptions) printMetrics(result *rnnkit.BacktestResult) error {
	fmt.Fprintf(o.Err, "%d forecasts, %d values compared with what came\n", len(result.Forecasts), result.Reports[0].All.Compared)
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	o.printHeader(w, result)
	for _, r := range result.Reports {
		printRow(w, r.Method, "all", r.All, o.perStep)
		for i := 0; o.perStep && i < len(r.Steps); i++ {
			printRow(w, r.Method, strconv.Itoa(i+1), r.Steps[i], true)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	tellBetter(o.streams, result)
	if !o.retrain {
		fmt.Fprintln(o.Err, "note: what the model has learned from flatters it: unless it was trained on earlier rows alone, use --retrain")
	}
	return nil
}

func (o *backtestOptions) printHeader(w *tabwriter.Writer, result *rnnkit.BacktestResult) {
	fmt.Fprint(w, "method\t")
	if o.perStep {
		fmt.Fprint(w, "step\t")
	}
	fmt.Fprint(w, "MASE\tMAE\tRMSE\tsMAPE\tWQL\t")
	for _, i := range result.Reports[0].All.Intervals {
		fmt.Fprintf(w, "in %s%%\tMSIS %s%%\t", percentOf(i.Level), percentOf(i.Level))
	}
	fmt.Fprintln(w)
}

func printRow(w *tabwriter.Writer, method, step string, m rnnkit.Metrics, perStep bool) {
	fmt.Fprintf(w, "%s\t", method)
	if perStep {
		fmt.Fprintf(w, "%s\t", step)
	}
	for _, v := range []float64{m.MASE, m.MAE, m.RMSE, m.SMAPE, m.WQL} {
		fmt.Fprintf(w, "%s\t", short(v))
	}
	for _, i := range m.Intervals {
		fmt.Fprintf(w, "%s\t%s\t", percent(i.Coverage), short(i.MSIS))
	}
	fmt.Fprintln(w)
}

// short returns four digits of a metric, or a dash for one that no value has.
func short(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.4g", v)
}

// percent returns a share in percent, or a dash for one that is not known.
func percent(share float64) string {
	if math.IsNaN(share) {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*share)
}

// tellBetter says it where a simple method is better than the model.
func tellBetter(s *streams, result *rnnkit.BacktestResult) {
	model, best := result.Reports[0], result.Reports[0]
	for _, r := range result.Reports[1:] {
		if r.All.MAE < best.All.MAE {
			best = r
		}
	}
	if best.Method != model.Method {
		fmt.Fprintf(s.Err, "the simple method %q is better here: its mean absolute error is %s, that of the model %s\n", best.Method, short(best.All.MAE), short(model.All.MAE))
	}
}
