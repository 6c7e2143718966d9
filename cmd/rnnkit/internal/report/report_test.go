package report

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/lab"
	"github.com/rnnkit/rnnkit/trainer"
)

func ExampleWrite() {
	r := &lab.Results{
		Seeds:    []uint64{0, 1},
		Recipes:  []string{"best"},
		Complete: true,
		Claims:   []lab.Claim{{Claim: "The rhyme is learned by heart", Figure: "median 0.036", Bound: "at most 0.06", Held: true}},
	}
	var page bytes.Buffer
	if err := Write(&page, r); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(regexp.MustCompile("<title>.*</title>").FindString(page.String()))
	// Output:
	// <title>rnnkit lab: 1 of 1 claims hold</title>
}

// hostile is text that must not become part of the page's code.
const hostile = `</pre><script>console.error("run")</script><img src="http://example.com/x.png">`

// threeSeeds are the results of a lab with three seeds, of all experiments.
func threeSeeds() *lab.Results {
	arm := func(name string, loss float64, confusion *lab.Confusion) lab.Arm {
		a := lab.Arm{
			Name: name, Recipe: "best", Model: "LSTM of 16, linear 1, readout last", Trained: "bce, adam 0.01, batch 64, 20 epochs",
			Command: "rnnkit train echo --recipe best --seed 0 -o echo-lstm-t50-best.onnx",
			Figures: []lab.Figure{
				{Name: "accuracy", Label: "test accuracy", Median: 0.000699682, Min: 0.000475949, Max: 0.001271772},
				{Name: "export_difference", Label: "largest difference of the exported file from the trainer", Median: 1.19e-7, Min: 0, Max: 2.4e-7},
			},
		}
		for seed := range uint64(3) {
			r := lab.Run{
				Seed: seed, Model: fmt.Sprintf("models/a-seed%d.onnx", seed),
				Metrics: fmt.Sprintf("models/a-seed%d.jsonl", seed), Confusion: confusion,
			}
			for epoch := range 20 {
				e := trainer.Epoch{Epoch: epoch + 1, TrainLoss: math.Pow(loss, float64(epoch)/20) * (1 + 0.2*float64(seed)), TestLoss: 0.5}
				if confusion != nil {
					e.TestAccuracy = 1 - 0.5/float64(epoch+1+int(seed))
				}
				r.Epochs = append(r.Epochs, e)
			}
			a.Runs = append(a.Runs, r)
		}
		return a
	}
	matrix := &lab.Confusion{Labels: []string{"other", "palindrome"}, Counts: [][]int{{450, 50}, {0, 500}}}
	forecast := lab.Forecast{Arm: "LSTM, best"}
	orbit := &lab.Trajectory{Arm: "LSTM, best", Explained: [2]float64{0.7134, 0.2318}, Turns: 0.99, WaveTurns: 0.98}
	for i := range 50 {
		sin, cos := math.Sincos(float64(i) / 8)
		forecast.X = append(forecast.X, 810+i)
		forecast.Noisy = append(forecast.Noisy, sin+0.1*cos)
		forecast.True = append(forecast.True, sin)
		forecast.Predicted = append(forecast.Predicted, 0.9*sin)
		orbit.Wave = append(orbit.Wave, sin)
		orbit.Points = append(orbit.Points, [2]float64{1.8 * cos, sin})
	}
	forecast.FedBack = lab.FedBack{X: forecast.X, True: forecast.True, Predicted: forecast.Predicted}
	vanishing := lab.Gradient{Arm: "RNN, T=50, best", Norms: []float64{0, 1e-53, 1e-30, 1e-9, 0.02}}
	return &lab.Results{
		Started: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Seconds: 58, Command: "rnnkit lab -o report --seeds 3", Platform: "linux/amd64",
		Seeds: []uint64{0, 1, 2}, Recipes: []string{"notebook", "best"}, Complete: true,
		Experiments: []lab.Experiment{
			{Name: "chars", Title: "A nursery rhyme", Asks: "By heart?", Arms: []lab.Arm{arm("LSTM, best", 0.01, nil)}, Texts: []lab.Text{
				{Arm: "LSTM, best", Prompt: "Twinkle, ", Greedy: true, Text: "twinkle, little star,\nHow I wonder", Exact: true},
				{Arm: "LSTM, best", Prompt: "Twinkle, ", Temperature: 1, SampleSeed: 1, Text: hostile},
			}},
			{
				Name: "sine", Title: "Forecasting", Asks: "How near?", Arms: []lab.Arm{arm("LSTM, best", 0.5, nil)},
				Forecasts: []lab.Forecast{forecast},
			},
			{Name: "echo", Title: "Remembering", Asks: "Which?", Gradients: []lab.Gradient{vanishing},
				Arms: []lab.Arm{arm("RNN, T=50, best", 1, matrix), arm("LSTM, T=50, best", 1e-4, matrix)}},
			{Name: "palindrome", Title: "Palindromes", Asks: "Better?",
				Arms: []lab.Arm{arm("unidirectional, notebook", 0.3, matrix), arm("bidirectional, notebook", 0.1, matrix)}},
			{Name: "hidden", Title: "The hidden state", Asks: "What?", Trajectories: []*lab.Trajectory{orbit, orbit, orbit}},
		},
		Claims: []lab.Claim{
			{
				Experiment: "chars", Claim: hostile, Figure: "median 0.036, from 0.036 to 0.037", Bound: "at most 0.06",
				Held: true, Command: "rnnkit lab -o report --seeds 3 --only chars --recipe best",
			},
			{
				Experiment: "echo", Claim: "An LSTM remembers the first of the bits", Figure: "2 of 3 seeds",
				Bound: "3 of 3 seeds", Command: "rnnkit lab -o report --seeds 3 --only echo",
			},
			{Experiment: "echo", Claim: "The RNN at the same budget", Figure: "median 0.51", Held: true},
			{Claim: "Exported files answer as the trainer does", Figure: "at most 2.9e-06 apart", Bound: "at most 1e-05", Held: true},
		},
	}
}

func render(t *testing.T, r *lab.Results) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	page := render(t, threeSeeds())
	for what, want := range map[string]int{
		"2 of 3 claims hold</strong>":              1,
		"✗ failed":                                 1,
		">shown<":                                  1,
		`href="models/a-seed2.onnx"`:               6,
		`href="models/a-seed2.jsonl"`:              6,
		"Test accuracy: T=50, best</figcaption>":   1,
		"Test accuracy: notebook</figcaption>":     1,
		"Gradient norm of each step: T=50, best</": 1,
		">1350 <small>90.0%</small>":               4, // of three seeds with 450
		"<td>0.0006997</td>":                       6,
		"the rhyme, exactly":                       1,
		"<b>Twinkle, </b>twinkle, little star,\n":  1,
		`max="50"`:                   1,
		`class="number"`:             30, // 10 on each orbit
		"&lt;/pre&gt;&lt;script&gt;": 2,
		"<script>":                   1,
		"<img":                       0,
		"ZgotmplZ":                   0,
		"NaN":                        0,
		"Nothing of it was finished": 0,
		"interrupted":                0,
	} {
		if got := strings.Count(page, what); got != want {
			t.Errorf("%q is in the page %d times, want %d", what, got, want)
		}
	}
}

// TestUnfinished renders what an interrupted lab leaves.
func TestUnfinished(t *testing.T) {
	r := threeSeeds()
	r.Complete, r.Claims = false, nil
	r.Experiments[0].Arms[0].Runs, r.Experiments[0].Arms[0].Figures, r.Experiments[0].Texts = nil, nil, nil // chars
	r.Experiments[2].Arms[0].Runs = r.Experiments[2].Arms[0].Runs[:1]                                       // echo
	r.Experiments[2].Arms[1].Runs = nil
	r.Experiments[4].Trajectories = nil // hidden
	page := render(t, r)
	for what, want := range map[string]int{
		"The lab was interrupted":                1,
		"Nothing of it was finished":             2,
		"not finished":                           2,
		`class="orbit"`:                          0,
		"<th scope=\"row\">RNN, T=50, best</th>": 3, // a model and two figures
		"Files of 1 seed<":                       1,
	} {
		if got := strings.Count(page, what); got != want {
			t.Errorf("%q is in the page %d times, want %d", what, got, want)
		}
	}
	render(t, &lab.Results{})
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.html")
	if err := WriteFile(path, threeSeeds()); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != render(t, threeSeeds()) {
		t.Errorf("%v, %d bytes", err, len(got))
	}
	if err := WriteFile(filepath.Join(path, "index.html"), threeSeeds()); err == nil {
		t.Error("no error where there is no folder")
	}
}

func TestOverSeeds(t *testing.T) {
	run := func(losses ...float64) (r lab.Run) {
		for i, l := range losses {
			r.Epochs = append(r.Epochs, trainer.Epoch{Epoch: i + 1, TrainLoss: l})
		}
		return r
	}
	l := overSeeds([]lab.Run{run(8, 4, 2), run(1, 2), run(3, 9, 1), run(5, 3, 0)}, func(e trainer.Epoch) float64 { return e.TrainLoss })
	if !slices.Equal(l.x, []float64{1, 2}) || !slices.Equal(l.y, []float64{4, 3.5}) || !slices.Equal(l.low, []float64{1, 2}) || !slices.Equal(l.high, []float64{8, 9}) {
		t.Errorf("%+v", l)
	}
}

func TestTicks(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		log    bool
		values []float64
		want   string
	}{
		{false, []float64{0.48, 0.97, nan, inf}, "0.4 0.5 0.6 0.7 0.8 0.9 1"},
		{false, []float64{-1.02, 1}, "-1.5 -1 -0.5 0 0.5 1"},
		{false, []float64{7, 7}, "2 4 6 8 10 12"},
		{false, nil, "0 0.2 0.4 0.6 0.8 1"},
		{true, []float64{0.036, 3.4}, "0.02 0.05 0.1 0.2 0.5 1 2 5"},
		{true, []float64{0.02, 0.2}, "0.02 0.05 0.1 0.2"},
		{true, []float64{0, 1e-4, 0.7, -1}, "0.0001 0.001 0.01 0.1 1"},
		{true, []float64{3.6e-53, 0.03}, "1e-50 1e-40 1e-30 1e-20 1e-10"},
		{true, []float64{2.3, 3.4}, "2 2.5 3 3.5"}, // too short
		{true, []float64{0, 0}, "-0.6 -0.4 -0.2 0 0.2 0.4 0.6"},
		{true, []float64{0.5, 0.5}, "0 0.2 0.4 0.6 0.8 1"},
		{true, []float64{0, 5e-324}, "-0.6 -0.4 -0.2 0 0.2 0.4 0.6"},
		{true, []float64{1, math.Nextafter(1, 2), inf}, "0.4 0.6 0.8 1 1.2 1.4 1.6"},
	} {
		c := chart{Log: test.log, Lines: []line{{x: make([]float64, len(test.values)), y: test.values}}}
		f := c.Frame()
		var got []string
		for _, tick := range f.YTicks() {
			got = append(got, tick.Label)
			if !(tick.At >= top-1e-9 && tick.At <= bottom+1e-9) {
				t.Errorf("%v: %s lies at %g", test.values, tick.Label, tick.At)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%v: %s, want %s", test.values, got, test.want)
		}
	}
}

// TestPlaces looks where points lie in the picture.
func TestPlaces(t *testing.T) {
	c := chart{Log: true, Lines: []line{{x: []float64{1, 2, 3, 4, 5}, y: []float64{0.01, 0, 0.1, math.NaN(), 1}}}}
	f := c.Frame()
	if got, want := f.Path(c.Lines[0]), "M50.0 190.0M197.0 104.0M344.0 18.0"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	if got := f.Band(c.Lines[0]); got != "" {
		t.Errorf("band %s", got)
	}
	l := line{x: []float64{1, 5}, low: []float64{0.01, 0.1}, high: []float64{0.1, 1}}
	if got, want := f.Band(l), "M50.0 190.0L344.0 104.0L344.0 18.0L50.0 104.0Z"; got != want {
		t.Errorf("band %s, want %s", got, want)
	}

	s := square([]float64{-2, 2}, []float64{-1, 1})
	if dx, dy := s.x.at(1)-s.x.at(0), s.y.at(0)-s.y.at(1); !(math.Abs(dx-dy) < 1e-9) || !(s.x.at(-2) > left && s.x.at(2) < right) {
		t.Errorf("a unit is %g wide and %g high", dx, dy)
	}
}
