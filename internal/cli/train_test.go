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
	defaults := job{Spec: models.Forecaster("", 0).Spec, window: 50, seed: 0, data: "sine", column: "y",
		Options: trainer.Options{Epochs: 15, Batch: 32, LearningRate: 1e-3}}
	for _, test := range []struct {
		args   string
		change func(*job)
	}{
		{"sine --epochs 1 --seed 3", func(j *job) { j.Epochs, j.seed = 1, 3 }},
		{forecast + " --epochs 2 --hidden 5 --seed 2", func(j *job) { j.Epochs, j.Hidden, j.seed, j.scale = 2, 5, 2, true }},
		{forecast + " --epochs 2 --hidden 5 --scale none --no-shuffle --batch 7 --lr 0.02 --cell gru --layers 2 --seq-len 9", func(j *job) {
			j.Epochs, j.Hidden, j.NoShuffle, j.Batch, j.LearningRate = 2, 5, true, 7, 0.02
			j.Cell, j.Layers, j.window = models.GRU, 2, 9
		}},
		{forecast + " --epochs 2 --hidden 5 --cell rnn --column 2", func(j *job) { j.Epochs, j.Hidden, j.Cell, j.scale = 2, 5, models.RNN, true }},
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
			if err := d.Decode(&got); err != nil || got.Epoch != e.Epoch || got.TrainLoss != e.TrainLoss || got.TestLoss != e.TestLoss || !(got.Seconds > 0) {
				t.Errorf("%s: the row of epoch %d is %+v (%v), not %+v", test.args, e.Epoch, got, err, e)
			}
			if line := fmt.Sprintf("epoch %d/%d  train loss %.5f  test loss %.5f  ", e.Epoch, want.Epochs, e.TrainLoss, e.TestLoss); !strings.Contains(log.String(), line) {
				t.Errorf("%s: no line %q in %s", test.args, line, &log)
			}
		}
		if d.More() {
			t.Errorf("%s: more rows than epochs", test.args)
		}
		if want.scale {
			rmse := math.Sqrt(history[len(history)-1].TestLoss) * float64(model.OutputScale.Std[0])
			if line := fmt.Sprintf("off by %.4g, where repeating", rmse); !strings.Contains(log.String(), line) {
				t.Errorf("%s: no %q in %s", test.args, line, &log)
			}
		}
	}
}

// job is what a command line asks for.
type job struct {
	models.Spec
	trainer.Options
	window       int
	seed         uint64
	scale        bool
	data, column string
}

// run does the job with the packages that the command is made of.
func (j job) run(t *testing.T, values []float64) (*models.Model, []trainer.Epoch) {
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
	m, err := models.New(meta, j.seed)
	if err != nil {
		t.Fatal(err)
	}
	if j.scale {
		s := models.FitScale(series[:int(0.8*float64(len(series)-j.window))+j.window])
		m.InputScale, m.OutputScale = s, s
	}
	j.Seed = j.seed
	history, err := trainer.Fit(t.Context(), m, train, test, j.Options)
	if err != nil {
		t.Fatal(err)
	}
	last := history[len(history)-1]
	m.Training = &models.Training{Data: j.data, DataSHA256: hex.EncodeToString(digest.Sum(nil)), Seed: j.seed, Epochs: j.Epochs,
		Batch: j.Batch, LearningRate: j.LearningRate, TrainLoss: last.TrainLoss, TestLoss: last.TestLoss}
	return m, history
}
