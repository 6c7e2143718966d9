package rnnkit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// fit trains the model of j: first without the last rows of each series, on which it then
// calibrates the intervals and compares the model with simple methods, then on all rows.
// If ctx ends before, the model is what was trained last.
func (f *forecaster) fit(ctx context.Context, j *Job) (history []trainer.Epoch, err error) {
	f.Fit.OnBatch, f.Fit.OnEpoch, f.Fit.Threads = j.Fit.OnBatch, j.Fit.OnEpoch, j.Fit.Threads
	if f.Trials > 0 {
		if err := f.choose(ctx); err != nil {
			return nil, err
		}
		f.Fit.OnBatch, f.Fit.OnEpoch, f.Fit.Threads = j.Fit.OnBatch, j.Fit.OnEpoch, j.Fit.Threads
		j.Options = f.Options
	}
	if f.calibration > 0 {
		m, epoch, err := f.fitEnsemble(ctx, f.panel.Until(f.calibration), "calibration", f.phases()-1)
		history = append(history, epoch...)
		if err == nil {
			err = f.calibrate(ctx, m)
		}
		if err != nil {
			f.take(j, m, history)
			return history, err
		}
	}
	m, epoch, err := f.fitEnsemble(ctx, f.panel, "final", f.phases())
	if len(epoch) > 0 {
		history = append(history, epoch...)
		f.take(j, m, history)
	}
	return history, err
}

// phases returns the number of phases: the trials, the calibration and the training on
// all rows.
func (f *forecaster) phases() int { return min(f.Trials, 1) + min(f.calibration, 1) + 1 }

// take makes m the model of j, if anything was trained.
func (f *forecaster) take(j *Job, m *models.Model, history []trainer.Epoch) {
	if len(history) == 0 || m == nil {
		return
	}
	last := history[len(history)-1]
	*j.Model = *m
	j.Model.Training = &models.Training{
		Data: f.DataName, DataSHA256: hex.EncodeToString(j.digest[:]), Seed: f.Fit.Seed,
		Epochs: len(history), Batch: f.Fit.Batch,
		Loss: trainer.Pinball(f.Spec.Direct.Quantiles...).Name(), Optimizer: string(f.Fit.Optimizer.Method),
		LearningRate: f.Fit.LearningRate, Schedule: string(f.Fit.Schedule.Shape),
		TrainLoss: last.TrainLoss, TestLoss: history[0].TestLoss,
	}
}

// fitEnsemble trains all members of all ensembles on a panel, some beside each other. The
// phase, a number from 1, and its name are for the progress and the checkpoints. If ctx
// ends, the model has the members that were begun.
func (f *forecaster) fitEnsemble(ctx context.Context, panel *datasets.Panel, name string, phase int) (*models.Model, []trainer.Epoch, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begins, err := f.beginnings(panel)
	if err != nil {
		return nil, nil, err
	}
	watch := &watcher{options: f.Fit, phase: phase, phases: f.phases(), updates: trainable(begins) * f.Updates}
	members := make([]member, len(begins))
	workers := min(len(begins), f.threads())
	var group sync.WaitGroup
	next := make(chan int)
	for range workers {
		group.Go(func() {
			for i := range next {
				members[i] = f.fitMember(ctx, panel, i, begins[i], f.memberOptions(watch, fmt.Sprintf("%s-%d", name, i+1), max(1, f.threads()/workers)))
				if members[i].err != nil {
					cancel(members[i].err)
				}
			}
		})
	}
	for i := range members {
		next <- i
	}
	close(next)
	group.Wait()
	return f.join(members, phase, watch)
}

// trainable returns how many members are trained.
func trainable(begins []beginning) (n int) {
	for _, b := range begins {
		if !b.fixed {
			n++
		}
	}
	return n
}

// threads returns how many goroutines compute.
func (f *forecaster) threads() int {
	if f.Fit.Threads > 0 {
		return f.Fit.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// memberOptions returns the options of the fit of a member.
func (f *forecaster) memberOptions(watch *watcher, name string, threads int) trainer.Options {
	o := f.Fit
	o.Epochs, o.Threads, o.OnEpoch, o.OnBatch = 1, threads, nil, watch.batch
	if o.Checkpoint == "" {
		return o
	}
	o.Checkpoint += "." + name
	if _, err := os.Stat(o.Checkpoint); err != nil && name != "calibration-1" {
		o.Resume = false // it was not begun
	}
	return o
}

// member is what one fit made.
type member struct {
	group  int // the ensemble of the mixture
	fixed  bool
	params *models.Params[float32]
	epoch  []trainer.Epoch
	err    error
}

// beginning is what a member begins as.
type beginning struct {
	group int
	spec  models.Spec
	path  []float32               // what the linear maps begin as
	start *models.Params[float32] // what it goes on from, or nil
	fixed bool                    // start is what it ends as
}

// beginnings returns those of the members of all ensembles.
func (f *forecaster) beginnings(panel *datasets.Panel) (list []beginning, err error) {
	for i, g := range f.groups() {
		of, err := f.beginningsOf(panel, i, g)
		if err != nil {
			return nil, err
		}
		list = append(list, of...)
	}
	return list, nil
}

// groups returns the ensembles, with the members that they go on from if there are any.
func (f *forecaster) groups() (list []models.Group) {
	if f.Start != nil {
		return f.Start.Groups()
	}
	for _, c := range f.components() {
		list = append(list, models.Group{Component: c})
	}
	return list
}

// beginningsOf returns those of the members of ensemble i.
func (f *forecaster) beginningsOf(panel *datasets.Panel, i int, g models.Group) (list []beginning, err error) {
	if i > 0 && isStructural(g.Spec) {
		all, err := f.windowsOf(panel, f.Window) // padding would be taken for values
		if err != nil {
			return nil, err
		}
		p, err := fitStructural(all, g.Spec, f.Season)
		if quantiles := f.calibratedHeads[i]; err == nil && quantiles != nil {
			copy(p.Head.B, quantiles)
		}
		return []beginning{{group: i, spec: g.Spec, start: p, fixed: true}}, err
	}
	for _, p := range g.Members {
		list = append(list, beginning{group: i, spec: g.Spec, start: p})
	}
	if f.Start != nil {
		return list, nil
	}
	path, err := f.path(panel, g.Spec)
	for range f.Ensemble {
		list = append(list, beginning{group: i, spec: g.Spec, path: path})
	}
	return list, err
}

// components returns the architectures of all ensembles. The first has the weight that the
// others leave.
func (f *forecaster) components() []models.Component {
	return append([]models.Component{{Spec: f.Spec}}, f.meta.Mixture...)
}

// alone returns the metadata of a model of the given architecture without a mixture.
func (f *forecaster) alone(s models.Spec) models.Metadata {
	meta := f.meta
	meta.Spec, meta.Mixture = s, nil
	return meta
}

// fitMember trains member i of all.
func (f *forecaster) fitMember(ctx context.Context, panel *datasets.Panel, i int, from beginning, o trainer.Options) (m member) {
	m.group = from.group
	if from.fixed {
		return member{group: from.group, params: from.start, fixed: true}
	}
	if ctx.Err() != nil {
		return member{err: context.Cause(ctx)}
	}
	o.Seed ^= uint64(i) << 32
	all, err := f.windows(panel)
	if err != nil {
		return member{err: err}
	}
	source := &draws{all, f.Updates * o.Batch, o.Seed}
	if m.params, err = f.begin(from, o.Seed); err != nil {
		return member{err: err}
	}
	m.epoch, m.err = trainer.Fit(ctx, &models.Model{Metadata: f.alone(from.spec), Params: m.params}, source, nil, o)
	if m.err != nil && ctx.Err() != nil && errors.Is(m.err, ctx.Err()) {
		m.err = context.Cause(ctx)
	}
	return m
}

// draws is a source of so many examples of another one, drawn at random.
type draws struct {
	datasets.Source
	count int
	seed  uint64
}

// Len implements [datasets.Source].
func (d *draws) Len() int { return d.count }

// Read implements [datasets.Source].
func (d *draws) Read(b *datasets.Batch, examples []int) error {
	drawn := make([]int, len(examples))
	for k, i := range examples {
		drawn[k] = rand.New(rand.NewPCG(d.seed, uint64(i))).IntN(d.Source.Len())
	}
	return d.Source.Read(b, drawn)
}

// path returns what the linear maps of new members begin as.
func (f *forecaster) path(panel *datasets.Panel, s models.Spec) ([]float32, error) {
	switch s.Direct.Linear {
	case 0:
		return nil, nil
	case 1:
		all, err := f.windows(panel)
		if err != nil {
			return nil, err
		}
		return ridgePath(all, s.Direct, f.Fit.Seed)
	}
	return structuralMaps(s.Direct, f.Season), nil
}

// begin returns the parameters that a member begins with.
func (f *forecaster) begin(from beginning, seed uint64) (*models.Params[float32], error) {
	if from.start != nil {
		params := models.NewParams[float32](from.spec)
		copy(params.Data, from.start.Data)
		return params, nil
	}
	initializers, err := f.initializers(from.spec, from.spec.Direct.WindowSegments())
	if err != nil {
		return nil, err
	}
	params, err := models.Init(from.spec, seed, append(initializers, spread)...)
	if err == nil {
		copy(params.Path, from.path)
	}
	return params, err
}

// spread is a models.Recipe that begins with quantiles apart, near those of a normal
// distribution of half the window's deviation.
func spread(s models.Spec, p *models.Params[float32], _ *rand.Rand) error {
	for i := range p.Head.W {
		p.Head.W[i] *= 0.3
	}
	for i := range p.Head.B {
		level := s.Direct.Quantiles[i%len(s.Direct.Quantiles)]
		p.Head.B[i] = float32(math.Erfinv(2*level-1) * math.Sqrt2 / 2)
	}
	return nil
}

// join returns the model of the members that were trained, what it learned by, and the
// first error.
func (f *forecaster) join(members []member, phase int, watch *watcher) (*models.Model, []trainer.Epoch, error) {
	var groups []models.Group
	for _, c := range f.components() {
		groups = append(groups, models.Group{Component: c})
	}
	var err error
	var trained float64
	sum := trainer.Epoch{Epoch: phase}
	for _, one := range members {
		if err == nil {
			err = one.err
		}
		if len(one.epoch) > 0 || one.fixed {
			groups[one.group].Members = append(groups[one.group].Members, one.params)
		}
		if len(one.epoch) == 0 {
			continue
		}
		e := one.epoch[0]
		sum.TrainLoss += e.TrainLoss
		sum.Seconds += e.Seconds
		sum.Examples += e.Examples
		trained++
	}
	if trained == 0 {
		return nil, nil, err
	}
	sum.TrainLoss /= trained
	watch.epoch(sum)
	return f.mixed(groups), []trainer.Epoch{sum}, err
}

// mixed returns the model of groups, some of which may have no members.
func (f *forecaster) mixed(groups []models.Group) *models.Model {
	groups = slices.DeleteFunc(groups, func(g models.Group) bool { return len(g.Members) == 0 })
	first := groups[0]
	m := &models.Model{Metadata: f.alone(first.Spec), Params: first.Members[0], Ensemble: first.Members[1:]}
	for _, g := range groups[1:] {
		m.Mixture, m.Mixed = append(m.Mixture, g.Component), append(m.Mixed, g.Members)
	}
	return m
}

// watcher tells the progress of fits that run beside each other as that of one.
type watcher struct {
	options       trainer.Options
	phase, phases int
	updates       int // of all fits together

	mutex sync.Mutex
	done  int
}

func (w *watcher) batch(p trainer.Progress) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.done++
	if w.options.OnBatch != nil {
		p.Epoch, p.Epochs, p.Batch, p.Batches = w.phase, w.phases, w.done, w.updates
		w.options.OnBatch(p)
	}
}

func (w *watcher) epoch(e trainer.Epoch) {
	if w.options.OnEpoch != nil {
		w.options.OnEpoch(e)
	}
}
