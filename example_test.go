package rnnkit_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
)

// TestMain runs the tests in a folder of their own, to which examples write.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rnnkit")
	if err == nil {
		err = os.Chdir(dir)
	}
	if err != nil {
		log.Fatal(err)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

var ctx = context.Background()

// gestures returns movements of a hand that go up or down, on two axes.
func gestures() (sequences [][][]float64, labels []string) {
	for i := range 120 {
		var steps [][]float64
		slope := []float64{0.5, -0.5}[i%2]
		for t := range 8 + i%5 {
			steps = append(steps, []float64{slope * float64(t), 9.81 + math.Sin(float64(i+t))})
		}
		sequences = append(sequences, steps)
		labels = append(labels, []string{"up", "down"}[i%2])
	}
	return sequences, labels
}

// A classifier of sequences. They have one number a step, [][]float64, or several, as
// here: [][][]float64.
func ExampleNewClassifier() {
	sequences, labels := gestures()
	job, err := rnnkit.NewClassifier(sequences, labels, rnnkit.DefaultClassifierOptions())
	if err != nil {
		log.Fatal(err)
	}
	result, err := job.Train(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Summary)
	fmt.Println(result.WriteFile("gestures.onnx"))
	// Output:
	// accuracy 1.0000 on 24 sequences, where always "up" is right for 0.5417
	// <nil>
}

// sales returns how many units were sold each week, and at what price.
func sales() []datasets.Column {
	var units, price []float64
	for week := range 300 {
		price = append(price, 20+4*math.Sin(float64(week)/9))
		units = append(units, 500-15*price[max(0, week-2)]+10*math.Sin(float64(week)))
	}
	return []datasets.Column{{Name: "units", Values: units}, {Name: "price", Values: price}}
}

// shop returns the units that a shop sells each day, and the price, which is known for
// ahead days more.
func shop(days, ahead int) (units, price []float64) {
	for day := range days + ahead {
		price = append(price, 20-5*float64(day/3%2))
		units = append(units, 100-4*price[day]+15*math.Sin(2*math.Pi*float64(day)/7)+math.Sin(float64(day*day)))
	}
	return units[:days], price
}

// A forecaster of a series with a price that is known ahead: trained, compared with simple
// methods, written, and opened in a service, which links no trainer.
func ExampleNewForecaster() {
	units, price := shop(400, 14)
	panel := &datasets.Panel{
		Roles:  datasets.Roles{Targets: []string{"units"}, Future: []string{"price"}},
		Series: []datasets.PanelSeries{{Targets: [][]float64{units}, Future: [][]float64{price}}},
	}
	o := rnnkit.DefaultForecasterOptions()
	o.Horizon, o.Season, o.Ensemble, o.Updates = 14, 7, 1, 100
	job := must(rnnkit.NewForecaster(panel, o))
	result := must(job.Train(ctx))
	if err := result.WriteFile("units.onnx"); err != nil {
		log.Fatal(err)
	}

	m := must(infer.Open("units.onnx"))
	defer m.Close()
	test := must(rnnkit.Backtest(ctx, m, panel, rnnkit.BacktestOptions{Cutoffs: 3}))
	fmt.Println("better than", test.Reports[2].Method, test.Reports[0].All.MASE < test.Reports[2].All.MASE)
	f := must(infer.NewForecaster(m))
	next := must(f.ForecastContext(ctx, infer.Context{Targets: [][]float64{units}, Future: [][]float64{price}}, 14))
	fmt.Println(len(next.Median[0]), "days,", next.Levels[0] == 0.8, next.Low[0][0][0] < next.Median[0][0])
	// Output:
	// better than seasonal naive true
	// 14 days, true true
}

// The shortest program: series as slices, of any lengths.
func ExampleNewForecaster_slices() {
	short, _ := shop(90, 0)
	long, _ := shop(200, 0)
	o := rnnkit.DefaultForecasterOptions()
	o.Ensemble = 1
	result := must(must(rnnkit.NewForecaster(must(datasets.NewPanel(short, long)), o)).Train(ctx))
	fmt.Println("steps ahead:", result.Model.Horizon)
	fmt.Println(result.WriteFile("shops.onnx"))
	// Output:
	// steps ahead: 6
	// <nil>
}

// From which rows a backtest forecasts, and how far off the model is at each step.
func ExampleBacktest() {
	units, _ := shop(300, 0)
	o := rnnkit.DefaultForecasterOptions()
	o.Horizon, o.Ensemble, o.Updates = 3, 1, 100
	result := must(must(rnnkit.NewForecaster(must(datasets.NewPanel(units[:250])), o)).Train(ctx))
	m := must(result.Open())
	defer m.Close()
	b := must(rnnkit.Backtest(ctx, m, must(datasets.NewPanel(units)), rnnkit.BacktestOptions{Cutoffs: 40, Every: 1, Alone: true}))
	fmt.Println(len(b.Forecasts), "forecasts of", len(b.Reports[0].Steps), "steps")
	// Output: 40 forecasts of 3 steps
}

// A forecaster of one of several columns, four steps ahead.
func ExampleNewStepForecaster() {
	o := rnnkit.DefaultStepForecasterOptions()
	o.Window, o.Horizon, o.Target = 20, 4, "units"
	job, err := rnnkit.NewStepForecaster(sales(), o)
	if err != nil {
		log.Fatal(err)
	}
	result, err := job.Train(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(job.Model.Columns), "columns in,", job.Model.Spec.Outputs, "values of", job.Model.Target, "out")
	fmt.Println(result.WriteFile("sales.onnx"))
	// Output:
	// 2 columns in, 4 values of units out
	// <nil>
}

// A generator of text.
func ExampleNewGenerator() {
	job, err := rnnkit.NewGenerator(strings.Repeat("to be or not to be, ", 100), rnnkit.DefaultGeneratorOptions())
	if err != nil {
		log.Fatal(err)
	}
	result, err := job.Train(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.WriteFile("text.onnx"))
	// Output: <nil>
}

// must returns v, or ends the program for an error.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// sensor returns a value every second.
func sensor() []datasets.Column {
	var values []float64
	for second := range 600 {
		values = append(values, 20+math.Sin(float64(second)/5))
	}
	return []datasets.Column{{Name: "temperature", Values: values}}
}

// A stream that goes on where it ended: its state is saved and loaded. The file then
// becomes a model that goes on training.
func Example_stream() {
	o := rnnkit.DefaultStepForecasterOptions()
	o.TBPTT, o.Fit.Batch, o.StateInput = 20, 4, true
	result := must(must(rnnkit.NewStepForecaster(sensor(), o)).Train(ctx))
	if err := result.WriteFile("sensor.onnx"); err != nil {
		log.Fatal(err)
	}

	m := must(infer.Open("sensor.onnx"))
	defer m.Close()
	state := m.NewState()
	for _, x := range []float32{20.1, 20.3, 20.4} {
		must(m.Step(ctx, state, []float32{x}))
	}
	saved := must(state.MarshalBinary())

	loaded := m.NewState()
	if err := loaded.UnmarshalBinary(saved); err != nil {
		log.Fatal(err)
	}
	here, there := must(m.Step(ctx, state, []float32{20.6})), must(m.Step(ctx, loaded, []float32{20.6}))
	fmt.Println("the same answer:", here[0] == there[0])

	o.Start = must(export.ReadFile("sensor.onnx"))
	again := must(must(rnnkit.NewStepForecaster(sensor(), o)).Train(ctx))
	fmt.Println("a lower loss:", again.Model.Training.TestLoss < result.Model.Training.TestLoss)
	// Output:
	// the same answer: true
	// a lower loss: true
}

// sineFile is a file that rnnkit wrote: a forecaster of one column, y.
var sineFile = must(filepath.Abs("infer/testdata/sine.onnx"))

// Go on training a model that a file has, on newer data.
func ExampleOptions_start() {
	o := rnnkit.DefaultStepForecasterOptions()
	var err error
	if o.Start, err = export.ReadFile(sineFile); err != nil {
		log.Fatal(err)
	}
	newer := datasets.Column{Name: "y", Values: datasets.Sine(1000, 0.1, 7)}
	job, err := rnnkit.NewStepForecaster([]datasets.Column{newer}, o)
	if err != nil {
		log.Fatal(err)
	}
	result, err := job.Train(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("near the noise, whose variance is 0.01:", result.Model.Training.TestLoss < 0.015)
	// Output: near the noise, whose variance is 0.01: true
}
