package cli

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

func wave(n int) (text string, values []float32) {
	var b strings.Builder
	b.WriteString("y\n")
	for i := range n {
		y := float32(math.Sin(float64(i) / 8))
		values = append(values, y)
		fmt.Fprintln(&b, y)
	}
	return b.String(), values
}

// TestHidden compares with the eigenvalues of the hidden outputs' covariance,
// which are what principal components explain, and checks that the path has
// these variances.
func TestHidden(t *testing.T) {
	path := writeModel(t, nil)
	text, values := wave(60)
	m, err := infer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	results, err := m.Run(t.Context(), map[string]tensor.Tensor{"input": tensor.Of(values, 1, 60, 1)}, "hidden")
	if err != nil {
		t.Fatal(err)
	}
	hidden := results["hidden"].Data.([]float32)
	for _, test := range []struct {
		args  []string
		first int
	}{{nil, 0}, {[]string{"--last", "20"}, 40}, {[]string{"--last", "1000"}, 0}} {
		status, out, errOut := runMain(text, append([]string{"hidden", path, "--engine", "native", "--csv"}, test.args...)...)
		var ratio [3]float64
		const says = "engine: native\n" +
			"note: the model was trained on \"visitors\" and is given \"y\"\n" +
			"data: column 1 \"y\", 60 values\n" +
			"explained variance: component 1 %f, component 2 %f, together %f\n"
		if _, err := fmt.Sscanf(errOut, says, &ratio[0], &ratio[1], &ratio[2]); err != nil || status != 0 {
			t.Fatalf("status %d: %s (%v)", status, errOut, err)
		}
		eigen, total := spectrum(t, hidden[test.first*32:], 32)
		for k := range 2 {
			if want := eigen[k] / total; !(math.Abs(ratio[k]-want) <= 1e-4) {
				t.Errorf("%v: component %d explains %g, not %g", test.args, k+1, ratio[k], want)
			}
		}
		if !(math.Abs(ratio[0]+ratio[1]-ratio[2]) <= 2e-4) {
			t.Errorf("%v together", ratio)
		}
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(rows) != 61-test.first || fmt.Sprint(rows[0]) != "[row y component 1 component 2]" {
			t.Fatalf("%v: %v, %v", test.args, rows, err)
		}
		for k := range 2 {
			sum := 0.0
			for i, row := range rows[1:] {
				v, err := strconv.ParseFloat(row[2+k], 64)
				if err != nil || row[0] != strconv.Itoa(test.first+i+1) || row[1] != fmt.Sprint(values[test.first+i]) {
					t.Fatal(row, err)
				}
				sum += v * v
			}
			if got := sum / float64(len(rows)-2); !(math.Abs(got-eigen[k]) <= 1e-4*eigen[0]) {
				t.Errorf("%v: component %d has variance %g, not %g", test.args, k+1, got, eigen[k])
			}
		}
	}
}

// spectrum returns the variances in all directions of values, width a row, the
// largest first, and their sum.
func spectrum(t *testing.T, values []float32, width int) (variances []float64, total float64) {
	t.Helper()
	n := len(values) / width
	mean := make([]float64, width)
	for i, v := range values {
		mean[i%width] += float64(v) / float64(n)
	}
	covariance := mat.NewSymDense(width, nil)
	for a := range width {
		for b := a; b < width; b++ {
			sum := 0.0
			for i := range n {
				sum += (float64(values[i*width+a]) - mean[a]) * (float64(values[i*width+b]) - mean[b])
			}
			covariance.SetSym(a, b, sum/float64(n-1))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, false) {
		t.Fatal("the covariance has no eigenvalues")
	}
	ascending := eigen.Values(nil)
	for i := range ascending {
		variances = append(variances, ascending[width-1-i])
		total += ascending[i]
	}
	return variances, total
}

// TestHiddenPicture reads the picture: a dot for every step, a line between two,
// a number for every fifth.
func TestHiddenPicture(t *testing.T) {
	path := writeModel(t, nil)
	text, _ := wave(400)
	picture := filepath.Join(t.TempDir(), "p.svg")
	for _, test := range []struct {
		last    string
		numbers []string
	}{
		{"13", []string{"390", "395", "400"}},
		{"400", []string{"8", "16", "400"}},
	} {
		status, out, errOut := runMain(text, "hidden", path, "--engine", "native", "-o", picture, "--last", test.last)
		if status != 0 || !strings.HasPrefix(out, "explained variance: component 1 0.") {
			t.Fatalf("status %d: %s%s", status, out, errOut)
		}
		svg, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		colors := map[string]bool{}
		for _, c := range regexp.MustCompile(`style="fill:(#[0-9A-F]{6})`).FindAllStringSubmatch(string(svg), -1) {
			colors[c[1]] = true
		}
		if n, _ := strconv.Atoi(test.last); len(colors) < n/3 {
			t.Errorf("%s steps have %d colours", test.last, len(colors))
		}
		for _, number := range append(test.numbers, "step 400") {
			if !strings.Contains(string(svg), ">"+number+"</text>") {
				t.Errorf("no %q in the picture", number)
			}
		}
		if strings.Contains(string(svg), ">397</text>") {
			t.Error("step 397 is numbered")
		}
	}
}

func TestHiddenRefuses(t *testing.T) {
	path := writeModel(t, nil)
	narrow := writeModel(t, func(m *models.Model) {
		m.Spec.Hidden = 1
		m.Params, _ = models.Init(m.Spec, 0)
	})
	wide := writeModel(t, func(m *models.Model) {
		m.Spec.Features, m.Columns, m.Horizon = 2, nil, 0
		m.Params, _ = models.Init(m.Spec, 0)
	})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign.onnx")
	if err := os.WriteFile(foreign, bytes.ReplaceAll(data, []byte("rnnkit"), []byte("elsewh")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stdin  string
		args   []string
		status int
		want   string
	}{
		{"1\n2\n", nil, 2, "name the model"},
		{"", []string{path, "series.csv"}, 2, "rnnkit hidden " + path + " < series.csv"},
		{"1\n2\n", []string{path, "-o", "p.bmp"}, 2, `-o is "p.bmp"`},
		{"1\n2\n", []string{path, "--last", "1"}, 2, "--last is 1"},
		{"", []string{path}, 1, "standard input: no data"},
		{"1\n", []string{path}, 1, "one value is no path"},
		{"1\nx\n", []string{path}, 1, `line 2, column 1: "x" is not a number`},
		{"1\n2\n", []string{path, "--column", "z"}, 1, `no column "z"`},
		{"1\n2\n", []string{narrow}, 1, "2 components of 2 rows and 1 columns"},
		{"1\n2\n", []string{wide}, 1, "does not read a series of one value a step"},
		{"1\n2\n", []string{rhymeModel}, 1, "does not read a series of one value a step"},
		{"1\n2\n", []string{foreign}, 1, "has no rnnkit metadata"},
		{"1\n2\n", []string{path, "-o", "nowhere/p.svg"}, 1, "nowhere/p.svg"},
	} {
		status, out, errOut := runMain(test.stdin, append([]string{"hidden", "--engine", "native"}, test.args...)...)
		if status != test.status || out != "" || !strings.Contains(errOut, test.want) {
			t.Errorf("%v: status %d: %s%s", test.args, status, out, errOut)
		}
	}
}
