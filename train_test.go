package rnnkit_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// exampleFile is read before TestMain leaves the folder.
var exampleFile = must(os.ReadFile("example_test.go"))

// TestExamplesAreShort holds the programs to the lines that a reader can remember.
func TestExamplesAreShort(t *testing.T) {
	limits := map[string]int{"ExampleNewClassifier": 12, "ExampleNewForecaster": 25, "ExampleNewForecaster_slices": 7, "ExampleNewStepForecaster": 15, "ExampleNewGenerator": 10, "Example_stream": 25}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "example_test.go", exampleFile, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || limits[f.Name.Name] == 0 {
			continue
		}
		body := string(exampleFile[files.Position(f.Body.Lbrace).Offset+2 : files.Position(f.Body.Rbrace).Offset])
		body, _, _ = strings.Cut(body, "\t// Output")
		if n := len(regexp.MustCompile(`\S.*`).FindAllString(body, -1)); n > limits[f.Name.Name] {
			t.Errorf("%s has %d lines, more than %d", f.Name.Name, n, limits[f.Name.Name])
		}
		delete(limits, f.Name.Name)
	}
	if len(limits) > 0 {
		t.Errorf("no examples: %v", limits)
	}
}

func train(t *testing.T, job *rnnkit.Job, err error) *rnnkit.Result {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	r, err := job.Train(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t *testing.T, r *rnnkit.Result) *infer.Model {
	t.Helper()
	m, err := r.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestChannelsReachTheService trains on channels of very different sizes, of which the
// small one tells the label, and classifies raw values from the file.
func TestChannelsReachTheService(t *testing.T) {
	var sequences [][][]float64
	var labels []string
	for i := range 200 {
		var steps [][]float64
		for s := range 5 + i%3 {
			steps = append(steps, []float64{1e5 + 1e3*math.Sin(float64(7*i+s)), 1e-3 * (float64(i%3) - 1)})
		}
		sequences, labels = append(sequences, steps), append(labels, []string{"low", "mid", "top"}[i%3])
	}
	o := rnnkit.DefaultClassifierOptions()
	o.Fit.Epochs = 20
	job, err := rnnkit.NewClassifier(sequences, labels, o)
	r := train(t, job, err)
	if s := r.Model.InputScale; len(s.Mean) != 2 || !(math.Abs(float64(s.Mean[0])-1e5) < 200) || !(math.Abs(float64(s.Std[1])-8.2e-4) < 1e-4) {
		t.Errorf("the scale of the channels is %+v", s)
	}
	c, err := infer.NewClassifier(open(t, r))
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, steps := range sequences {
		var values []float32
		for _, step := range steps {
			values = append(values, float32(step[0]), float32(step[1]))
		}
		p, err := c.Classify(t.Context(), tensor.Of(values, len(steps), 2))
		if err != nil {
			t.Fatal(err)
		}
		if c.Labels()[slices.Index(p, slices.Max(p))] == labels[i] {
			right++
		}
	}
	if right < 195 {
		t.Errorf("%d of %d are right", right, len(sequences))
	}
}

// TestForecastIsOfTheTarget runs the file on raw values and computes what the summary
// says of them by hand.
func TestForecastIsOfTheTarget(t *testing.T) {
	columns := sales()
	for _, target := range []string{"units", "price", ""} {
		o := rnnkit.DefaultStepForecasterOptions()
		o.Window, o.Horizon, o.Target, o.Fit.Epochs = 10, 3, target, 30
		job, err := rnnkit.NewStepForecaster(columns, o)
		r := train(t, job, err)
		m := open(t, r)
		targets := []int{0, 1}
		if at := slices.IndexFunc(columns, func(c datasets.Column) bool { return c.Name == target }); at >= 0 {
			targets = []int{at}
		}
		tests := job.TestData.Len()
		off, repeating := make([]float64, 2), make([]float64, 2)
		for i := range tests {
			end := len(columns[0].Values) - tests - o.Horizon + 1 + i // of the window
			var window []float32
			for step := end - o.Window; step < end; step++ {
				window = append(window, float32(columns[0].Values[step]), float32(columns[1].Values[step]))
			}
			got, err := m.Run(t.Context(), map[string]tensor.Tensor{"input": tensor.Of(window, 1, o.Window, 2)}, "output")
			if err != nil {
				t.Fatal(err)
			}
			y := got["output"].Data.([]float32)
			for k, v := range y {
				c := targets[k%len(targets)]
				want := columns[c].Values[end+k/len(targets)]
				off[c] += (float64(v) - want) * (float64(v) - want) / float64(tests*o.Horizon)
				repeating[c] += math.Pow(columns[c].Values[end-1]-want, 2) / float64(tests*o.Horizon)
			}
		}
		var want, got []float64
		for _, c := range targets {
			want = append(want, math.Sqrt(off[c]), math.Sqrt(repeating[c]))
			if !(off[c] < repeating[c]) {
				t.Errorf("target %q: off by %g, repeating by %g", target, off[c], repeating[c])
			}
		}
		for _, n := range regexp.MustCompile(`is off by ([\d.e+-]+)|off by ([\d.e+-]+),`).FindAllStringSubmatch(r.Summary, -1) {
			v, _ := strconv.ParseFloat(n[1]+n[2], 64)
			got = append(got, v)
		}
		near := func(a, b float64) bool { return math.Abs(a-b) < 2e-3*b }
		if !slices.EqualFunc(got, want, near) {
			t.Errorf("target %q: the summary is %q, by hand %v", target, r.Summary, want)
		}
	}
}

// TestStartKeepsItsMeaning goes on with the scale, labels and vocabulary of a model.
func TestStartKeepsItsMeaning(t *testing.T) {
	sequences, labels := gestures()
	o := rnnkit.DefaultClassifierOptions()
	job, err := rnnkit.NewClassifier(sequences, labels, o)
	r := train(t, job, err)
	before := slices.Clone(r.Model.Params.Data)
	if o.Start, err = export.Unmarshal(r.File); err != nil {
		t.Fatal(err)
	}
	o.Spec.Hidden = 7   // that of Start holds
	for i := range 60 { // other units than before
		for _, step := range sequences[i] {
			step[1] += 100
		}
	}
	if job, err = rnnkit.NewClassifier(sequences[:60], labels[:60], o); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(job.Model.Params.Data, before) || job.Model.Spec != r.Model.Spec || job.Model.InputScale.Mean[1] != r.Model.InputScale.Mean[1] {
		t.Errorf("%+v", job.Model.Metadata)
	}
	if _, err := job.Train(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.Start.Params.Data, before) {
		t.Error("training changed Start")
	}
}

func TestStartThatDoesNotFit(t *testing.T) {
	sequences, labels := gestures()
	forecaster, err := export.ReadFile(sineFile)
	if err != nil {
		t.Fatal(err)
	}
	job, err := rnnkit.NewClassifier(sequences, labels, rnnkit.DefaultClassifierOptions())
	if err != nil {
		t.Fatal(err)
	}
	classifier := job.Model
	if job, err = rnnkit.NewGenerator(strings.Repeat("abc", 500), rnnkit.DefaultGeneratorOptions()); err != nil {
		t.Fatal(err)
	}
	generator := job.Model
	column := func(name string) []datasets.Column {
		return []datasets.Column{{Name: name, Values: datasets.Sine(300, 0, 0)}}
	}
	for want, make := range map[string]func(o rnnkit.ClassifierOptions) error{
		"Start.Task is \"forecast\": it must be classify": func(o rnnkit.ClassifierOptions) error {
			o.Start = forecaster
			_, err := rnnkit.NewClassifier(sequences, labels, o)
			return err
		},
		`labels[0] is "left": it must be one of ["down" "up"]`: func(o rnnkit.ClassifierOptions) error {
			o.Start = classifier
			_, err := rnnkit.NewClassifier(sequences[:2], []string{"left", "up"}, o)
			return err
		},
		"Start.Spec.Features is": func(o rnnkit.ClassifierOptions) error {
			o.Start = classifier
			_, err := rnnkit.NewClassifier([][]float64{{1}, {2}, {3}, {4}, {5}, {6}}, []string{"up", "down", "up", "down", "up", "down"}, o)
			return err
		},
		`["y"], as those of Start: these are ["z"]`: func(rnnkit.ClassifierOptions) error {
			o := rnnkit.DefaultStepForecasterOptions()
			o.Start = forecaster
			_, err := rnnkit.NewStepForecaster(column("z"), o)
			return err
		},
		"character 'd'": func(rnnkit.ClassifierOptions) error {
			o := rnnkit.DefaultGeneratorOptions()
			o.Start = generator
			_, err := rnnkit.NewGenerator(strings.Repeat("abcd", 500), o)
			return err
		},
		`Horizon is 3: it must be 1, as that of Start`: func(rnnkit.ClassifierOptions) error {
			o := rnnkit.DefaultStepForecasterOptions()
			o.Start, o.Horizon = forecaster, 3
			_, err := rnnkit.NewStepForecaster(column("y"), o)
			return err
		},
		`Target is "x": it must be "`: func(rnnkit.ClassifierOptions) error {
			o := rnnkit.DefaultStepForecasterOptions()
			o.Start, o.Target = forecaster, "x"
			_, err := rnnkit.NewStepForecaster(column("y"), o)
			return err
		},
		"Window is 65: it must be 64, as that of Start": func(rnnkit.ClassifierOptions) error {
			o := rnnkit.DefaultGeneratorOptions()
			o.Start, o.Window = generator, 65
			_, err := rnnkit.NewGenerator(strings.Repeat("abc", 500), o)
			return err
		},
		"Start.Params": func(rnnkit.ClassifierOptions) error {
			o := rnnkit.DefaultStepForecasterOptions()
			o.Start = &models.Model{Metadata: forecaster.Metadata}
			_, err := rnnkit.NewStepForecaster(column("y"), o)
			return err
		},
	} {
		if err := make(rnnkit.DefaultClassifierOptions()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// TestDataThatDoNotFit names the value.
func TestDataThatDoNotFit(t *testing.T) {
	forecast := func(change func(o *rnnkit.StepForecasterOptions), columns ...datasets.Column) error {
		o := rnnkit.DefaultStepForecasterOptions()
		o.Window = 5
		change(&o)
		_, err := rnnkit.NewStepForecaster(columns, o)
		return err
	}
	same := func(*rnnkit.StepForecasterOptions) {}
	classify := func(sequences [][][]float64, labels ...string) error {
		_, err := rnnkit.NewClassifier(sequences, labels, rnnkit.DefaultClassifierOptions())
		return err
	}
	y := datasets.Sine(50, 0, 0)
	bad := append(slices.Clone(y), math.NaN())
	text := func(text string) error {
		_, err := rnnkit.NewGenerator(text, rnnkit.DefaultGeneratorOptions())
		return err
	}
	short, empty := text("abc"), text("")
	for want, err := range map[string]error{
		"columns is of length 0":   forecast(same),
		"columns[0].Values[50]":    forecast(same, datasets.Column{Values: bad}),
		"columns[1].Name is \"a\"": forecast(same, datasets.Column{Name: "a", Values: y}, datasets.Column{Name: "a", Values: y}),
		"columns[1].Name is \"\"":  forecast(same, datasets.Column{Name: "a", Values: y}, datasets.Column{Values: y}),
		"Target":                   forecast(func(o *rnnkit.StepForecasterOptions) { o.Target = "b" }, datasets.Column{Name: "a", Values: y}),
		"Window":                   forecast(func(o *rnnkit.StepForecasterOptions) { o.Window = 50 }, datasets.Column{Values: y}),
		"Fit.Patience":             forecast(func(o *rnnkit.StepForecasterOptions) { o.HeldOut, o.Fit.Patience = 0, 3 }, datasets.Column{Values: y}),
		"Fit.Schedule.Shape": forecast(
			func(o *rnnkit.StepForecasterOptions) { o.HeldOut, o.Fit.Schedule.Shape = 0, trainer.Plateau }, datasets.Column{Values: y},
		),
		"TBPTT":           forecast(func(o *rnnkit.StepForecasterOptions) { o.TBPTT = 40 }, datasets.Column{Values: y}),
		"sequences[1]":    classify([][][]float64{{{1}}, {}}, "a", "b"),
		"sequences[1][0]": classify([][][]float64{{{1, 2}}, {{1}}}, "a", "b"),
		"sequences[0][1]": classify([][][]float64{{{1}, {math.Inf(1)}}}, "a"),
		"columns[1].Values is of length 0: it must be numbers, and \"date\" has none": forecast(same, datasets.Column{Values: y}, datasets.Column{Name: "date"}),
		"columns[1].Values is of length 49: it must be of length 50":                  forecast(same, datasets.Column{Name: "a", Values: y}, datasets.Column{Name: "b", Values: y[1:]}),
		"labels is of length 1":                         classify([][][]float64{{{1}}, {{2}}}, "a"),
		`labels[1] is "": it must be`:                   classify([][][]float64{{{1}}, {{2}}}, "a", ""),
		`labels is "a": it must be two different`:       classify([][][]float64{{{1}}, {{2}}}, "a", "a"),
		"Window is 64":                                  short,
		"text is \"\"":                                  empty,
		"text[2] is 255: it must be part of":            text("ab\xffab"),
		`text is "aaaaaaaaaaaaaaaaaaaa": it must be of`: text(strings.Repeat("a", 500)),
	} {
		var field *models.FieldError
		if !errors.As(err, &field) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %v, not about %s", err, want)
		} else if value := fmt.Sprintf("%#v", field.Value); len(value) > 100 {
			t.Errorf("%v has a value of %d characters", err, len(value))
		}
	}
}

// TestTooShort finds the cause through the options, and says once how long the data are.
func TestTooShort(t *testing.T) {
	forecast := func(window, horizon int, heldOut float64) error {
		o := rnnkit.DefaultStepForecasterOptions()
		o.Window, o.Horizon, o.HeldOut = window, horizon, heldOut
		_, err := rnnkit.NewStepForecaster([]datasets.Column{{Values: datasets.Sine(300, 0, 0)}}, o)
		return err
	}
	generate := func(text string) error {
		_, err := rnnkit.NewGenerator(text, rnnkit.DefaultGeneratorOptions())
		return err
	}
	classify := func(labels ...string) error {
		_, err := rnnkit.NewClassifier([][]float64{{1}, {2}, {3}, {4}, {5}}[:len(labels)], labels, rnnkit.DefaultClassifierOptions())
		return err
	}
	for want, err := range map[string]error{
		"Window is 500: it must be shorter, or the series longer: the series has 300 values":                                                forecast(500, 1, 0),
		"Window is 290: it must be shorter, or the series longer, for a horizon of 7: the series has 300 values, of which 20% are held out": forecast(290, 7, 0.2),
		"Window is 64: it must be shorter, or the text longer: the text has 90 characters, of which 10% are held out":                       generate(strings.Repeat("né", 45)),
		`list of 2 sequences is too short to hold 20% out: none of the label "a" would train, so use more of them`:                          classify("a", "b"),
		`list of 5 sequences is too short to hold 20% out: none of the label "c" would train, so use more of them`:                          classify("a", "b", "c", "d", "e"),
	} {
		if !errors.Is(err, datasets.ErrTooShort) || err.Error() != want {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

// TestSequenceOfANamedType trains on types that a program gave names.
func TestSequenceOfANamedType(t *testing.T) {
	type one []float64
	type several [][]float64
	var ones []one
	var all []several
	var labels []string
	for i := range 20 {
		ones, all = append(ones, one{float64(i), 2}), append(all, several{{float64(i), 2}, {3, 4}})
		labels = append(labels, []string{"even", "odd"}[i%2])
	}
	job, err := rnnkit.NewClassifier(ones, labels, rnnkit.DefaultClassifierOptions())
	if err != nil || job.Model.Spec.Features != 1 || job.Steps != 2 {
		t.Errorf("%v", err)
	}
	job, err = rnnkit.NewClassifier(all, labels, rnnkit.DefaultClassifierOptions())
	if err != nil || job.Model.Spec.Features != 2 || job.Steps != 2 {
		t.Errorf("%v", err)
	}
}

// TestTrainKeepsWhatWasTrained returns a result beside the error of a training that ended
// early, and none of one that never began.
func TestTrainKeepsWhatWasTrained(t *testing.T) {
	stop := errors.New("enough")
	o := rnnkit.DefaultStepForecasterOptions()
	ctx, cancel := context.WithCancelCause(t.Context())
	o.Fit.OnEpoch = func(e trainer.Epoch) {
		if e.Epoch == 2 {
			cancel(stop)
		}
	}
	job, err := rnnkit.NewStepForecaster(sensor(), o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := job.Train(ctx)
	if !errors.Is(err, stop) || r == nil {
		t.Fatalf("the result is %v, the error %v", r, err)
	}
	if r.Model.Training.Epochs != 2 || len(r.Epochs) != 2 {
		t.Errorf("%d epochs in the metadata, %d in the result", r.Model.Training.Epochs, len(r.Epochs))
	}
	if r.Summary == "" || r.Native.Examples == 0 {
		t.Errorf("summary %q, compared on %d examples", r.Summary, r.Native.Examples)
	}
	if read, err := export.Unmarshal(r.File); err != nil || !slices.Equal(read.Params.Data, job.Model.Params.Data) {
		t.Errorf("the file has other parameters: %v", err)
	}
	before := slices.Clone(r.Model.Params.Data)
	if r, err := job.Train(t.Context()); r != nil || err == nil || !strings.Contains(err.Error(), "make a new job") {
		t.Errorf("trained before: %v, %v", r, err)
	}
	if !slices.Equal(r.Model.Params.Data, before) {
		t.Error("another training changed the first result")
	}
	if job, err = rnnkit.NewStepForecaster(sensor(), o); err != nil {
		t.Fatal(err)
	}
	if r, err := job.Train(ctx); r != nil || !errors.Is(err, stop) {
		t.Errorf("cancelled before: %v, %v", r, err)
	}

	o.Fit.OnEpoch, o.Fit.LearningRate, o.Scale = nil, 1e30, false
	if job, err = rnnkit.NewStepForecaster(sensor(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := job.Train(t.Context()); !errors.Is(err, trainer.ErrDiverged) {
		t.Errorf("a learning rate of 1e30: %v", err)
	}
}

// TestNothingHeldOut trains on all that there is.
func TestNothingHeldOut(t *testing.T) {
	sequences, labels := gestures()
	classify := rnnkit.DefaultClassifierOptions()
	classify.HeldOut, classify.Fit.Epochs = 0, 2
	forecast := rnnkit.DefaultStepForecasterOptions()
	forecast.HeldOut, forecast.Fit.Epochs = 0, 2
	stream := forecast
	stream.TBPTT, stream.Fit.Batch = 20, 4
	text := rnnkit.DefaultGeneratorOptions()
	text.HeldOut, text.Fit.Epochs = 0, 2
	for want, make := range map[string]func() (*rnnkit.Job, error){
		"on 120 sequences": func() (*rnnkit.Job, error) { return rnnkit.NewClassifier(sequences, labels, classify) },
		"training loss":    func() (*rnnkit.Job, error) { return rnnkit.NewStepForecaster(sensor(), forecast) },
		" of scaled values over every step; after a window of 50 steps: off by ": func() (*rnnkit.Job, error) { return rnnkit.NewStepForecaster(sensor(), stream) },
		"for each learned charac": func() (*rnnkit.Job, error) { return rnnkit.NewGenerator(strings.Repeat("abc", 500), text) },
	} {
		job, err := make()
		if r := train(t, job, err); job.TestData.Len() != 0 || !strings.Contains(r.Summary, want) {
			t.Errorf("%d test: %s", job.TestData.Len(), r.Summary)
		}
	}
}

// TestCompareRefusesAnotherModel gives the comparison the file of another model.
func TestCompareRefusesAnotherModel(t *testing.T) {
	o := rnnkit.DefaultStepForecasterOptions()
	job, err := rnnkit.NewStepForecaster(sensor(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Fit.Seed = 1
	other, err := rnnkit.NewStepForecaster(sensor(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		exported *models.Model
		fail     bool
	}{{job.Model, false}, {other.Model, true}} {
		data, err := export.Marshal(test.exported)
		if err != nil {
			t.Fatal(err)
		}
		m, err := infer.OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := job.Compare(t.Context(), data, m); (err != nil) != test.fail {
			t.Errorf("the error is %v", err)
		}
		m.Close()
	}
}

// TestSameSeedSameFile trains twice, on one thread and on two.
func TestSameSeedSameFile(t *testing.T) {
	var files [2][]byte
	for i := range files {
		sequences, labels := gestures()
		o := rnnkit.DefaultClassifierOptions()
		o.Fit.Epochs, o.Fit.Seed, o.Fit.Threads = 3, 5, i+1
		job, err := rnnkit.NewClassifier(sequences, labels, o)
		files[i] = train(t, job, err).File
	}
	if string(files[0]) != string(files[1]) {
		t.Error("the files differ")
	}
	if err := (&rnnkit.Result{File: files[0]}).WriteFile("same.onnx"); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile("same.onnx"); err != nil || string(data) != string(files[0]) {
		t.Errorf("the file has %d bytes: %v", len(data), err)
	}
	if err := (&rnnkit.Result{}).WriteFile("no/such/folder/m.onnx"); err == nil || !strings.Contains(fmt.Sprint(err), "no/such/folder") {
		t.Errorf("no folder: %v", err)
	}
}

// TestForecasterRunsTheFile forecasts from raw rows with infer, and compares with what the
// trainer answers to the same window.
func TestForecasterRunsTheFile(t *testing.T) {
	columns := sales()
	var rows [][]float64
	for i := range columns[0].Values {
		rows = append(rows, []float64{columns[0].Values[i], columns[1].Values[i]})
	}
	for name, change := range map[string]func(*rnnkit.StepForecasterOptions){
		"units":      func(o *rnnkit.StepForecasterOptions) { o.Target, o.Horizon = "units", 4 },
		"both":       func(o *rnnkit.StepForecasterOptions) { o.Horizon = 4 },
		"stream":     func(o *rnnkit.StepForecasterOptions) { o.Target, o.TBPTT, o.Fit.Batch = "price", 15, 4 },
		"two stream": func(o *rnnkit.StepForecasterOptions) { o.TBPTT, o.Fit.Batch, o.StateInput = 15, 4, true },
	} {
		o := rnnkit.DefaultStepForecasterOptions()
		o.Window, o.Fit.Epochs = 10, 5
		change(&o)
		job, err := rnnkit.NewStepForecaster(columns, o)
		r := train(t, job, err)
		f, err := infer.NewForecaster(open(t, r))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := f.ForecastRows(t.Context(), rows, o.Horizon)
		if err != nil || f.Window() != o.Window || f.Horizon() != o.Horizon || len(got) != o.Horizon {
			t.Errorf("%s: window %d, horizon %d, %v, %v", name, f.Window(), f.Horizon(), got, err)
			continue
		}
		b := datasets.Batch{Size: 1, Time: o.Window}
		for _, row := range rows[len(rows)-o.Window:] {
			b.Inputs = append(b.Inputs, float32(row[0]), float32(row[1]))
		}
		want, err := trainer.Predict(r.Model, &b)
		if err != nil {
			t.Fatal(err)
		}
		flat := slices.Concat(got...)
		want = want[len(want)-len(flat):] // of the last step
		near := func(a float64, b float32) bool { return math.Abs(a-float64(b)) <= 1e-5*math.Abs(a) }
		if !slices.EqualFunc(flat, want, near) {
			t.Errorf("%s: infer forecasts %v, the trainer %v", name, flat, want)
		}
	}
}
