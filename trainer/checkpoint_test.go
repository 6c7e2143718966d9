package trainer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// job is a fit that is interrupted and resumed.
type job struct {
	name string
	spec models.Spec
	opts Options
}

// jobs returns jobs that use everything in a checkpoint, with odd sizes.
func jobs() []job {
	specs := testSpecs()
	plain := specs[2]
	plain.Dropout = 0
	stream := models.Spec{
		Cell: models.LSTM, Vocabulary: 5, Embedding: 3, Hidden: 5, Layers: 2, Dropout: 0.3, Readout: models.ReadAll,
		Outputs: 2,
	}
	list := []job{
		{"adam", specs[2], Options{}},
		{"no shuffle", specs[0], Options{NoShuffle: true}},
		{"momentum", specs[0], Options{Batch: 7, LearningRate: 0.05, Optimizer: Optimizer{Method: SGD, Momentum: 0.9, Nesterov: true}}},
		{
			"rmsprop, cosine", specs[1],
			Options{Optimizer: Optimizer{Method: RMSprop, Momentum: 0.5}, Schedule: Schedule{Shape: Cosine, Warmup: 3}},
		},
		{
			"sgd, plateau", plain,
			Options{LearningRate: 0.9, Epochs: 7, Optimizer: Optimizer{Method: SGD}, Schedule: Schedule{Shape: Plateau, Patience: 1, Gamma: 0.5}},
		},
		{"patience", plain, Options{Epochs: 12, LearningRate: 0.1, Patience: 3}},
		{"stateful", stream, Options{Stateful: true, Batch: 18, ClipNorm: 0.1}},
		{"stateful, gru", specs[1], Options{Stateful: true, Batch: 18}},
	}
	for i := range list {
		o := &list[i].opts
		o.Seed = uint64(i)
		if o.Epochs == 0 {
			o.Epochs = 3
		}
		if o.Batch == 0 {
			o.Batch = 10
		}
		if o.LearningRate == 0 {
			o.LearningRate = 0.02
		}
	}
	return list
}

// fit trains a model on 43 examples and tests it on 20. It returns the parameters and
// the history with the times removed.
func (j job) fit(t *testing.T, ctx context.Context, seed uint64, opts Options) ([]float32, []Epoch, error) {
	t.Helper()
	m, err := models.New(models.Metadata{Spec: j.spec}, seed)
	if err != nil {
		t.Fatal(err)
	}
	history, err := Fit(ctx, m, examples{spec: j.spec, count: 43, time: 3}, examples{spec: j.spec, count: 20, time: 5}, opts)
	for i := range history {
		if !(history[i].Seconds > 0 || testenv.CoarseClock) || history[i].Examples <= 0 {
			t.Errorf("epoch %d took %g s for %d examples", i+1, history[i].Seconds, history[i].Examples)
		}
		history[i].Seconds = 0
	}
	return m.Params.Data, history, err
}

// whole runs the job without a checkpoint.
func (j job) whole(t *testing.T) ([]float32, []Epoch) {
	t.Helper()
	params, history, err := j.fit(t, t.Context(), 3, j.opts)
	if err != nil {
		t.Fatal(err)
	}
	return params, history
}

func (j job) compare(t *testing.T, what string, params []float32, history []Epoch, wantParams []float32, wantHistory []Epoch) {
	t.Helper()
	if !slices.Equal(params, wantParams) {
		t.Errorf("%s: %s: other parameters than without a stop", j.name, what)
	}
	if !slices.Equal(history, wantHistory) {
		t.Errorf("%s: %s: the history is %+v, not %+v", j.name, what, history, wantHistory)
	}
}

// TestJobsUseTheState checks that the jobs run until the state in a checkpoint matters.
func TestJobsUseTheState(t *testing.T) {
	for _, j := range jobs() {
		var rates []float64
		j.opts.OnBatch = func(p Progress) { rates = append(rates, p.LearningRate) }
		params, history := j.whole(t)
		switch j.name {
		case "sgd, plateau":
			if slices.Max(rates) == slices.Min(rates) {
				t.Errorf("%s: the rate is never lowered: %+v", j.name, history)
			}
		case "patience":
			best := slices.MinFunc(history, func(a, b Epoch) int { return int(math.Copysign(1, a.TestLoss-b.TestLoss)) })
			if best.Epoch == 1 || len(history) == j.opts.Epochs || best.Epoch != len(history)-3 {
				t.Errorf("%s: it ends after %d epochs, the best is %d", j.name, len(history), best.Epoch)
			}
			j.opts.Epochs, j.opts.Patience = best.Epoch, 0
			if want, _ := j.whole(t); !slices.Equal(params, want) {
				t.Errorf("%s: the parameters are not those after the best epoch", j.name)
			}
		}
	}
}

// TestResumeAfterEveryStop cancels a fit again and again after some batches. It resumes
// on another number of threads and with the parameters of another model.
func TestResumeAfterEveryStop(t *testing.T) {
	stops := []int{1, 2, 3, 5, 1000}
	if testing.Short() {
		stops = []int{2, 1000}
	}
	for _, j := range jobs() {
		wantParams, wantHistory := j.whole(t)
		for _, every := range stops {
			opts := j.opts
			opts.Checkpoint = filepath.Join(t.TempDir(), "c")
			for run := 0; ; run++ {
				ctx, cancel := context.WithCancel(t.Context())
				batches := 0
				opts.Threads = 1 + run%3
				opts.OnBatch = func(Progress) {
					if batches++; batches == every {
						cancel()
					}
				}
				params, history, err := j.fit(t, ctx, uint64(3+run), opts)
				cancel()
				opts.Resume = true
				if errors.Is(err, context.Canceled) && run < 1000 {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				j.compare(t, fmt.Sprintf("every %d batches", every), params, history, wantParams, wantHistory)
				break
			}
			params, history, err := j.fit(t, t.Context(), 99, opts)
			if err != nil {
				t.Fatal(err)
			}
			j.compare(t, "resumed after the end", params, history, wantParams, wantHistory)
		}
	}
}

// TestResumeFromEveryCheckpoint resumes from each of the files that a fit writes.
func TestResumeFromEveryCheckpoint(t *testing.T) {
	for _, j := range jobs() {
		wantParams, wantHistory := j.whole(t)
		opts := j.opts
		dir := t.TempDir()
		opts.Checkpoint, opts.CheckpointEvery = filepath.Join(dir, "c"), 1
		var checkpoints [][]byte
		keep := func() {
			data, err := os.ReadFile(opts.Checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			if len(checkpoints) == 0 || !bytes.Equal(data, checkpoints[len(checkpoints)-1]) {
				checkpoints = append(checkpoints, data)
			}
		}
		opts.OnBatch = func(Progress) { keep() }
		opts.OnEpoch = func(Epoch) { keep() }
		params, history, err := j.fit(t, t.Context(), 3, opts)
		if err != nil {
			t.Fatal(err)
		}
		j.compare(t, "with checkpoints", params, history, wantParams, wantHistory)
		keep()
		batches := (43 + opts.Batch - 1) / opts.Batch
		if want := 1 + len(wantHistory)*(batches+1); len(checkpoints) != want {
			t.Errorf("%s: %d checkpoints, not %d", j.name, len(checkpoints), want)
		}
		for i, data := range checkpoints {
			if testing.Short() && i%4 != 1 {
				continue
			}
			opts := j.opts
			opts.Checkpoint, opts.Resume = filepath.Join(dir, "c"), true
			if err := os.WriteFile(opts.Checkpoint, data, 0o666); err != nil {
				t.Fatal(err)
			}
			params, history, err := j.fit(t, t.Context(), 4, opts)
			if err != nil {
				t.Fatal(err)
			}
			j.compare(t, fmt.Sprintf("from checkpoint %d", i), params, history, wantParams, wantHistory)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
			t.Errorf("the folder has %q (%v)", left, err)
		}
	}
}

// TestStoppedFitHasTheBestParameters stops a fit after its best epoch.
func TestStoppedFitHasTheBestParameters(t *testing.T) {
	j := jobs()[5]
	wantParams, wantHistory := j.whole(t)
	for batch := 1; batch <= 5; batch++ {
		ctx, cancel := context.WithCancel(t.Context())
		j.opts.OnBatch = func(p Progress) {
			if p.Epoch == len(wantHistory) && p.Batch == batch {
				cancel()
			}
		}
		params, history, err := j.fit(t, ctx, 3, j.opts)
		if !errors.Is(err, context.Canceled) || len(history) != len(wantHistory) || !slices.Equal(params, wantParams) {
			t.Errorf("stopped after batch %d: other parameters, or history %+v (%v)", batch, history, err)
		}
	}
}

// countdown is a context that is cancelled after a number of calls of Err.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestResumeAfterCancelAnywhere cancels a fit at each of its calls of Err.
func TestResumeAfterCancelAnywhere(t *testing.T) {
	for _, j := range jobs() {
		wantParams, wantHistory := j.whole(t)
		opts := j.opts
		opts.Checkpoint = filepath.Join(t.TempDir(), "c")
		step := 1
		if testing.Short() {
			step = 5
		}
		for looks := 0; ; looks += step {
			opts.Resume = false
			_, _, first := j.fit(t, &countdown{t.Context(), looks}, 3, opts)
			opts.Resume = true
			params, history, err := j.fit(t, t.Context(), 4, opts)
			if err != nil {
				t.Fatal(err)
			}
			j.compare(t, fmt.Sprintf("after %d looks", looks), params, history, wantParams, wantHistory)
			if first == nil {
				break
			}
		}
	}
}

func TestCheckpointEvery(t *testing.T) {
	j := jobs()[0]
	j.opts.Checkpoint = filepath.Join(t.TempDir(), "c")
	for _, every := range []time.Duration{0, time.Hour, 1} {
		j.opts.CheckpointEvery = every
		var last []byte
		writes := -1 // the first makes it 0
		look := func() {
			data, err := os.ReadFile(j.opts.Checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(data, last) {
				last = data
				writes++
			}
		}
		j.opts.OnBatch = func(Progress) { look() }
		j.whole(t)
		if during := writes; every == 1 && during != 3*5-1 || every != 1 && during != 0 {
			t.Errorf("every %v: %d checkpoints on the way", every, during)
		}
		if look(); every != 1 && writes != 1 {
			t.Errorf("every %v: no checkpoint at the end", every)
		}
	}
}

func TestSecondsGoOn(t *testing.T) {
	j := jobs()[0]
	j.opts.Checkpoint = filepath.Join(t.TempDir(), "c")
	ctx, cancel := context.WithCancel(t.Context())
	f := testFit(t, newModel(t, j.spec), examples{spec: j.spec, count: 43, time: 3}, j.opts)
	defer f.close()
	f.opts.OnBatch = func(Progress) { cancel() }
	f.progress.Seconds = 1000
	if _, err := f.run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	j.opts.Resume = true
	g := testFit(t, newModel(t, j.spec), examples{spec: j.spec, count: 43, time: 3}, j.opts)
	defer g.close()
	history, err := g.run(t.Context())
	if err != nil || !(history[0].Seconds > 1000 || testenv.CoarseClock) || !(history[1].Seconds < 1000) {
		t.Errorf("history %+v (%v)", history, err)
	}
}

// TestKill kills a process that trains, at random times, until one reaches the end.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the test binary up to eleven times")
	}
	const variable = "RNNKIT_TEST_CHECKPOINT"
	j := job{"kill", models.Spec{Cell: models.LSTM, Features: 1, Hidden: 32, Layers: 2, Dropout: 0.2, Readout: models.ReadLast, Outputs: 1},
		Options{Epochs: 20, Batch: 7, Patience: 19, Seed: 1, Threads: 1, CheckpointEvery: 1}}
	if path := os.Getenv(variable); path != "" {
		j.opts.Checkpoint = path
		_, err := os.Stat(path)
		j.opts.Resume = err == nil
		params, history, err := j.fit(t, t.Context(), 3, j.opts)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("result %x %+v\n", params, history)
		return
	}
	result := func(path string, limit time.Duration) (string, bool) {
		command := exec.Command(os.Args[0], "-test.run=^TestKill$")
		command.Env = append(os.Environ(), variable+"="+path)
		var output bytes.Buffer
		command.Stdout, command.Stderr = &output, &output
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		killer := time.AfterFunc(limit, func() { command.Process.Kill() })
		err := command.Wait()
		if !killer.Stop() {
			return "", false
		}
		_, line, ok := strings.Cut(output.String(), "result ")
		if err != nil || !ok {
			t.Fatalf("%v: %s", err, output.Bytes())
		}
		line, _, _ = strings.Cut(line, "\n")
		return line, true
	}
	began := time.Now()
	want, _ := result(filepath.Join(t.TempDir(), "c"), time.Hour)
	took := time.Since(began)

	path := filepath.Join(t.TempDir(), "c")
	for kills := 0; ; kills++ {
		limit := time.Duration(rand.Int64N(int64(took / 2)))
		if kills == 10 {
			limit = time.Hour
		}
		got, ok := result(path, limit)
		if !ok {
			continue
		}
		t.Logf("%d kills in runs of up to %v", kills, took/2)
		if got != want {
			t.Errorf("the result is\n%.200s, not\n%.200s", got, want)
		}
		return
	}
}

func TestResumeErrors(t *testing.T) {
	j := jobs()[5] // patience
	j.opts.Epochs = 3
	j.opts.Checkpoint = filepath.Join(t.TempDir(), "c")
	j.opts.DataDigest = "a"
	spec, opts := j.spec, j.opts
	described := models.Metadata{Spec: spec, Task: models.Classify, Labels: []string{"no", "yes"}, Columns: []string{"x"}}
	m, err := models.New(described, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Fit(t.Context(), m, examples{spec: spec, count: 43, time: 3}, examples{spec: spec, count: 20, time: 5}, opts); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(opts.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	opts.Resume = true
	scaled := func(v float32) *models.Scale { return &models.Scale{Mean: []float32{v}, Std: []float32{1}} }
	for _, test := range []struct {
		want   string
		change func(m *models.Metadata, o *Options, train, test *int)
	}{
		{"its Spec.Hidden is 9, not 10:", func(m *models.Metadata, o *Options, _, _ *int) { m.Spec.Hidden = 10 }},
		{"its Spec.Cell is lstm, not gru:", func(m *models.Metadata, o *Options, _, _ *int) { m.Spec.Cell = models.GRU }},
		{"its Spec.Dropout is 0, not 0.5:", func(m *models.Metadata, o *Options, _, _ *int) { m.Spec.Dropout = 0.5 }},
		{"its InputScale is <nil>, not &{[3] [1]}:", func(m *models.Metadata, o *Options, _, _ *int) { m.InputScale = scaled(3) }},
		{"its OutputScale is <nil>, not &{[3 3] [1 1]}:", func(m *models.Metadata, o *Options, _, _ *int) {
			m.OutputScale = &models.Scale{Mean: []float32{3, 3}, Std: []float32{1, 1}}
		}},
		{"its Loss is mse, not huber(2):", func(m *models.Metadata, o *Options, _, _ *int) { o.Loss = Huber(2) }},
		{"its Optimizer.Method is adam, not sgd:", func(m *models.Metadata, o *Options, _, _ *int) { o.Optimizer.Method = SGD }},
		{"its Optimizer.Beta1 is 0.9, not 0.8:", func(m *models.Metadata, o *Options, _, _ *int) { o.Optimizer.Beta1 = 0.8 }},
		{"its LearningRate is 0.1, not 0.2:", func(m *models.Metadata, o *Options, _, _ *int) { o.LearningRate = 0.2 }},
		{"its Schedule.Shape is constant, not step:", func(m *models.Metadata, o *Options, _, _ *int) { o.Schedule.Shape = Step }},
		{"its ClipNorm is 0, not 1:", func(m *models.Metadata, o *Options, _, _ *int) { o.ClipNorm = 1 }},
		{"Epochs is 2: it must be 3 or more, which the checkpoint has begun", func(m *models.Metadata, o *Options, _, _ *int) { o.Epochs = 2 }},
		{`its Labels is ["no" "yes"], not ["yes" "no"]:`, func(m *models.Metadata, o *Options, _, _ *int) { m.Labels = []string{"yes", "no"} }},
		{`its Labels is ["no" "yes"], not ["no yes" ""]:`, func(m *models.Metadata, o *Options, _, _ *int) { m.Labels = []string{"no yes", ""} }},
		{`its Columns is ["x"], not []:`, func(m *models.Metadata, o *Options, _, _ *int) { m.Columns = nil }},
		{"its Task is classify, not forecast:", func(m *models.Metadata, o *Options, _, _ *int) { m.Task = models.Forecast }},
		{"its Window is 0, not 3:", func(m *models.Metadata, o *Options, _, _ *int) { m.Window = 3 }},
		{"its DataDigest is a, not b:", func(m *models.Metadata, o *Options, _, _ *int) { o.DataDigest = "b" }},
		{"its DataDigest is a, not :", func(m *models.Metadata, o *Options, _, _ *int) { o.DataDigest = "" }},
		{"its Batch is 10, not 11:", func(m *models.Metadata, o *Options, _, _ *int) { o.Batch = 11 }},
		{"its Patience is 3, not 4:", func(m *models.Metadata, o *Options, _, _ *int) { o.Patience = 4 }},
		{"its Seed is 5, not 6:", func(m *models.Metadata, o *Options, _, _ *int) { o.Seed = 6 }},
		{"its NoShuffle is false, not true:", func(m *models.Metadata, o *Options, _, _ *int) { o.NoShuffle = true }},
		{"its Stateful is false, not true:", func(m *models.Metadata, o *Options, _, _ *int) { o.Stateful = true }},
		{"its train.Len() is 43, not 44:", func(m *models.Metadata, o *Options, train, _ *int) { *train = 44 }},
		{"its test.Len() is 20, not 21:", func(m *models.Metadata, o *Options, _, test *int) { *test = 21 }},
		{"Resume is true: it must be false without a checkpoint", func(m *models.Metadata, o *Options, _, _ *int) { o.Checkpoint = "" }},
		{"CheckpointEvery is -1ns", func(m *models.Metadata, o *Options, _, _ *int) { o.CheckpointEvery = -1 }},
		{
			"cannot resume from " + opts.Checkpoint + "x: open " + opts.Checkpoint + "x: " + syscall.ENOENT.Error(),
			func(m *models.Metadata, o *Options, _, _ *int) { o.Checkpoint += "x" },
		},
		{"", func(m *models.Metadata, o *Options, _, _ *int) { o.Threads, o.CheckpointEvery = 5, time.Hour }},
	} {
		meta, opts, trainSize, testSize := described, opts, 43, 20
		test.change(&meta, &opts, &trainSize, &testSize)
		m, err := models.New(meta, 8)
		if err != nil {
			t.Fatal(err)
		}
		params := slices.Clone(m.Params.Data)
		_, err = Fit(t.Context(), m, examples{spec: spec, count: trainSize, time: 3}, examples{spec: spec, count: testSize, time: 5}, opts)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("the error is %v, not %q", err, test.want)
		}
		if err != nil && !slices.Equal(m.Params.Data, params) {
			t.Errorf("%v: the parameters have changed", err)
		}
		if err != nil {
			if after, err := os.ReadFile(j.opts.Checkpoint); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the checkpoint has changed (%v)", err)
			}
		}
	}
	opts.Checkpoint, opts.Resume = filepath.Join(t.TempDir(), "none", "c"), false
	if _, _, err := j.fit(t, t.Context(), 3, opts); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a checkpoint in no folder: the error is %v", err)
	}
}

// TestResumeWithMoreEpochs ends a fit after each epoch and resumes it with one more.
func TestResumeWithMoreEpochs(t *testing.T) {
	for _, j := range jobs() {
		if j.opts.Schedule.Shape == Cosine {
			continue // whose rates depend on the epochs
		}
		wantParams, wantHistory := j.whole(t)
		opts := j.opts
		opts.Checkpoint = filepath.Join(t.TempDir(), "c")
		for opts.Epochs = 1; opts.Epochs <= j.opts.Epochs; opts.Epochs++ {
			params, history, err := j.fit(t, t.Context(), uint64(2+opts.Epochs), opts)
			if err != nil {
				t.Fatal(err)
			}
			if opts.Epochs == j.opts.Epochs {
				j.compare(t, "an epoch more each time", params, history, wantParams, wantHistory)
			}
			opts.Resume = true
		}
	}
}

// TestCosineGoesOnAsOverAllEpochs resumes a complete fit with twice the epochs. The
// schedule continues as in a fit of that many epochs.
func TestCosineGoesOnAsOverAllEpochs(t *testing.T) {
	j := jobs()[3]
	j.opts.Checkpoint = filepath.Join(t.TempDir(), "c")
	j.whole(t)
	j.opts.Resume, j.opts.Epochs = true, 6
	var rates []float64
	j.opts.OnBatch = func(p Progress) { rates = append(rates, p.LearningRate) }
	if _, history := j.whole(t); len(history) != 6 || len(rates) != 15 {
		t.Fatalf("%d epochs, the last in %d batches", len(history), len(rates))
	}
	s, err := j.opts.Schedule.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for i, rate := range rates {
		if want := j.opts.LearningRate * s.factor(15+i, 30, 0); rate != want {
			t.Errorf("the rate of update %d is %g, not %g", 15+i, rate, want)
		}
	}
}

// TestLongSettings distinguishes long vocabularies that have the same beginning.
func TestLongSettings(t *testing.T) {
	a := strings.Split(strings.Repeat("é,x,", 200), ",")
	b := slices.Clone(a)
	b[399] = "y"
	x, y := newSetting("Vocabulary", a), newSetting("Vocabulary", b)
	if x == y || len(x.Value) > 200 || x != newSetting("Vocabulary", slices.Clone(a)) {
		t.Errorf("%q and %q", x, y)
	}
}

// TestCheckpointInUse starts, and resumes, a second fit with the checkpoint of a
// running one.
func TestCheckpointInUse(t *testing.T) {
	j := jobs()[0]
	j.opts.Checkpoint = filepath.Join(t.TempDir(), "c")
	second := j
	looked := false
	j.opts.OnBatch = func(Progress) {
		for _, resume := range []bool{false, true} {
			second.opts.Resume = resume
			_, _, err := second.fit(t, t.Context(), 3, second.opts)
			if err == nil || !strings.Contains(err.Error(), "checkpoint: "+j.opts.Checkpoint+" is in use by another process: wait") {
				t.Errorf("resume %v: the error is %v", resume, err)
			}
		}
		looked = true
	}
	j.whole(t)
	j.opts.OnBatch, j.opts.Resume = nil, true
	if j.whole(t); !looked {
		t.Error("there was no batch")
	}
}

func TestCheckpointOfAnotherVersion(t *testing.T) {
	j := jobs()[0]
	j.opts.Checkpoint, j.opts.Resume = filepath.Join(t.TempDir(), "c"), true
	for data, want := range map[string]error{
		"rnnkit checkpoint 2\n{}\n": ErrCheckpointVersion,
		"rnnkit checkpoint 41\n":    ErrCheckpointVersion,
		"ONNX":                      ErrNotCheckpoint,
	} {
		if err := os.WriteFile(j.opts.Checkpoint, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, err := j.fit(t, t.Context(), 3, j.opts); !errors.Is(err, want) {
			t.Errorf("%q: the error is %v", data, err)
		}
	}
}

// TestCheckpointReplacesNothingElse names a model as the checkpoint.
func TestCheckpointReplacesNothingElse(t *testing.T) {
	j := jobs()[0]
	j.opts.Checkpoint, j.opts.Resume = filepath.Join(t.TempDir(), "m.onnx"), false
	if err := os.WriteFile(j.opts.Checkpoint, []byte("ONNX"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, err := j.fit(t, t.Context(), 3, j.opts)
	if err == nil || !strings.Contains(err.Error(), "m.onnx: the file is not a checkpoint: name another file") {
		t.Errorf("the error is %v", err)
	}
	if data, err := os.ReadFile(j.opts.Checkpoint); err != nil || string(data) != "ONNX" {
		t.Errorf("the file has %q: %v", data, err)
	}
}

// TestResumeWithPatience adds a Patience and Validation, so that the number of settings
// differs too.
func TestResumeWithPatience(t *testing.T) {
	j := jobs()[0]
	j.opts.Checkpoint, j.opts.Resume = filepath.Join(t.TempDir(), "c"), false
	j.whole(t)
	j.opts.Resume, j.opts.Patience = true, 7
	j.opts.Validation = examples{spec: j.spec, count: 9, time: 3}
	if _, _, err := j.fit(t, t.Context(), 3, j.opts); err == nil || !strings.Contains(err.Error(), "its Patience is none, not 7") {
		t.Errorf("the error is %v", err)
	}
}

func TestLossesHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, loss := range []Loss{
		MSE(), MAE(), Huber(1), Huber(1.5), BinaryCrossEntropy(), Pinball(0.5), Pinball(0.1, 0.5), Pinball(0.2, 0.5), CrossEntropy{},
		CrossEntropy{Smoothing: 0.1}, CrossEntropy{Weights: []float64{1, 2}}, CrossEntropy{Weights: []float64{2, 1}},
	} {
		if seen[loss.String()] {
			t.Errorf("two losses have the name %s", loss)
		}
		seen[loss.String()] = true
	}
}

// checkpointed returns a checkpoint of a stateful fit in the middle of its second
// epoch, and a function that returns a fit that can restore it.
func checkpointed(t testing.TB) (data []byte, fresh func(t testing.TB) *fit[float32]) {
	spec := models.Spec{Cell: models.LSTM, Features: 1, Hidden: 2, Layers: 1, Readout: models.ReadLast, Outputs: 1}
	source := examples{spec: spec, count: 37, time: 2}
	fresh = func(t testing.TB) *fit[float32] {
		m, err := models.New(models.Metadata{Spec: spec}, 1)
		if err != nil {
			t.Fatal(err)
		}
		opts, err := Options{Epochs: 3, Batch: 18, Stateful: true, Patience: 2, Threads: 1}.withDefaults(spec)
		if err != nil {
			t.Fatal(err)
		}
		f, err := newFit(&m.Metadata, m.Params, datasets.Source(source), source, opts)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := fresh(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.opts.OnBatch = func(p Progress) {
		if p.Epoch == 2 && p.Batch == 2 {
			data, _ = f.marshal()
			cancel()
		}
	}
	if _, err := f.run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return data, fresh
}

// seal returns data with its checksum.
func seal(data []byte) []byte {
	sum := sha256.Sum256(data)
	return append(slices.Clip(data), sum[:]...)
}

func TestDamagedCheckpoint(t *testing.T) {
	data, fresh := checkpointed(t)
	if err := fresh(t).restore(data); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, data []byte) {
		t.Helper()
		f := fresh(t)
		before := slices.Clone(f.params.Data)
		if err := f.restore(data); err == nil {
			t.Errorf("%s: no error", what)
		}
		if !slices.Equal(f.params.Data, before) {
			t.Errorf("%s: the parameters have changed", what)
		}
	}
	for n := range data {
		refused(fmt.Sprint("cut after byte ", n), data[:n])
		flipped := slices.Clone(data)
		flipped[n] ^= 1 << (n % 8)
		refused(fmt.Sprint("a bit flipped in byte ", n), flipped)
	}
	refused("a byte too many", append(slices.Clip(data), 0))

	body := data[:len(data)-sha256.Size]
	refused("sealed, a byte short", seal(body[:len(body)-1]))
	refused("sealed, an example too many", seal(append(slices.Clip(body), make([]byte, 8)...)))
	refused("sealed, an example twice", seal(append(slices.Clone(body[:len(body)-8]), body[len(body)-16:len(body)-8]...)))
	refused("sealed, an example of none", seal(append(slices.Clone(body[:len(body)-8]), bytes.Repeat([]byte{255}, 8)...)))
	for old, changed := range map[string]string{
		`"examples":36`: `"examples":35`,
		`s":36`:         `s":-36`,
		`":36`:          `":38`,
		`es":36`:        `es":54`,
		`:36,`:          `:0,`,
		`"shuffle":"`:   `"shuffle":"AA`,
		`"history":[`:   `"history":[{},{},`,
		`history":[`:    `history":[{},{},{},`,
		`"settings":[{`: `"settings":[{},{`,
		`"settings"`:    `"Settings":[],"a"`,
		`{"settings"`:   `{"since":1e999,"settings"`,
	} {
		if !bytes.Contains(body, []byte(old)) {
			t.Fatalf("the header has no %s", old)
		}
		refused("sealed, "+changed, seal(bytes.Replace(body, []byte(old), []byte(changed), 1)))
	}
}

// FuzzReadCheckpoint restores data as it is, data with a valid checksum, and data after
// valid settings.
func FuzzReadCheckpoint(f *testing.F) {
	data, fresh := checkpointed(f)
	body := data[:len(data)-sha256.Size]
	settings := bytes.Index(body, []byte(`,"history"`)) // they end here
	f.Add(data)
	f.Add(body)
	f.Add(body[settings:])
	f.Add([]byte(checkpointMagic + "{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, seal(data), seal(append(slices.Clip(body[:settings]), data...))} {
			checkRestore(t, data, fresh)
		}
	})
}

// checkRestore restores a checkpoint. If it is refused, the error must have a type and
// nothing may change. Otherwise the fit must hold what the checkpoint holds and run to
// its end.
func checkRestore(t *testing.T, data []byte, fresh func(testing.TB) *fit[float32]) {
	t.Helper()
	f := fresh(t)
	defer f.close()
	before := slices.Clone(f.params.Data)
	if err := f.restore(data); err != nil {
		if !slices.Equal(f.params.Data, before) {
			t.Errorf("%v: the parameters have changed", err)
		}
		is := func(reason error) bool { return errors.Is(err, reason) }
		var other *MismatchError
		var field *models.FieldError
		reasons := []error{ErrNotCheckpoint, ErrCheckpointVersion, ErrCheckpointDamaged}
		if !slices.ContainsFunc(reasons, is) && !errors.As(err, &other) && !errors.As(err, &field) {
			t.Errorf("the error has no type: %v", err)
		}
		return
	}
	again, err := f.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := numbersOf(again), numbersOf(data); !bytes.Equal(got, want) {
		t.Errorf("restored numbers are %x, not %x", got, want)
	}
	g := fresh(t)
	defer g.close()
	if err := g.restore(again); err != nil {
		t.Fatalf("what was restored is refused: %v", err)
	}
	if third, err := g.marshal(); err != nil || !bytes.Equal(third, again) {
		t.Errorf("restored again it is another (%v)", err)
	}
	if history, err := f.run(t.Context()); err != nil && !errors.Is(err, ErrDiverged) || len(history) > f.opts.Epochs {
		t.Errorf("%d epochs of %d: %v", len(history), f.opts.Epochs, err)
	}
}

// numbersOf returns the part of a checkpoint between the header and the checksum.
func numbersOf(data []byte) []byte {
	parts := bytes.SplitN(data[:len(data)-sha256.Size], []byte("\n"), 3)
	return parts[2]
}
