package infer_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

//go:embed testdata/sine.onnx
var sineModel []byte // written by: rnnkit train sine -o sine.onnx

func Example() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		log.Fatal(err)
	}
	series := datasets.Sine(1000, 0.1, 0)
	next, err := forecaster.Forecast(context.Background(), series, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", next)
	// Output:
	// [0.12 0.24 0.35]
}

//go:embed testdata/demand.onnx
var demandModel []byte // written by testdata/train.go

// A forecast of the load of a grid from the temperature, which is itself forecast for the
// hours ahead.
func ExampleForecaster_ForecastContext() {
	model, err := infer.OpenBytes(demandModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		log.Fatal(err)
	}
	// What was measured in three days, and the temperature of six more hours.
	rng := rand.New(rand.NewPCG(1, 2))
	var load, temperature []float64
	for i := range 3*24 + 6 {
		hour := 2 * math.Pi * float64(i) / 24
		temperature = append(temperature, 16-5*math.Cos(hour)+rng.NormFloat64()/2)
		load = append(load, 50+2*math.Abs(temperature[i]-18)+8*math.Sin(hour)+rng.NormFloat64())
	}
	load, later := load[:3*24], load[3*24:]

	forecast, err := forecaster.ForecastContext(context.Background(), infer.Context{
		Targets: [][]float64{load},
		Future:  [][]float64{temperature},
		Last:    time.Date(2026, 6, 3, 23, 0, 0, 0, time.UTC),
	}, 6)
	if err != nil {
		log.Fatal(err)
	}
	for i, at := range forecast.Times {
		fmt.Printf("%s  %.0f, with %.0f%% between %.0f and %.0f; it was %.0f\n", at.Format("Jan 2 15:04"),
			forecast.Median[0][i], 100*forecast.Levels[0], forecast.Low[0][0][i], forecast.High[0][0][i], later[i])
	}

	_, err = forecaster.ForecastContext(context.Background(), infer.Context{Targets: [][]float64{load}}, 6)
	fmt.Println(err)
	// Output:
	// Jun 4 00:00  62, with 80% between 61 and 64; it was 63
	// Jun 4 01:00  63, with 80% between 62 and 65; it was 65
	// Jun 4 02:00  65, with 80% between 63 and 66; it was 66
	// Jun 4 03:00  65, with 80% between 63 and 67; it was 65
	// Jun 4 04:00  65, with 80% between 63 and 67; it was 66
	// Jun 4 05:00  64, with 80% between 63 and 66; it was 64
	// c.Future is of length 0: it must be of length 1, the covariates that are known ahead: ["temperature"]
}

// A service tells a request that cannot be answered from a failure of its own.
func ExampleForecaster_Forecast_badRequest() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		log.Fatal(err)
	}
	series := datasets.Sine(1000, 0.1, 0)
	series[290] = math.NaN()
	_, err = forecaster.Forecast(context.Background(), series, 3)
	var argument *models.FieldError
	if errors.As(err, &argument) {
		fmt.Println("bad request:", argument)
	}
	// Output:
	// bad request: series[290] is NaN: it must be finite as a float32
}

func ExampleModel_Step() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	state := model.NewState()
	var next []float32
	for _, y := range datasets.Sine(1000, 0.1, 0)[950:] {
		if next, err = model.Step(context.Background(), state, []float32{float32(y)}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%.2f\n", next)
	// Output:
	// [0.12]
}

// A forecaster that Keras exported takes windows of 4 rows of 2 columns, and predicts the
// next 3 rows.
func ExampleModel_Describe() {
	model, err := infer.Open("testdata/foreign/keras_forecaster.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	ctx := context.Background()
	if err := model.Describe(ctx, infer.Description{Task: models.Forecast}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Description())
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		log.Fatal(err)
	}
	rows := [][]float64{{-0.957, 0.894}, {0.957, 1.392}, {0.767, -0.053}, {0.86, 1.505}}
	next, err := forecaster.ForecastRows(ctx, rows, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", next)
	// Output:
	// input "x" [batch, 4, 2]: windows of 4 rows of 2 columns; output "Identity:0" [batch, 3, 2]: the next 3 rows
	// [[0.039 -0.039] [-0.072 0.077] [0.083 0.155]]
}

// A classifier that Keras exported answers with probabilities, which experiments tell.
func ExampleNewClassifier() {
	model, err := infer.Open("testdata/foreign/keras_classifier.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	ctx := context.Background()
	known := infer.Description{Task: models.Classify, Labels: []string{"walk", "run", "rest"}}
	if err := model.Describe(ctx, known); err != nil {
		log.Fatal(err)
	}
	classifier, err := infer.NewClassifier(model)
	if err != nil {
		log.Fatal(err)
	}
	values := []float32{-1.738, -1.337, -1.361, -0.352, -2.313, -0.189, -0.957, 0.894, 0.957, 1.392, 0.767, -0.053, 0.86, 1.505}
	sequence := tensor.Of(values, 7, 2)
	probabilities, err := classifier.Classify(ctx, sequence)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Description().Answers)
	fmt.Printf("%.2f\n", probabilities)
	// Output:
	// probabilities
	// [0.33 0.37 0.30]
}

// An LSTM that PyTorch exported has no inputs for its state. It gives PyTorch's answers
// step by step all the same.
func ExampleModel_Step_foreign() {
	model, err := infer.Open("../export/testdata/lstm_headless_torchscript.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	state := model.NewState()
	for _, x := range [][]float32{{1.840851, 0.87338406}, {-1.3671906, -0.1332777}} {
		y, err := model.Step(context.Background(), state, x)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.3f\n", y)
	}
	// Output:
	// [-0.112 0.236 0.050]
	// [-0.054 -0.028 -0.095]
}

// A model from elsewhere is stepped by the names of its own inputs and outputs.
func ExampleModel_StepTensors() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.State())
	state := model.NewState()
	series := tensor.Of(make([]float32, 3*50), 3, 50, 1) // three sequences
	y, err := model.StepTensors(context.Background(), state, map[string]tensor.Tensor{"input": series}, "output")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["output"].Shape)
	// Output:
	// [{h0 hn} {c0 cn}]
	// [3 1]
}

func ExampleState() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	state := model.NewState()
	if _, err := model.Step(context.Background(), state, []float32{0.5}); err != nil {
		log.Fatal(err)
	}
	saved, err := state.MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}
	var restored infer.State
	if err := restored.UnmarshalBinary(saved); err != nil {
		log.Fatal(err)
	}
	for _, s := range []*infer.State{state, state.Clone(), &restored} {
		y, err := model.Step(context.Background(), s, []float32{0.6})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.2f ", y)
	}
	// Output:
	// [0.06] [0.06] [0.06]
}

func ExampleModel_Run() {
	model, err := infer.OpenBytes(sineModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.Engine(), model.Inputs()[0])
	x := tensor.Of(make([]float32, 2*50), 2, 50, 1)
	results, err := model.Run(context.Background(), map[string]tensor.Tensor{"input": x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results["output"].Shape, results["hn"].Shape)
	// Output:
	// native input float32[batch, time, 1]
	// [2 1] [1 2 32]
}

// A service keeps answering while its forecaster is swapped for a newer one.
func ExampleLive() {
	open := func() *infer.Forecaster {
		model, err := infer.OpenBytes(sineModel)
		if err != nil {
			log.Fatal(err)
		}
		forecaster, err := infer.NewForecaster(model)
		if err != nil {
			log.Fatal(err)
		}
		return forecaster
	}
	live := infer.NewLive(open())
	defer live.Close()
	request := func(f *infer.Forecaster) error {
		next, err := f.Forecast(context.Background(), datasets.Sine(1000, 0.1, 0), 3)
		fmt.Printf("%.2f\n", next)
		return err
	}
	if err := live.Use(request); err != nil {
		log.Fatal(err)
	}
	if err := live.Swap(open()); err != nil {
		log.Fatal(err)
	}
	if err := live.Use(request); err != nil {
		log.Fatal(err)
	}
	// Output:
	// [0.12 0.24 0.35]
	// [0.12 0.24 0.35]
}

func ExampleGenerator() {
	model, err := infer.OpenBytes(rhymeModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	generator, err := infer.NewGenerator(model)
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range generator.Generate(context.Background(), "Twinkle, ", infer.GenerateOptions{Length: 47}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(string(r))
	}
	// Output:
	// twinkle, little star,
	// How I wonder what you are
}

func ExampleClassifier() {
	model, err := infer.OpenBytes(trendModel)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	classifier, err := infer.NewClassifier(model)
	if err != nil {
		log.Fatal(err)
	}
	series := []float32{0.2, 0.1, 0.7, 0.9, 1.6, 1.3, 1.9, 2.2}
	probabilities, err := classifier.Classify(context.Background(), tensor.Of(series, len(series), 1))
	if err != nil {
		log.Fatal(err)
	}
	for i, label := range classifier.Labels() {
		fmt.Printf("%s %.2f\n", label, probabilities[i])
	}
	// Output:
	// falling 0.00
	// flat 0.00
	// rising 1.00
}
