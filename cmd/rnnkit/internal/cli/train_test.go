package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// TestTrainIsTheLibrary checks that every flag reaches what it names: the file
// that the command writes is, byte for byte, the one that the packages give.
func TestTrainIsTheLibrary(t *testing.T) {
	dir := t.TempDir()
	output, metrics, data := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "m.jsonl"), filepath.Join(dir, "sales.csv")
	sales := make([]float64, 120)
	csv := "month,sales\n"
	for i := range sales {
		sales[i] = 1000 + float64(i)*math.Sin(float64(i)) // its end is unlike its beginning
		csv += fmt.Sprintf("m%d,%v\n", i, sales[i])
	}
	if err := os.WriteFile(data, []byte(csv), 0o644); err != nil {
		t.Fatal(err)
	}
	forecast := "forecast --data " + data
	defaults := task{Spec: models.Forecaster("", 0).Spec, window: 50, seed: 0, data: "sine", column: "y",
		loss: "mse", optimizer: "adam", schedule: "constant",
		Options: trainer.Options{Epochs: 15, Batch: 32, LearningRate: 1e-3}}
	start := filepath.Join(dir, "start.onnx")
	small := models.Forecaster("y", 9)
	small.Spec.Hidden = 5
	first, err := models.New(small, 77)
	if err != nil {
		t.Fatal(err)
	}
	if err := export.WriteFile(start, first); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   string
		change func(*task)
	}{
		{"sine --recipe notebook --epochs 1 --seed 3", func(j *task) { j.Epochs, j.seed = 1, 3 }},
		{forecast + " --epochs 2 --hidden 5 --seed 2", func(j *task) { j.Epochs, j.Hidden, j.seed, j.scale = 2, 5, 2, true }},
		{forecast + " --epochs 2 --hidden 5 --scale none --no-shuffle --batch 7 --lr 0.02 --cell gru --layers 2 --seq-len 9", func(j *task) {
			j.Epochs, j.Hidden, j.NoShuffle, j.Batch, j.LearningRate = 2, 5, true, 7, 0.02
			j.Cell, j.Layers, j.window = models.GRU, 2, 9
		}},
		{forecast + " --epochs 2 --hidden 5 --layers 2 --seq-len 9 --bidirectional --dropout 0.3 --readout max" +
			" --loss huber --optimizer sgd --momentum 0.9 --nesterov --weight-decay 0.01" +
			" --schedule cosine --warmup 3 --clip 0.5 --init-recipe orthogonal,chrono",
			func(j *task) {
				j.Epochs, j.Hidden, j.Layers, j.window, j.scale = 2, 5, 2, 9, true
				j.Bidirectional, j.Dropout, j.Readout = true, 0.3, models.ReadMax
				j.loss, j.optimizer, j.schedule = "huber", "sgd", "cosine"
				j.Loss, j.Optimizer = trainer.Huber(1), trainer.Optimizer{Method: trainer.SGD, Momentum: 0.9, Nesterov: true, WeightDecay: 0.01}
				j.Schedule, j.ClipNorm = trainer.Schedule{Shape: trainer.Cosine, Warmup: 3}, 0.5
				j.recipes = []models.Recipe{models.Orthogonal(), models.Chrono(27)}
			}},
		{forecast + " --epochs 9 --hidden 5 --seq-len 9 --cell rnn --activation relu --readout mean" +
			" --loss mae --optimizer adamw --lr 0.3 --schedule plateau --patience 2",
			func(j *task) {
				j.Epochs, j.Hidden, j.window, j.scale = 9, 5, 9, true
				j.Cell, j.Activation, j.Readout = models.RNN, models.ReLU, models.ReadMean
				j.loss, j.optimizer, j.schedule = "mae", "adamw", "plateau"
				j.Loss, j.Optimizer, j.LearningRate = trainer.MAE(), trainer.Optimizer{Method: trainer.AdamW}, 0.3
				j.Schedule, j.Patience = trainer.Schedule{Shape: trainer.Plateau}, 2
			}},
		{forecast + " --epochs 2 --hidden 5 --seq-len 9 --batch 4 --tbptt 7", func(j *task) {
			j.Epochs, j.Hidden, j.window, j.scale, j.Batch = 2, 5, 9, true, 4
			j.Readout, j.Stateful, j.tbptt = models.ReadAll, true, 7
		}},
		{forecast + " --epochs 1 --hidden 5 --seq-len 9 --init " + start, func(j *task) {
			j.Epochs, j.Hidden, j.window, j.scale, j.init = 1, 5, 9, true, first.Params
		}},
		{
			forecast + " --epochs 2 --hidden 5 --cell rnn --column 2",
			func(j *task) { j.Epochs, j.Hidden, j.Cell, j.scale = 2, 5, models.RNN, true },
		},
	} {
		want := defaults
		test.change(&want)
		values := datasets.Sine(1000, 0.1, want.seed)
		if strings.HasPrefix(test.args, "forecast") {
			want.data, want.column, values = "sales.csv", "sales", sales
		}
		var log bytes.Buffer
		args := append(strings.Fields("train "+test.args), "-o", output, "--metrics", metrics)
		if status := Main(args, strings.NewReader(""), &log, &log); status != 0 {
			t.Errorf("%s: status %d: %s", test.args, status, &log)
			continue
		}
		model, history := want.run(t, values)
		file, err := export.Marshal(model)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(output); err != nil || !bytes.Equal(got, file) {
			t.Errorf("%s: the file is another one than the packages give (%v)", test.args, err)
		}

		// A row an epoch, and the same losses in the lines.
		rows, err := os.ReadFile(metrics)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(rows))
		for _, e := range history {
			var got trainer.Epoch
			if err := d.Decode(&got); err != nil {
				t.Errorf("%s: the row of epoch %d: %v", test.args, e.Epoch, err)
			}
			if !(got.Seconds > 0 || testenv.CoarseClock) {
				t.Errorf("%s: epoch %d took %g s", test.args, e.Epoch, got.Seconds)
			}
			if losses := (trainer.Epoch{
				Epoch: e.Epoch, TrainLoss: e.TrainLoss, TestLoss: e.TestLoss, ValidationLoss: e.ValidationLoss,
				TestAccuracy: got.TestAccuracy, Seconds: got.Seconds, Examples: got.Examples,
			}); got != losses {
				t.Errorf("%s: the row of epoch %d is %+v, not %+v", test.args, e.Epoch, got, losses)
			}
			validation := ""
			if want.Patience > 0 {
				validation = fmt.Sprintf("  validation loss %.5f", e.ValidationLoss)
			}
			if line := fmt.Sprintf("epoch %d/%d  train loss %.5f%s  test loss %.5f  ", e.Epoch, want.Epochs, e.TrainLoss, validation, e.TestLoss); !strings.Contains(log.String(), line) {
				t.Errorf("%s: no line %q in %s", test.args, line, &log)
			}
		}
		if d.More() {
			t.Errorf("%s: more rows than epochs", test.args)
		}
		if want.scale && want.Loss == nil && want.tbptt == 0 {
			rmse := math.Sqrt(model.Training.TestLoss) * float64(model.OutputScale.Std[0])
			if line := fmt.Sprintf("off by %.4g, where repeating", rmse); !strings.Contains(log.String(), line) {
				t.Errorf("%s: no %q in %s", test.args, line, &log)
			}
		}
	}
}

// task is what a command line asks for.
type task struct {
	models.Spec
	trainer.Options
	window       int
	seed         uint64
	scale        bool
	data, column string
	tbptt        int

	loss, optimizer, schedule string // as the metadata calls them
	recipes                   []models.Recipe
	init                      *models.Params[float32]
}

// run does the job with the packages that the command is made of.
func (j task) run(t *testing.T, values []float64) (*models.Model, []trainer.Epoch) {
	t.Helper()
	digest := sha256.New()
	series := make([]float32, len(values))
	for i, v := range values {
		series[i] = float32(v)
		binary.Write(digest, binary.LittleEndian, math.Float64bits(v))
	}
	windows, err := datasets.NewWindows(series, j.window)
	if err != nil {
		t.Fatal(err)
	}
	train, test, err := windows.Split(0.8)
	if err != nil {
		t.Fatal(err)
	}
	meta := models.Forecaster(j.column, j.window)
	meta.Spec = j.Spec
	m, err := models.New(meta, j.seed, j.recipes...)
	if err != nil {
		t.Fatal(err)
	}
	if j.init != nil {
		copy(m.Params.Data, j.init.Data)
	}
	if j.scale {
		s := models.FitScale(series[:int(0.8*float64(len(series)-j.window))+j.window], 1)
		m.InputScale, m.OutputScale = s, s
	}
	j.Seed = j.seed
	if j.Patience > 0 {
		validation, rest, err := test.Split(0.5)
		if err != nil {
			t.Fatal(err)
		}
		j.Validation, test = validation, rest
	}
	var source, testSource datasets.Source = train, test
	if j.tbptt > 0 {
		if source, err = datasets.NewStreams(train.Series(), j.Batch, j.tbptt); err != nil {
			t.Fatal(err)
		}
		if testSource, err = datasets.NewStreams(test.Series(), 1, j.tbptt); err != nil {
			t.Fatal(err)
		}
	}
	history, err := trainer.Fit(t.Context(), m, source, testSource, j.Options)
	if err != nil {
		t.Fatal(err)
	}
	last := history[len(history)-1]
	if j.Patience > 0 {
		for _, e := range history {
			if e.ValidationLoss < last.ValidationLoss {
				last = e
			}
		}
		if len(history) == j.Epochs {
			t.Error("the fit did not end early")
		}
		j.Epochs = len(history)
	}
	m.Training = &models.Training{Data: j.data, DataSHA256: hex.EncodeToString(digest.Sum(nil)), Seed: j.seed, Epochs: j.Epochs,
		Batch: j.Batch, Loss: j.loss, Optimizer: j.optimizer, LearningRate: j.LearningRate, Schedule: j.schedule,
		TrainLoss: last.TrainLoss, TestLoss: last.TestLoss}
	return m, history
}
