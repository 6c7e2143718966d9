package infer_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/internal/orttest"
)

// dartsCase is what darts forecast with a model that it exported: testdata/darts/golden.py.
type dartsCase struct {
	File                  string
	Steps                 int
	Targets, Past, Future [][]float64
	Static                []float64
	Answer                [][]float64 // [steps][targets * quantiles]
}

func dartsCases(t *testing.T) (cases []dartsCase) {
	t.Helper()
	data, err := os.ReadFile("testdata/darts/golden.json")
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil || len(cases) == 0 {
		t.Fatal(len(cases), "cases:", err)
	}
	return cases
}

// Models that darts exported forecast what darts does with them, on every engine.
func TestDarts(t *testing.T) {
	for _, c := range dartsCases(t) {
		for _, e := range orttest.Engines(t, native.New()) {
			m, err := infer.Open(filepath.Join("testdata/darts", c.File), infer.With(e))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			f, err := infer.NewForecaster(m)
			if err != nil {
				t.Fatalf("%s: %v", c.File, err)
			}
			got, err := f.ForecastContext(t.Context(), infer.Context{Targets: c.Targets, Past: c.Past, Future: c.Future, Static: c.Static}, c.Steps)
			if err != nil {
				t.Fatalf("%s on %s: %v", c.File, e, err)
			}
			c.check(t, got)
		}
	}
}

func (c dartsCase) check(t *testing.T, got *infer.Forecast) {
	t.Helper()
	if len(got.Median) != len(c.Targets) || len(got.Median[0]) != c.Steps || len(c.Answer) != c.Steps {
		t.Fatalf("%s: %d columns, not %d", c.File, len(got.Median), len(c.Targets))
	}
	for step, want := range c.Answer {
		var have []float64
		for k := range c.Targets {
			if len(got.Levels) == 1 {
				have = append(have, got.Low[0][k][step], got.Median[k][step], got.High[0][k][step])
			} else {
				have = append(have, got.Median[k][step])
			}
		}
		for i, v := range want {
			if len(have) != len(want) || !(math.Abs(have[i]-v) <= 1e-5*max(1, math.Abs(v))) {
				t.Fatalf("%s: step %d is %v, not %v", c.File, step, have, want)
			}
		}
	}
}

// Rows are forecast as a Context is, where the model reads nothing else.
func TestDartsRows(t *testing.T) {
	c := dartsCases(t)[0]
	m, err := infer.Open(filepath.Join("testdata/darts", c.File))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]float64, len(c.Targets[0]))
	for i := range rows {
		for _, column := range c.Targets {
			rows[i] = append(rows[i], column[i])
		}
	}
	got, err := f.ForecastRows(t.Context(), rows, c.Steps)
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range c.Answer {
		for i, v := range want {
			if !(math.Abs(got[step][i]-v) <= 1e-5*max(1, math.Abs(v))) {
				t.Fatalf("step %d is %v, not %v", step, got[step], want)
			}
		}
	}
	predictions, err := f.PredictRows(t.Context(), rows)
	if err != nil || len(predictions) != len(rows)-f.Window()+f.Horizon() {
		t.Errorf("%d predictions: %v", len(predictions), err)
	}
}

func TestDartsErrors(t *testing.T) {
	for _, c := range dartsCases(t) {
		m, err := infer.Open(filepath.Join("testdata/darts", c.File))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		f, err := infer.NewForecaster(m)
		if err != nil {
			t.Fatal(err)
		}
		full := infer.Context{Targets: c.Targets, Past: c.Past, Future: c.Future, Static: c.Static}
		short := full
		short.Targets, short.Past = nil, nil
		for _, values := range c.Targets {
			short.Targets = append(short.Targets, values[:2])
		}
		for _, values := range c.Past {
			short.Past = append(short.Past, values[:2])
		}
		_, err = f.ForecastContext(t.Context(), short, 1)
		checkField(t, err, "c.Targets[0] is of length 2: it must be of length")
		if len(c.Past) > 0 {
			_, err = f.ForecastContext(t.Context(), full, f.Horizon()+1)
			checkField(t, err, "the model reads covariates that are not known ahead")
		}
		gap := full
		gap.Targets = append([][]float64{append([]float64(nil), c.Targets[0]...)}, c.Targets[1:]...)
		gap.Targets[0][len(gap.Targets[0])-1] = nan
		if _, err := f.ForecastContext(t.Context(), gap, 1); err == nil || !strings.Contains(err.Error(), "knows no missing values") {
			t.Errorf("%s with a gap: %v", c.File, err)
		}
	}
}
