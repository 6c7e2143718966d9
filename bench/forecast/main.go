// Command forecast trains a forecaster with its default rules on the benchmarks of the
// project's shared data, and has their own score.py say how good it is.
//
//	go run ./bench/forecast -data ../shared/benchmarks -python python3 m4_hourly tourism_monthly
//
// A name with _from in it is the benchmark before that, from another window or without
// covariates. The Python needs numpy.
package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// benchmark says what a user of a benchmark's data knows.
type benchmark struct {
	name            string // of score.py
	kind            string // of score.py, or "backtest" for package rnnkit's own figures
	data            string // file with all rows, "" for the training rows alone
	roles           datasets.Roles
	horizon, season int
	window          int
}

var (
	long  = datasets.Roles{Series: []string{"series"}, Targets: []string{"value"}}
	ett   = datasets.Roles{Targets: []string{"HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"}}
	power = datasets.Roles{Targets: []string{"demand"}, Future: []string{"temperature", "holiday"}}
)

var benchmarks = []benchmark{
	{name: "m4_hourly", kind: "forecast", roles: long, horizon: 48, season: 24},
	{name: "tourism_monthly", kind: "forecast", roles: long, horizon: 24, season: 12},
	{name: "m3_monthly", kind: "forecast", roles: long, horizon: 18, season: 12},
	{name: "airpassengers", kind: "forecast", roles: long, horizon: 24, season: 12},
	{name: "airpassengers_rolling", kind: "backtest", data: "../data/airpassengers/AirPassengers.csv", roles: datasets.Roles{Targets: []string{"#Passengers"}}},
	{name: "etth1_96", kind: "windows", data: "data.csv", roles: ett, horizon: 96, season: 24, window: 96},
	{name: "etth1_96_from_720", kind: "windows", data: "data.csv", roles: ett, horizon: 96, season: 24, window: 720},
	{name: "victoria_hourly", kind: "rolling", data: "data.csv", roles: power, horizon: 24, season: 24},
	{name: "victoria_hourly_from_itself", kind: "rolling", data: "data.csv", roles: datasets.Roles{Targets: []string{"demand"}}, horizon: 24, season: 24},
	{name: "sunspots", kind: "rolling", data: "data.csv", roles: datasets.Roles{Targets: []string{"sunspots"}}, horizon: 1},
}

func main() {
	log.SetFlags(0)
	data := flag.String("data", "../shared/benchmarks", "the folder with score.py")
	python := flag.String("python", "python3", "a Python with numpy")
	seeds := flag.Int("seeds", 1, "trainings of each, with the seeds from 0 on")
	settings := flag.String("set", "", "options in place of the default rules, such as \"window=24 hidden=16\"")
	rules := flag.Bool("rules", false, "print the rules, and what the trained model says of itself")
	flag.Parse()
	for _, name := range flag.Args() {
		i := slices.IndexFunc(benchmarks, func(b benchmark) bool { return b.name == name })
		if i < 0 {
			log.Fatalf("there is no benchmark %q", name)
		}
		for seed := range *seeds {
			r := run{benchmark: benchmarks[i], folder: *data, python: *python, seed: uint64(seed), settings: *settings, rules: *rules}
			if err := r.do(); err != nil {
				log.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// run is one training on a benchmark.
type run struct {
	benchmark
	folder, python, settings string
	seed                     uint64
	rules                    bool
}

func (r *run) do() error {
	if r.kind == "backtest" {
		return r.backtest()
	}
	dir, err := os.MkdirTemp("", "forecast")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	official, _, _ := strings.Cut(r.name, "_from")
	if out, err := exec.Command(r.python, filepath.Join(r.folder, "prepare.py"), dir, official).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	train, err := r.read(filepath.Join(dir, official, "train.csv"))
	if err != nil {
		return err
	}
	start := time.Now()
	result, err := r.train(train)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	predictions := filepath.Join(dir, "predictions.csv")
	if err := r.predict(result, train, filepath.Join(dir, official), predictions); err != nil {
		return err
	}
	score, err := exec.Command(r.python, filepath.Join(r.folder, "score.py"), official, predictions, "--json").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, score)
	}
	return r.print(score, seconds, time.Since(start).Seconds()-seconds, len(result.File))
}

// lastYears is how many rows at the end a backtest holds back.
const lastYears = 24

// backtest trains without the last two years, and forecasts them from every month on that
// has a whole horizon after it.
func (r *run) backtest() error {
	panel, err := r.read(filepath.Join(r.folder, r.data))
	if err != nil {
		return err
	}
	start := time.Now()
	result, err := r.train(panel.Until(lastYears))
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	m, err := result.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	b, err := rnnkit.Backtest(context.Background(), m, panel, rnnkit.BacktestOptions{Cutoffs: lastYears - result.Model.Horizon + 1, Every: 1})
	if err != nil {
		return err
	}
	for _, report := range b.Reports {
		fmt.Printf("%s seed %d  %s MASE %.4g", r.name, r.seed, report.Method, report.All.MASE)
		for _, i := range report.All.Intervals {
			fmt.Printf("  coverage%.0f %.4g", 100*i.Level, 100*i.Coverage)
		}
		fmt.Println()
	}
	fmt.Printf("%s seed %d  trained in %.1f s, %d bytes  %s\n", r.name, r.seed, seconds, len(result.File), r.settings)
	return nil
}

// train trains with the default rules.
func (r *run) train(p *datasets.Panel) (*rnnkit.Result, error) {
	o := rnnkit.DefaultForecasterOptions()
	o.Horizon, o.Season, o.Window, o.Fit.Seed = r.horizon, r.season, r.window, r.seed
	if err := set(&o, r.settings); err != nil {
		return nil, err
	}
	job, err := rnnkit.NewForecaster(p, o)
	if err != nil {
		return nil, err
	}
	result, err := job.Train(context.Background())
	if err != nil {
		return nil, err
	}
	if r.rules {
		fmt.Println(strings.Join(result.Model.Forecast.Rules, "\n"))
		fmt.Println(result.Summary)
	}
	return result, nil
}

// set changes options by words such as window=24.
func set(o *rnnkit.ForecasterOptions, settings string) error {
	for word := range strings.FieldsSeq(settings) {
		name, value, _ := strings.Cut(word, "=")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "window":
			o.Window = int(number)
		case "segment":
			o.Segment = int(number)
		case "hidden":
			o.Spec.Hidden = int(number)
		case "cell":
			o.Spec.Cell = models.Cell(value)
		case "layers":
			o.Spec.Layers = int(number)
		case "readout":
			o.Spec.Readout = models.Readout(value)
		case "updates":
			o.Updates = int(number)
		case "batch":
			o.Fit.Batch = int(number)
		case "rate":
			o.Fit.LearningRate = number
		case "decay":
			o.Fit.Optimizer = trainer.Optimizer{Method: trainer.AdamW, Beta2: 0.98, WeightDecay: number}
		case "median":
			o.Fit.MedianWeight = number
		case "ensemble":
			o.Ensemble = int(number)
		case "trials":
			o.Trials = int(number)
		case "linear":
			o.Linear = int(number)
		case "log":
			o.Log = rnnkit.Switch(value)
		case "mixture":
			o.Mixture = rnnkit.Switch(value)
		case "calendar":
			o.Calendar = strings.Split(value, ",")
			if value == "none" {
				o.Calendar = []string{}
			}
		case "center":
			o.Center = models.Center(value)
		default:
			return fmt.Errorf("there is no setting %q", name)
		}
	}
	return nil
}

// predict writes the forecasts that score.py asks for.
func (r *run) predict(result *rnnkit.Result, train *datasets.Panel, folder, path string) error {
	m, err := result.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	panel, o := train, rnnkit.BacktestOptions{Alone: true}
	switch r.kind {
	case "forecast":
		panel = extended(train, r.horizon)
		o.Cutoffs = 1
	default:
		if panel, err = r.read(filepath.Join(folder, r.data)); err != nil {
			return err
		}
		o.Origins = r.origins(train, panel)
	}
	b, err := rnnkit.Backtest(context.Background(), m, panel, o)
	if err != nil {
		return err
	}
	return r.write(path, panel, b)
}

// extended returns the panel with rows after its end whose values are not known.
func extended(p *datasets.Panel, rows int) *datasets.Panel {
	longer := *p
	longer.Series = slices.Clone(p.Series)
	for i := range longer.Series {
		s := &longer.Series[i]
		s.Targets = [][]float64{slices.Concat(s.Targets[0], make([]float64, rows))}
	}
	return &longer
}

// origins returns those of the benchmark: after the training rows, every horizon; of
// windows every one whose targets are test rows.
func (r *run) origins(train, all *datasets.Panel) [][]int {
	first, every := train.Series[0].Len(), r.horizon
	if r.kind == "windows" {
		first, every = firstTestRow, 1
	}
	var rows []int
	for row := first; row+r.horizon <= all.Series[0].Len(); row += every {
		rows = append(rows, row)
	}
	return [][]int{rows}
}

// firstTestRow is that of ETTh1, after 12 months that train and 4 that validate.
const firstTestRow = 11_520

// write writes the forecasts in the form that score.py reads.
func (r *run) write(path string, panel *datasets.Panel, b *rnnkit.BacktestResult) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	if r.kind == "windows" {
		w.Write(append([]string{"origin", "step"}, panel.Targets...))
		for rows := range slices.Chunk(b.Forecasts, len(panel.Targets)) {
			for h := range r.horizon {
				row := []string{strconv.Itoa(rows[0].Origin - firstTestRow + 1), strconv.Itoa(h + 1)}
				for _, target := range rows {
					row = append(row, decimal(target.Forecast[h]))
				}
				w.Write(row)
			}
		}
	} else {
		first := map[string]string{"forecast": "series", "rolling": "origin"}[r.kind]
		w.Write([]string{first, "step", "forecast", "lo_95", "hi_95", "lo_80", "hi_80"})
		for i, c := range b.Forecasts {
			key := strconv.Itoa(i + 1)
			if r.kind == "forecast" {
				key = panel.Series[c.Series].Name
			}
			for h, q := range c.Quantiles {
				w.Write([]string{key, strconv.Itoa(h + 1), decimal(q[2]), decimal(q[0]), decimal(q[4]), decimal(q[1]), decimal(q[3])})
			}
		}
	}
	w.Flush()
	return w.Error()
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// print prints a row of results.
func (r *run) print(score []byte, training, forecasting float64, bytes int) error {
	var s struct{ Metrics map[string]float64 }
	if err := json.Unmarshal(score, &s); err != nil {
		return fmt.Errorf("%w: %s", err, score)
	}
	fmt.Printf("%s seed %d", r.name, r.seed)
	for _, name := range []string{"MASE", "sMAPE", "MAE", "RMSE", "MSE", "coverage80", "coverage95", "MSIS95"} {
		if v, ok := s.Metrics[name]; ok {
			fmt.Printf("  %s %.4g", name, v)
		}
	}
	fmt.Printf("  trained in %.1f s, forecast in %.1f s, %d bytes  %s\n", training, forecasting, bytes, r.settings)
	return nil
}

// read reads a table that prepare.py wrote.
func (r *run) read(path string) (*datasets.Panel, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := datasets.NewCSVRows(f, path)
	if err != nil {
		return nil, err
	}
	return datasets.ReadPanel(rows, r.roles)
}
