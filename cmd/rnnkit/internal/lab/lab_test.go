package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

func ExampleDo() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	r, err := Do(context.Background(), Options{Folder: folder, Seeds: 1, Only: []string{"palindrome"}, Recipes: []string{presets.Notebook}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range r.Experiments[0].Arms {
		fmt.Println(a.Name+":", a.Model, "-", a.Trained)
	}
	// Output:
	// unidirectional, notebook: embedding 8, RNN of 16, linear 1, readout last - bce, adam 0.01, batch 64, 15 epochs
	// bidirectional, notebook: embedding 8, bidirectional RNN of 16, linear 1, readout last - bce, adam 0.01, batch 64, 15 epochs
}

// TestDo looks at all that a small lab leaves.
func TestDo(t *testing.T) {
	if testing.Short() {
		t.Skip("trains models")
	}
	folder := filepath.Join(t.TempDir(), "a", "b")
	var seen []Progress
	r, err := Do(t.Context(), Options{
		Folder: folder, Seeds: 2, Only: []string{"palindrome"}, Recipes: []string{presets.Notebook}, Workers: 3,
		OnRun: func(p Progress) { seen = append(seen, p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 4 || seen[3].Done != 4 || seen[3].All != 4 {
		t.Errorf("the progress is %+v", seen)
	}
	if !r.Complete || len(r.Experiments) != 1 || !slices.Equal(r.Seeds, []uint64{0, 1}) {
		t.Errorf("complete %t, %d experiments, seeds %v", r.Complete, len(r.Experiments), r.Seeds)
	}
	for _, a := range r.Experiments[0].Arms {
		if len(a.Runs) != 2 || a.Runs[0].Seed != 0 || a.Runs[1].Seed != 1 {
			t.Fatalf("%s: %+v", a.Name, a.Runs)
		}
		for _, run := range a.Runs {
			c := run.Confusion.Counts
			right := float64(c[0][0]+c[1][1]) / 1000
			if c[0][0]+c[0][1] != 500 || c[1][0]+c[1][1] != 500 || right != run.Figures[accuracy] || right != run.Epochs[14].TestAccuracy {
				t.Errorf("%s: confusion %v, figures %v", a.Name, c, run.Figures)
			}
			m, err := infer.Open(filepath.Join(folder, run.Model))
			if err != nil {
				t.Fatal(err)
			}
			if meta := m.Metadata(); meta.Training.Seed != run.Seed || meta.Spec != a.Spec || meta.Training.TestAccuracy != right {
				t.Errorf("%s: %+v", a.Name, meta)
			}
			rows, err := os.ReadFile(filepath.Join(folder, run.Metrics))
			if err != nil || strings.Count(string(rows), "\n") != 15 {
				t.Errorf("%s: %v: %s", a.Name, err, rows)
			}
		}
		if i := slices.IndexFunc(a.Figures, func(f Figure) bool { return f.Name == accuracy }); i < 0 || a.Figures[i].Median != (a.Runs[0].Figures[accuracy]+a.Runs[1].Figures[accuracy])/2 {
			t.Errorf("%s: %+v", a.Name, a.Figures)
		}
	}
	data, err := os.ReadFile(filepath.Join(folder, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read Results
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	if read.Started = r.Started; !reflect.DeepEqual(&read, withoutExamples(r)) {
		t.Error("results.json is not what is returned")
	}
}

// withoutExamples clears what JSON leaves out.
func withoutExamples(r *Results) *Results {
	for _, e := range r.Experiments {
		for _, a := range e.Arms {
			for _, run := range a.Runs {
				for i := range run.Epochs {
					run.Epochs[i].Examples = 0
				}
			}
		}
	}
	return r
}

func TestInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("trains models")
	}
	ctx, cancel := context.WithCancel(t.Context())
	folder := t.TempDir()
	r, err := Do(ctx, Options{Folder: folder, Seeds: 50, Only: []string{"palindrome"}, Recipes: []string{presets.Notebook}, Workers: 1,
		OnRun: func(p Progress) {
			if p.Done == 2 {
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) || r.Complete || len(r.Claims) != 3 {
		t.Errorf("%v, %+v", err, r.Claims)
	}
	for _, a := range r.Experiments[0].Arms {
		if len(a.Runs) != 1 {
			t.Errorf("%s has %d runs", a.Name, len(a.Runs))
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "results.json")); err != nil {
		t.Error(err)
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Do(t.Context(), Options{Folder: file, Seeds: 1, Recipes: []string{presets.Notebook}}); err == nil || !strings.Contains(err.Error(), "cannot write the report") {
		t.Errorf("the error is %v", err)
	}
}

func TestNothingToTrain(t *testing.T) {
	_, err := Do(t.Context(), Options{Folder: t.TempDir(), Seeds: 1, Only: []string{"hidden"}, Recipes: []string{presets.Notebook}})
	if err == nil || !strings.Contains(err.Error(), "nothing to train") {
		t.Errorf("the error is %v", err)
	}
}

// TestArms: each has a file of its own, and what its command says is what it
// trains.
func TestArms(t *testing.T) {
	both := []string{presets.Notebook, presets.Best}
	all := arms(Options{Seeds: 3, Recipes: both})
	files := map[string]bool{}
	for _, a := range all {
		files[a.file()] = true
		if err := a.options.Validate(); err != nil {
			t.Errorf("%s: %v", a.file(), err)
		}
		c := a.command(7)
		if strings.Contains(c, "--cell rnn") != (a.options.Spec.Cell == models.RNN && a.experiment() == "echo") ||
			strings.Contains(c, "--length 200") != (a.options.Window == 200) || strings.Contains(c, "--bidirectional") != a.options.Spec.Bidirectional ||
			!strings.Contains(c, "--recipe "+a.recipe+" --seed 7 -o "+a.file()+".onnx") {
			t.Errorf("%s: %s", a.file(), c)
		}
	}
	if len(all) != 14 || len(files) != 14 {
		t.Errorf("%d arms, %d files", len(all), len(files))
	}
	for _, test := range []struct {
		only    []string
		recipes []string
		want    int
	}{
		{nil, []string{presets.Best}, 8},
		{[]string{"hidden"}, both, 1},
		{[]string{"hidden"}, []string{presets.Notebook}, 0},
		{[]string{"echo", "sine"}, both, 8},
	} {
		if got := arms(Options{Only: test.only, Recipes: test.recipes}); len(got) != test.want {
			t.Errorf("%+v: %d arms", test, len(got))
		}
	}
}

// TestShift moves a wave, stretches it and takes a part of it away.
func TestShift(t *testing.T) {
	const half, begin, n = 25.0, 1000.0, 200
	wave := func(f func(row float64) float64) []float64 {
		y := make([]float64, n)
		for i := range y {
			y[i] = f(begin + float64(i))
		}
		return y
	}
	sine := func(row float64) float64 { return math.Sin(row * math.Pi / half) }
	for _, test := range []struct {
		name      string
		y         []float64
		low, high float64
	}{
		{"the wave", wave(sine), 0, 0.01},
		{"later by 1.5", wave(func(r float64) float64 { return sine(r - 1.5) }), 1.49, 1.51},
		{"earlier by 3", wave(func(r float64) float64 { return 0.3 * sine(r+3) }), 2.99, 3.01},
		{"slower by 2%", wave(func(r float64) float64 { return sine(begin + 0.98*(r-begin)) }), 3, 4.1},
		{"upside down", wave(func(r float64) float64 { return -sine(r) }), half / 2, math.Inf(1)},
		{"dead", make([]float64, n), half / 2, math.Inf(1)},
		{"dying", wave(func(r float64) float64 {
			if r > begin+110 {
				return 1
			}
			return sine(r)
		}), half / 2, math.Inf(1)},
		{"trembling", wave(func(r float64) float64 { return sine(r) + math.Mod(r, 2) - 0.5 }), half / 2, math.Inf(1)},
	} {
		if got := shift(test.y, half, begin); !(got >= test.low && got <= test.high) {
			t.Errorf("%s: %g, not from %g to %g", test.name, got, test.low, test.high)
		}
	}
}

func TestTurns(t *testing.T) {
	for _, want := range []float64{1, 2.5} { // of a part of a turn the centre lies elsewhere
		for _, sign := range []float64{1, -1} {
			var points [][2]float64
			for i := range 400 {
				s, c := math.Sincos(sign * want * 2 * math.Pi * float64(i) / 399)
				points = append(points, [2]float64{5 + 3*c, -2 + s})
			}
			got := turns(points)
			if !(math.Abs(got-want) <= 0.02) {
				t.Errorf("%g turns, not %g", got, want)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	if median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1, 3, 2}) != 2.5 || median([]float64{7}) != 7 {
		t.Error("it is not the middle")
	}
}

// TestClaims puts figures on both sides of every bound.
func TestClaims(t *testing.T) {
	arm := func(experiment, name string, figures map[string]float64) Experiment {
		e := Experiment{Name: experiment, Arms: []Arm{{Name: name}}}
		for seed := range uint64(10) {
			e.Arms[0].Runs = append(e.Arms[0].Runs, Run{Seed: seed, Figures: figures})
		}
		return e
	}
	echo := func(lstm float64) []Experiment {
		return []Experiment{
			arm("echo", "LSTM, T=50, best", map[string]float64{accuracy: lstm}),
			arm("echo", "RNN, T=50, best", map[string]float64{accuracy: 0.5}),
		}
	}
	directions := func(uni, bi float64) []Experiment {
		return []Experiment{
			arm("palindrome", "unidirectional, best", map[string]float64{accuracy: uni}),
			arm("palindrome", "bidirectional, best", map[string]float64{accuracy: bi}),
		}
	}
	for _, test := range []struct {
		experiments []Experiment
		claim       string
		held        bool
	}{
		{[]Experiment{arm("chars", "LSTM, notebook", map[string]float64{trainLoss: 2.3})}, "training loss as PyTorch's", true},
		{[]Experiment{arm("chars", "LSTM, notebook", map[string]float64{trainLoss: 2.41})}, "training loss as PyTorch's", false},
		{[]Experiment{arm("sine", "LSTM, notebook", map[string]float64{testMSE: 0.0099})}, "test MSE as PyTorch's", false},
		{[]Experiment{arm("chars", "LSTM, best", map[string]float64{trainLoss: 0.05, greedyRight: 104, samplesDiffer: 2})}, "by heart", true},
		{[]Experiment{arm("chars", "LSTM, best", map[string]float64{trainLoss: 0.07, greedyRight: 104, samplesDiffer: 2})}, "by heart", false},
		{[]Experiment{arm("chars", "LSTM, best", map[string]float64{trainLoss: 0.05, greedyRight: 104, samplesDiffer: 2})}, "other 104", true},
		{[]Experiment{arm("chars", "LSTM, best", map[string]float64{trainLoss: 0.05, greedyRight: 103, samplesDiffer: 2})}, "other 104", false},
		{[]Experiment{arm("chars", "LSTM, best", map[string]float64{trainLoss: 0.05, greedyRight: 104, samplesDiffer: 1})}, "Sampled", false},
		{[]Experiment{arm("sine", "LSTM, best", map[string]float64{cleanMSE: 0.0012, noiseRatio: 1.15, phaseShift: 1.9})}, "without noise", true},
		{
			[]Experiment{arm("sine", "LSTM, best", map[string]float64{cleanMSE: 0.00121, noiseRatio: 1.15, phaseShift: 1.9})},
			"without noise", false,
		},
		{
			[]Experiment{arm("sine", "LSTM, best", map[string]float64{cleanMSE: 0.0012, noiseRatio: 1.16, phaseShift: 1.9})},
			"variance of the test noise", false,
		},
		{[]Experiment{arm("sine", "LSTM, best", map[string]float64{cleanMSE: 0.0012, noiseRatio: 1.15, phaseShift: 2})}, "in phase", false},
		{[]Experiment{arm("sine", "LSTM, best", map[string]float64{cleanMSE: math.NaN(), noiseRatio: 1, phaseShift: 1})}, "without noise", false},
		{echo(0.99), "remembers", true},
		{echo(0.989), "remembers", false},
		{directions(0.93, 0.95), "Read from both ends", true},
		{directions(0.93, 0.949), "Read from both ends", false},
		{directions(0.934, 0.95), "Two directions", true},
		{directions(0.936, 0.95), "Two directions", false},
		{[]Experiment{{Name: "hidden", Trajectories: []*Trajectory{{Turns: 1.1, WaveTurns: 1}}}}, "One turn", true},
		{[]Experiment{{Name: "hidden", Trajectories: []*Trajectory{{Turns: 1.2, WaveTurns: 1}}}}, "One turn", false},
	} {
		l := &lab{Options: Options{Seeds: 10, Recipes: []string{presets.Notebook, presets.Best}}}
		claims := l.claims(test.experiments)
		i := slices.IndexFunc(claims, func(c Claim) bool { return strings.Contains(c.Claim, test.claim) })
		if i < 0 || claims[i].Held != test.held || claims[i].Bound == "" || !strings.HasPrefix(claims[i].Command, "rnnkit lab -o report --seeds 10 --only "+claims[i].Experiment) {
			t.Errorf("%q must be %t: %+v", test.claim, test.held, claims)
		}
	}
}
