package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

// writeModel writes an untrained forecaster of the column visitors, changed by
// change, and returns its path.
func writeModel(t *testing.T, change func(*models.Model)) string {
	t.Helper()
	m, err := models.New(models.Forecaster("visitors", 5), 1)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(m)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := export.WriteFile(path, m); err != nil {
		t.Fatal(err)
	}
	return path
}

// runMain runs the command and returns what it writes.
func runMain(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	status = Main(args, strings.NewReader(stdin), &out, &errOut)
	return status, out.String(), errOut.String()
}

// TestInferIsTheLibrary compares the rows that infer prints, value by value,
// with what the Forecaster answers.
func TestInferIsTheLibrary(t *testing.T) {
	path := writeModel(t, nil)
	m, err := infer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	forecaster, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]float64{}
	table := "visitors,sales\n"
	for i := range 40 {
		a, b := math.Sin(float64(i)), math.Cos(2*float64(i))
		columns["visitors"], columns["sales"] = append(columns["visitors"], a), append(columns["sales"], b)
		table += fmt.Sprintf("%v,%v\n", a, b)
	}
	for _, test := range []struct {
		args, column string
		steps        int
	}{
		{"", "visitors", 0}, // the one that the model was trained on
		{"--column sales", "sales", 0},
		{"--column 2 --steps 7", "sales", 7},
		{"--steps 1", "visitors", 1},
	} {
		series := columns[test.column]
		want := [][]string{{"row", test.column, "prediction"}}
		short := func(y float64) string { return strconv.FormatFloat(y, 'g', -1, 32) }
		if test.steps > 0 {
			next, err := forecaster.Forecast(t.Context(), series, test.steps)
			if err != nil {
				t.Fatal(err)
			}
			for i, y := range next {
				want = append(want, []string{strconv.Itoa(41 + i), "", short(y)})
			}
		} else {
			predictions, err := forecaster.Predict(t.Context(), series)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 41 {
				row := []string{strconv.Itoa(i + 1), "", ""}
				if i < 40 {
					row[1] = fmt.Sprint(series[i])
				}
				if i >= 5 {
					row[2] = short(predictions[i-5])
				}
				want = append(want, row)
			}
		}
		status, out, errOut := runMain(table, append([]string{"infer", path, "--engine", "native"}, strings.Fields(test.args)...)...)
		if status != 0 || !strings.HasPrefix(errOut, "engine: native\ndata: column ") || !strings.HasSuffix(errOut, fmt.Sprintf(" %q, 40 values\n", test.column)) {
			t.Errorf("%s: status %d: %s", test.args, status, errOut)
		}
		got, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v (%v), not %v", test.args, got, err, want)
		}
	}
	// A file of one unnamed column is as good as one with the model's name.
	if status, out, errOut := runMain("0\n0.1\n0.2\n0.3\n0.4\n", "infer", path, "--engine", "native"); status != 0 || !strings.HasPrefix(out, "row,column 1,prediction\n") {
		t.Errorf("status %d: %s%s", status, out, errOut)
	}
}

// TestPlot reads the curves back out of the SVG: how many points each has, and
// where it begins.
func TestInferTooFewRows(t *testing.T) {
	status, out, errOut := runMain("1\n2\n3\n", "infer", writeModel(t, nil), "--engine", "native")
	want := ".onnx: the data is of length 3: it must be longer: the model needs at least its window of 5\n"
	if status != 1 || out != "" || !strings.HasSuffix(errOut, want) {
		t.Errorf("status %d: %s%s, not %q", status, out, errOut, want)
	}
}

// TestInData has the arguments of infer, whose indices count from 0, as people count in
// the data.
func TestInData(t *testing.T) {
	for path, want := range map[string]string{
		"rows": "the data", "rows[4]": "row 5", "rows[4][0]": "row 5, column 1",
		"sequences[0]": "row 1", "sequences[9][1]": "row 10, step 2", "sequences[9][1][2]": "row 10, step 2, feature 3",
		"steps": "--steps", "Labels[1]": "Labels[1]", "m": "m",
	} {
		err := inData(fmt.Errorf("wrapped: %w", &models.FieldError{Field: path, Value: 1, Want: "2"}))
		var field *models.FieldError
		if !errors.As(err, &field) || field.Field != want || field.Value != 1 || field.Want != "2" {
			t.Errorf("%s: the error is %v, not of %s", path, err, want)
		}
	}
	if err := inData(io.EOF); err != io.EOF {
		t.Errorf("the error is %v", err)
	}
}

func TestPlot(t *testing.T) {
	path := writeModel(t, nil)
	var series strings.Builder
	for i := range 400 {
		fmt.Fprintln(&series, math.Sin(float64(i)))
	}
	picture := filepath.Join(t.TempDir(), "p.svg")
	for args, want := range map[string][2]int{"": {249, 250}, "--steps 30": {220, 1 + 30}} { // a forecast begins at the last value
		if status, _, errOut := runMain(series.String(), append([]string{"infer", path, "--engine", "native", "--plot", picture}, strings.Fields(args)...)...); status != 0 {
			t.Fatalf("status %d: %s", status, errOut)
		}
		svg, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		values, predictions := curve(string(svg), "404A5C"), curve(string(svg), "1D6FD6")
		if len(values) != want[0] || len(predictions) != want[1] {
			t.Errorf("%q: the curves have %d and %d points, not %v", args, len(values), len(predictions), want)
			continue
		}
		// The last prediction is of the row after the last.
		if step := values[1] - values[0]; !(predictions[len(predictions)-1]-values[len(values)-1] > 0.9*step) {
			t.Errorf("%q: the values end at %g, the predictions at %g", args, values[len(values)-1], predictions[len(predictions)-1])
		}
	}
}

// curve returns the x of the points of the longest path of that colour.
func curve(svg, color string) (x []float64) {
	for _, path := range regexp.MustCompile(`<path d="M([^"]*)" style="[^"]*stroke:#`+color).FindAllStringSubmatch(svg, -1) {
		if points := strings.Split(path[1], "L"); len(points) > len(x) {
			x = nil
			for _, p := range points {
				v, _ := strconv.ParseFloat(strings.Split(p, ",")[0], 64)
				x = append(x, v)
			}
		}
	}
	return x
}

// TestVerifyFails runs a model whose answers are not numbers, of which no engine can
// tell that it agrees.
func TestVerifyFails(t *testing.T) {
	path := writeModel(t, func(m *models.Model) { m.Params.Head.B[0] = float32(math.NaN()) })
	status, _, errOut := runMain("", "verify", path)
	if status != 1 || !strings.Contains(errOut, `native: output "output" cannot be compared: value 0 is NaN in both`) {
		t.Errorf("status %d: %s", status, errOut)
	}
	if status, out, errOut := runMain("", "verify", writeModel(t, func(m *models.Model) { m.State = m.Spec.State() })); status != 0 || !regexp.MustCompile(`(?m)^native +0\.0e\+00 +\d`).MatchString(out) {
		t.Errorf("status %d: %s%s", status, out, errOut)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	path := writeModel(t, nil)
	for _, stdin := range []string{"", "\n\n", "a,b\n1,2\n", "\"\nx\n", "\xff\xfe\x00", strings.Repeat("1,", 20000), "1\n2\n"} {
		status, out, errOut := runMain(stdin, "infer", path, "--engine", "native")
		if status != 1 || out != "" || strings.Count(strings.Replace(errOut, "\ndata: column 1, 2 values", "", 1), "\n") != 2 || !strings.Contains(errOut, "\nrnnkit: ") {
			t.Errorf("%.20q: status %d: %s%s", stdin, status, out, errOut)
		}
	}
	err := errors.Join(errors.New("a"), errors.New("b"))
	if status, _, errOut := failingMain(err); status != 1 || errOut != "rnnkit: standard input: cannot read the data: a; b\n" {
		t.Errorf("status %d: %q", status, errOut)
	}
}

// failingMain runs a command whose input cannot be read.
func failingMain(err error) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	status = Main([]string{"train", "forecast", "--data", "-", "-o", "m.onnx"}, failing{err}, &out, &errOut)
	return status, out.String(), errOut.String()
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// TestVerifySteps swaps the names of the state in the metadata, which only the
// steps notice.
func TestVerifySteps(t *testing.T) {
	path := writeModel(t, func(m *models.Model) { m.State = m.Spec.State() })
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	swapped := bytes.Replace(data, []byte(`"output":"hn"},{"input":"c0","output":"cn"`), []byte(`"output":"cn"},{"input":"c0","output":"hn"`), 1)
	if err := os.WriteFile(path, swapped, 0o644); err != nil || bytes.Equal(swapped, data) {
		t.Fatal("the state is not swapped", err)
	}
	if status, _, errOut := runMain("", "verify", path); status != 1 || !strings.Contains(errOut, "differs") {
		t.Errorf("status %d: %s", status, errOut)
	}
}

// TestInferColumns has a model of two columns that predicts two steps of the second. It
// finds its columns by their names.
func TestInferColumns(t *testing.T) {
	path := writeModel(t, func(m *models.Model) {
		m.Metadata = models.Forecaster("", 3)
		m.Columns, m.Target, m.Horizon = []string{"a", "b"}, "b", 2
		m.Spec.Features, m.Spec.Outputs = 2, 2
		m.Params, _ = models.Init(m.Spec, 5)
	})
	m, err := infer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	next, err := f.ForecastRows(t.Context(), [][]float64{{1, 0.1}, {2, 0.2}, {3, 0.4}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("row,b,prediction\n4,,%v\n5,,%v\n", float32(next[0][0]), float32(next[1][0]))
	const data = "b,other,a\n0.1,7,1\n0.2,7,2\n0.4,7,3\n"
	status, out, errOut := runMain(data, "infer", path, "--engine", "native", "--steps", "2")
	if status != 0 || out != want {
		t.Errorf("status %d: %s%s, not %s", status, out, errOut, want)
	}
	if status, out, errOut := runMain("b,c\n1,2\n", "infer", path, "--engine", "native"); status != 1 || !strings.Contains(errOut, `no column "a"`) {
		t.Errorf("status %d: %s%s", status, out, errOut)
	}
}
