package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Options say what is run.
type Options struct {
	Folder  string   // for models and results, which is made if it is not there
	Seeds   int      // how many, from 0 on
	Only    []string // names of experiments; none for all
	Recipes []string // of presets.Notebook and presets.Best
	Workers int      // trainings at a time; 0 for one on each processor

	OnRun func(Progress) // called after every training, one call at a time, if not nil
}

// Progress is where a lab stands after a training.
type Progress struct {
	Done, All  int
	Experiment string
	Arm        string
	Run        Run
}

// Names lists the experiments, in the notebook's order.
func Names() []string { return []string{"chars", "sine", "echo", "palindrome", "hidden"} }

// Do trains every arm of the experiments with every seed, several at a time,
// writes the models, their metrics and results.json to the folder, and returns
// what that has.
//
// When ctx is cancelled, trainings under way are given up; what is finished is
// written and returned, with the context's error.
func Do(ctx context.Context, o Options) (*Results, error) {
	l := &lab{Options: o, arms: arms(o)}
	if len(l.arms) == 0 {
		return nil, fmt.Errorf("nothing to train of %v with the recipes %v: hidden looks at the sine's model of the recipe %s", o.Only, o.Recipes, presets.Best)
	}
	if err := os.MkdirAll(filepath.Join(o.Folder, modelsFolder), 0o777); err != nil {
		return nil, fmt.Errorf("cannot write the report: %w", err)
	}
	begin := time.Now()
	if err := l.train(ctx); err != nil {
		return nil, err
	}
	r := l.results()
	r.Started, r.Seconds = begin, time.Since(begin).Seconds()
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(filepath.Join(o.Folder, "results.json"), append(data, '\n')); err != nil {
		return nil, err
	}
	return r, ctx.Err()
}

const modelsFolder = "models"

// lab is the state of one call of Do.
type lab struct {
	Options
	arms []*arm

	mu     sync.Mutex // of what follows, and of the arms' trained
	done   int
	failed error // the first that is not ctx's
}

// arm is an Arm with what it is made by.
type arm struct {
	variant
	preset  presets.Preset
	recipe  string
	options presets.Options
	trained []*trained // by seed; nil where it did not finish
}

// trained is an arm's training with one seed.
type trained struct {
	Run
	job   *rnnkit.Job
	first *models.Model // before the training
	model *infer.Model  // as exported

	// What pictures are made of.
	forecast   *Forecast
	texts      []Text
	gradients  []Gradient
	trajectory *Trajectory
}

// train runs all trainings on as many goroutines as there are workers: seed by
// seed, and of each the longest first.
func (l *lab) train(ctx context.Context) error {
	type task struct {
		arm  *arm
		seed int
	}
	tasks := make(chan task)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var workers sync.WaitGroup
	for range min(l.workers(), len(l.arms)*l.Seeds) {
		workers.Go(func() {
			for t := range tasks {
				if ctx.Err() != nil {
					continue
				}
				result, err := t.arm.train(ctx, l.Folder, uint64(t.seed))
				switch {
				case err == nil:
					l.finish(t.arm, result)
				case ctx.Err() == nil:
					l.fail(fmt.Errorf("%s, %s, seed %d: %w", t.arm.experiment(), t.arm.name(), t.seed, err))
					cancel()
				}
			}
		})
	}
	for seed := range l.Seeds {
		for _, a := range slices.Backward(l.arms) {
			tasks <- task{a, seed}
		}
	}
	close(tasks)
	workers.Wait()
	return l.failed
}

func (l *lab) workers() int {
	if l.Workers > 0 {
		return l.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func (l *lab) finish(a *arm, t *trained) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.trained[t.Seed] = t
	l.done++
	if l.OnRun != nil {
		l.OnRun(Progress{l.done, len(l.arms) * l.Seeds, a.experiment(), a.name(), t.Run})
	}
}

func (l *lab) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = err
	}
}

// train makes one training, writes its files and measures the model as it was
// exported.
func (a *arm) train(ctx context.Context, folder string, seed uint64) (*trained, error) {
	o := a.options
	o.Fit.Seed, o.Fit.Threads = seed, 1
	j, err := a.preset.New(o)
	if err != nil {
		return nil, err
	}
	t := &trained{job: j, Run: Run{Seed: seed, Figures: map[string]float64{}}}
	t.first = &models.Model{Metadata: j.Model.Metadata, Params: models.NewParams[float32](j.Model.Spec)}
	copy(t.first.Params.Data, j.Model.Params.Data)
	begin := time.Now()
	result, err := j.Train(ctx)
	if err != nil {
		return nil, err
	}
	t.Epochs, t.Seconds = result.Epochs, time.Since(begin).Seconds()
	t.Figures[exportDifference] = result.Native.Largest
	if err := t.write(result, folder, fmt.Sprintf("%s/%s-seed%d", modelsFolder, a.file(), seed)); err != nil {
		return nil, err
	}
	if t.model, err = result.Open(); err != nil {
		return nil, err
	}
	defer t.model.Close()
	return t, a.measure(ctx, t)
}

// write writes the model and its metrics to files of the given name.
func (t *trained) write(r *rnnkit.Result, folder, name string) error {
	t.Model, t.Metrics = name+".onnx", name+".jsonl"
	if err := r.WriteFile(filepath.Join(folder, t.Model)); err != nil {
		return err
	}
	var rows bytes.Buffer
	encoder := json.NewEncoder(&rows)
	for _, e := range t.Epochs {
		if err := encoder.Encode(e); err != nil {
			return err
		}
	}
	return atomicfile.Write(filepath.Join(folder, t.Metrics), rows.Bytes())
}

// results puts together what the arms have.
func (l *lab) results() *Results {
	r := &Results{
		Command:  l.command(""),
		Platform: fmt.Sprintf("%s/%s, %d threads, %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version()),
		Recipes:  l.Recipes,
		Complete: l.done == len(l.arms)*l.Seeds,
	}
	for seed := range l.Seeds {
		r.Seeds = append(r.Seeds, uint64(seed))
	}
	for _, e := range experiments {
		if l.wants(e.Name) {
			r.Experiments = append(r.Experiments, l.experiment(e))
		}
	}
	r.Claims = l.claims(r.Experiments)
	return r
}

func (o *Options) wants(name string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, name) }

// command repeats an experiment, or all where it has no name.
func (o *Options) command(experiment string) string {
	only := o.Only
	if experiment != "" {
		only = []string{experiment}
	}
	c := fmt.Sprintf("rnnkit lab -o report --seeds %d", o.Seeds)
	if len(only) > 0 {
		c += " --only " + strings.Join(only, ",")
	}
	if len(o.Recipes) == 1 {
		c += " --recipe " + o.Recipes[0]
	}
	return c
}

// experiment fills in e.
func (l *lab) experiment(e Experiment) Experiment {
	for _, a := range l.arms {
		finished := slices.DeleteFunc(slices.Clone(a.trained), func(t *trained) bool { return t == nil })
		if e.Name == "hidden" {
			for _, t := range finished {
				if t.trajectory != nil {
					e.Trajectories = append(e.Trajectories, t.trajectory)
				}
			}
			continue
		}
		if a.experiment() != e.Name {
			continue
		}
		out := a.arm()
		for i, t := range finished {
			out.Runs = append(out.Runs, t.Run)
			e.Texts = append(e.Texts, t.texts...)
			if i > 0 {
				continue
			}
			if t.forecast != nil {
				e.Forecasts = append(e.Forecasts, *t.forecast)
			}
			e.Gradients = append(e.Gradients, t.gradients...)
		}
		out.Figures = figures(out.Runs)
		e.Arms = append(e.Arms, out)
	}
	return e
}

// arm returns the Arm without its runs.
func (a *arm) arm() Arm {
	o := a.options
	return Arm{
		Name:    a.name(),
		Recipe:  a.recipe,
		Model:   modelWords(o),
		Trained: trainingWords(o),
		Spec:    o.Spec,
		Command: a.command(0),
	}
}

func modelWords(o presets.Options) string {
	var words []string
	s := o.Spec
	if s.Vocabulary > 0 {
		words = append(words, fmt.Sprintf("embedding %d", s.Embedding))
	}
	cell := fmt.Sprintf("%s of %d", strings.ToUpper(string(s.Cell)), s.Hidden)
	if s.Bidirectional {
		cell = "bidirectional " + cell
	}
	return strings.Join(append(words, cell, fmt.Sprintf("linear %d", s.Outputs), fmt.Sprintf("readout %s", s.Readout)), ", ")
}

func trainingWords(o presets.Options) string {
	f := o.Fit
	words := []string{f.Loss.Name(), fmt.Sprintf("%s %g", f.Optimizer.Method, f.LearningRate)}
	if f.Schedule.Shape != trainer.Constant {
		words = append(words, string(f.Schedule.Shape))
	}
	if f.Optimizer.WeightDecay > 0 {
		words = append(words, fmt.Sprintf("weight decay %g", f.Optimizer.WeightDecay))
	}
	if f.ClipNorm > 0 {
		words = append(words, fmt.Sprintf("clip %g", f.ClipNorm))
	}
	for _, name := range o.Init {
		words = append(words, string(name)+" initialization")
	}
	return strings.Join(append(words, fmt.Sprintf("batch %d", f.Batch), fmt.Sprintf("%d epochs", f.Epochs)), ", ")
}

// figures returns the spread of every figure over runs.
func figures(runs []Run) (list []Figure) {
	for _, label := range labels {
		var values []float64
		for _, r := range runs {
			if v, ok := r.Figures[label.name]; ok {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			list = append(list, Figure{label.name, label.words, median(values), slices.Min(values), slices.Max(values)})
		}
	}
	return list
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
