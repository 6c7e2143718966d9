package baselines_test

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/rnnkit/rnnkit/internal/baselines"
	"github.com/rnnkit/rnnkit/internal/metrics"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// benchmark is a benchmark of the shared data: many series with a test part each.
type benchmark struct {
	name    string
	season  int
	horizon int
	train   [][]float64
	test    [][]float64
}

func benchmarks(t testing.TB) []benchmark {
	t.Helper()
	all := []benchmark{
		{name: "m4_hourly", season: 24, horizon: 48},
		{name: "tourism_monthly", season: 12, horizon: 24},
		{name: "m3_monthly", season: 12, horizon: 18},
	}
	for i := range all {
		b := &all[i]
		b.train = readSeries(t, testenv.Shared(t, "benchmarks", b.name, "train.csv.gz"))
		b.test = readSeries(t, testenv.Shared(t, "benchmarks", b.name, "test.csv.gz"))
	}
	passengers := readPassengers(t)
	n := len(passengers) - 24
	return append(all, benchmark{"airpassengers", 12, 24, [][]float64{passengers[:n]}, [][]float64{passengers[n:]}})
}

// readSeries reads rows of id, start and values, in the order of the file.
func readSeries(t testing.TB, path string) [][]float64 {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(unzipped)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	series := make([][]float64, len(rows))
	for i, row := range rows {
		series[i] = parse(t, row[2:])
	}
	return series
}

func readPassengers(t testing.TB) []float64 {
	t.Helper()
	file, err := os.Open(testenv.Shared(t, "data", "airpassengers", "AirPassengers.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, row := range rows[1:] {
		values = append(values, row[1])
	}
	return parse(t, values)
}

func parse(t testing.TB, cells []string) []float64 {
	t.Helper()
	values := make([]float64, len(cells))
	for i, cell := range cells {
		v, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			t.Fatal(err)
		}
		values[i] = v
	}
	return values
}

var levels = []float64{0.025, 0.1, 0.9, 0.975}

// evaluate returns the metrics of a method on a benchmark.
func (b benchmark) evaluate(method baselines.Method) metrics.Metrics {
	answers := make([]metrics.Answer, len(b.train))
	for i, history := range b.train {
		f := method(history, b.season, b.horizon)
		answers[i] = metrics.Answer{Actual: b.test[i][:b.horizon], Forecast: f.Mean, Quantiles: f.Quantiles(levels)}
		answers[i].Scale, answers[i].Square = metrics.SeasonalError(history, b.season)
	}
	return metrics.Evaluate(answers, levels).All
}

// The figures of the benchmarks' own script, which are kept with six digits.
func TestBenchmarks(t *testing.T) {
	data, err := os.ReadFile(testenv.Shared(t, "benchmarks", "baselines.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]map[string]float64 // by benchmark, method and metric
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, b := range benchmarks(t) {
		for name, method := range map[string]baselines.Method{
			"naive":          baselines.Naive,
			"seasonal naive": baselines.SeasonalNaive,
			"naive2":         baselines.Naive2,
			"theta":          baselines.Theta,
		} {
			m := b.evaluate(method)
			got := map[string]float64{
				"sMAPE": m.SMAPE, "MASE": m.MASE, "MAE": m.MAE,
				"coverage80": 100 * m.Intervals[0].Coverage, "MSIS80": m.Intervals[0].MSIS,
				"coverage95": 100 * m.Intervals[1].Coverage, "MSIS95": m.Intervals[1].MSIS,
			}
			for metric, expected := range want[b.name][name] {
				if metric != "OWA" && !(math.Abs(got[metric]-expected) <= 6e-6*expected) {
					t.Errorf("%s of %s on %s is %.7g, want %v", metric, name, b.name, got[metric], expected)
				}
			}
		}
	}
}

// The errors that are published for ETS, of which README.md of the benchmarks has the
// sources: a MASE of 0.863 and 1.531.
func TestETSBenchmarks(t *testing.T) {
	testenv.Shared(t, "benchmarks")
	if testing.Short() {
		t.Skip("it fits thousands of models")
	}
	for _, b := range benchmarks(t) {
		published, ok := map[string]float64{"m3_monthly": 0.863, "tourism_monthly": 1.531}[b.name]
		if !ok {
			continue
		}
		if m := b.evaluate(baselines.ETS); !(m.MASE <= published+0.005) {
			t.Errorf("the MASE on %s is %.4f, published is %v", b.name, m.MASE, published)
		}
	}
}

// All 1,428 series in turn.
func BenchmarkM3(b *testing.B) {
	m3 := benchmarks(b)[2]
	for name, method := range map[string]baselines.Method{"Theta": baselines.Theta, "ETS": baselines.ETS} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m3.evaluate(method)
			}
		})
	}
}
