package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// trainWords are what flags say in words of options that are no text.
type trainWords struct {
	loss      string // autoLoss, or one of rnnkit.Losses
	quantile  float64
	smoothing float64
	init      string // "default", or a list of rnnkit.Init
	state     string
	scale     string // "standard" or "none"
}

// autoLoss leaves the loss to the data.
const autoLoss = "auto"

// What --state may be: the file takes the state and gives it back, or has none and every
// run begins with zeros.
const (
	stateInput = "input"
	stateNone  = "none"
)

// What --scale may be.
const (
	scaleStandard = "standard"
	scaleNone     = "none"
)

// newTrainOptions returns o with the words for the options as they stand.
func newTrainOptions(o trainOptions) *trainOptions {
	o.words = o.describe()
	return &o
}

// describe returns the words for the options as they stand.
func (o *trainOptions) describe() trainWords {
	w := trainWords{loss: rnnkit.Losses(o.task)[0], quantile: 0.5, init: initWords(o.Init), state: stateNone, scale: scaleNone}
	if o.StateInput {
		w.state = stateInput
	}
	if o.scale != nil && *o.scale {
		w.scale = scaleStandard
	}
	switch {
	case o.Fit.Loss != nil:
		w.loss = o.Fit.Loss.Name()
	case o.task == models.Classify:
		w.loss = autoLoss
	}
	return w
}

// initWords is what --init-recipe says for the given list.
func initWords(list []rnnkit.Init) string {
	if len(list) == 0 {
		return "default"
	}
	var names []string
	for _, name := range list {
		names = append(names, string(name))
	}
	return strings.Join(names, ",")
}

// losses are those of the job's task, and for classes that only the data tell also the
// one that looks at them.
func (o *trainOptions) losses() []string {
	list := rnnkit.Losses(o.task)
	if o.task == models.Classify && o.Fit.Loss == nil {
		return append([]string{autoLoss}, list...)
	}
	return list
}

// newTrainVerbCmd returns cmd with the flags of v, which it runs, and shows them in groups.
func newTrainVerbCmd(v verb, o *trainOptions, cmd *cobra.Command) *cobra.Command {
	newVerbCmd(v, cmd)
	const all = "Flags:\n{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}"
	cmd.SetUsageTemplate(strings.Replace(cmd.UsageTemplate(), all, o.usage, 1))
	return cmd
}

// addTrainFlags adds the flags that all trainings of the task have to f, after those of
// the verb. Their defaults are the options as they stand.
func (o *trainOptions) addTrainFlags(f *pflag.FlagSet) {
	o.addGroups(f, []flagGroup{{"Files", o.addFileFlags}, {"Model", o.addModelFlags}, {"Training", o.addFitFlags}})
}

// flagGroup is a group of flags in the help.
type flagGroup struct {
	title string
	add   func(*pflag.FlagSet)
}

// addGroups adds groups of flags to f, after those of the verb.
func (o *trainOptions) addGroups(f *pflag.FlagSet, groups []flagGroup) {
	var usage strings.Builder
	if f.HasFlags() {
		fmt.Fprintf(&usage, "Data:\n%s\n", f.FlagUsages())
	}
	for _, g := range groups {
		set := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		set.SortFlags = false
		g.add(set)
		if o.fromData {
			hideDefaults(set)
		}
		fmt.Fprintf(&usage, "%s:\n%s\n", g.title, set.FlagUsages())
		f.AddFlagSet(set)
	}
	o.usage = strings.TrimSpace(usage.String())
}

// hideDefaults leaves the defaults out of the help that follow from the data.
func hideDefaults(f *pflag.FlagSet) {
	for name, zero := range map[string]string{"cell": "", "hidden": "0", "layers": "0", "readout": "", "loss": "", "optimizer": "", "lr": "0", "schedule": "", "epochs": "0", "batch": "0"} {
		if flag := f.Lookup(name); flag != nil {
			flag.DefValue = zero
		}
	}
}

func (o *trainOptions) addFileFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "", "the ONNX file to write")
	f.StringVar(&o.words.state, "state", o.words.state, "input: the file takes the state and gives it back, so that any runtime can go on from it; or none: every run begins with zeros")
	f.StringVar(&o.metrics, "metrics", "", "a JSONL file for the losses of every epoch, and a classifier's accuracy")
	f.StringVar(&o.Fit.Checkpoint, "checkpoint", "", "a file that holds all that is needed to go on")
	f.DurationVar(&o.Fit.CheckpointEvery, "checkpoint-every", 30*time.Second, "how often to write it")
	f.BoolVar(&o.Fit.Resume, "resume", false, "go on from the checkpoint, which is otherwise begun anew, with the same data and flags; --epochs may be more")
	addOrtLib(f, &o.ortLib)
}

func (o *trainOptions) addModelFlags(f *pflag.FlagSet) {
	s := &o.Spec
	f.StringVar((*string)(&s.Cell), "cell", string(s.Cell), "rnn, lstm or gru")
	f.StringVar((*string)(&s.Activation), "activation", "tanh", "of an rnn: tanh or relu")
	if s.Vocabulary > 0 {
		f.IntVar(&s.Embedding, "embed", s.Embedding, "values that a token is embedded in")
	}
	f.IntVar(&s.Hidden, "hidden", s.Hidden, "size of the state")
	f.IntVar(&s.Layers, "layers", s.Layers, "recurrent layers, one on the other")
	f.Float64Var(&s.Dropout, "dropout", s.Dropout, "probability of dropping a value between layers, and after those of a direct forecaster")
	if o.task != models.Generate {
		f.BoolVar(&s.Bidirectional, "bidirectional", s.Bidirectional, "read the sequence from its end too")
		f.StringVar((*string)(&s.Readout), "readout", string(s.Readout), "what the answer is made of: last, final, mean or max")
	}
	if o.window != nil {
		f.IntVar(o.window, "seq-len", *o.window, "steps that a prediction looks back on")
	}
	f.StringVar(&o.start, "init", "", "begin with the parameters of this ONNX file, ours or PyTorch's or Keras's")
	f.StringVar(&o.words.init, "init-recipe", o.words.init, "PyTorch's default, or a list of orthogonal, forget-bias, chrono")
}

func (o *trainOptions) addFitFlags(f *pflag.FlagSet) {
	t := &o.Fit
	if o.task != models.Generate {
		usage := orList(o.losses())
		if o.words.loss == autoLoss {
			usage += ": auto is bce for two labels, else cross-entropy"
		}
		f.StringVar(&o.words.loss, "loss", o.words.loss, usage)
	}
	if o.task == models.Forecast {
		f.Float64Var(&o.words.quantile, "quantile", o.words.quantile, "that pinball fits: 0.9 for what nine values in ten stay below")
	} else {
		f.Float64Var(&o.words.smoothing, "label-smoothing", 0, "share of a label that cross-entropy spreads over all")
	}
	f.StringVar((*string)(&t.Optimizer.Method), "optimizer", string(t.Optimizer.Method), "sgd, rmsprop, adam or adamw")
	f.Float64Var(&t.LearningRate, "lr", t.LearningRate, "learning rate, the largest of the schedule")
	f.Float64Var(&t.Optimizer.Momentum, "momentum", 0, "of sgd and rmsprop")
	f.BoolVar(&t.Optimizer.Nesterov, "nesterov", false, "let sgd look one step ahead along the momentum")
	f.Float64Var(&t.Optimizer.WeightDecay, "weight-decay", t.Optimizer.WeightDecay, "of the weights (default 0.01 for adamw)")
	f.StringVar((*string)(&t.Schedule.Shape), "schedule", string(t.Schedule.Shape), "of the learning rate: constant, step, cosine, onecycle or plateau")
	f.IntVar(&t.Schedule.Warmup, "warmup", 0, "updates over which the learning rate rises")
	f.Float64Var(&t.ClipNorm, "clip", t.ClipNorm, "largest norm of all gradients together, 0 for none")
	f.IntVar(&t.Epochs, "epochs", t.Epochs, "passes over the training data")
	f.IntVar(&t.Batch, "batch", t.Batch, "examples between two updates")
	f.IntVar(&t.Patience, "patience", 0, "epochs without a lower validation loss, of half of what is held out, after which to stop, with the best model (default never)")
	if o.tbptt != nil {
		f.IntVar(o.tbptt, "tbptt", 0, "learn from every step of --batch parallel streams, cutting gradients every so many steps but not the state (default from windows)")
	}
	f.BoolVar(&t.NoShuffle, "no-shuffle", false, "take the examples in their order")
	f.Uint64Var(&t.Seed, "seed", 0, "seed of everything random: the same seed gives the same file")
	f.IntVar(&t.Threads, "threads", 0, "threads to compute with, without effect on the result (default all)")
}

// validateTrain reports the first flag that cannot be used, and completes the options.
func (o *trainOptions) validateTrain() error {
	if o.output == "" {
		return usagef("say where to write the model: -o FILE.onnx")
	}
	if err := o.distinct(""); err != nil {
		return err
	}
	if o.words != (trainWords{}) {
		if err := o.readWords(); err != nil {
			return err
		}
	}
	if o.Spec.Activation == models.Tanh {
		o.Spec.Activation = ""
	}
	if err := o.validator.Validate(); err != nil {
		return usageError{withFlag(err)}
	}
	return nil
}

// readWords sets the options that flags give in words.
func (o *trainOptions) readWords() error {
	w := o.words
	switch {
	case w.state != stateInput && w.state != stateNone:
		return usagef("--state is %q: it must be %s or %s", w.state, stateInput, stateNone)
	case w.scale != scaleStandard && w.scale != scaleNone:
		return usagef("--scale is %q: it must be %s or %s", w.scale, scaleStandard, scaleNone)
	case !slices.Contains(o.losses(), w.loss):
		return usagef("--loss is %q: it must be %s", w.loss, orList(o.losses()))
	case w.loss == "pinball" && !(w.quantile > 0 && w.quantile < 1):
		return usagef("--quantile is %g: it must lie between 0 and 1", w.quantile)
	case w.loss != "pinball" && w.quantile != 0.5:
		return usagef("--quantile is %g: it needs --loss pinball", w.quantile)
	case w.loss == "bce" && w.smoothing > 0:
		return usagef("--label-smoothing is %g: it needs --loss cross-entropy", w.smoothing)
	}
	o.StateInput = w.state == stateInput
	if o.scale != nil {
		*o.scale = w.scale == scaleStandard
	}
	o.Fit.Loss = w.lossValue()
	var err error
	o.Init, err = w.initList()
	return err
}

// lossValue returns the loss, or nil for the one that the data ask for.
func (w trainWords) lossValue() trainer.Loss {
	switch w.loss {
	case "mae":
		return trainer.MAE()
	case "huber":
		return trainer.Huber(1)
	case "pinball":
		return trainer.Pinball(w.quantile)
	case "bce":
		return trainer.BinaryCrossEntropy()
	case "mse":
		return trainer.MSE()
	case autoLoss:
		if w.smoothing == 0 {
			return nil
		}
	}
	return trainer.CrossEntropy{Smoothing: w.smoothing}
}

// initList returns the names that --init-recipe lists.
func (w trainWords) initList() (list []rnnkit.Init, err error) {
	known := []rnnkit.Init{rnnkit.Orthogonal, rnnkit.ForgetBias, rnnkit.Chrono}
	for name := range strings.SplitSeq(w.init, ",") {
		init := rnnkit.Init(strings.TrimSpace(name))
		switch {
		case slices.Contains(known, init):
			list = append(list, init)
		case init != "default":
			return nil, usagef("--init-recipe is %q: it must be default or a list of orthogonal, forget-bias, chrono", w.init)
		}
	}
	return list, nil
}

// withFlag returns err with the flag for the field that it is about. Other errors it
// returns as they are.
func withFlag(err error) error {
	var resume *trainer.CheckpointError
	var other *trainer.MismatchError
	switch {
	case errors.As(err, &resume):
		return fmt.Errorf("cannot resume from %s: %w: resume another checkpoint, or start without --resume", resume.Path, withFlag(resume.Err))
	case errors.As(err, &other):
		return &trainer.MismatchError{Field: cmp.Or(flagOf(other.Field), other.Field), Checkpoint: other.Checkpoint, Given: other.Given}
	}
	if field, ok := errors.AsType[*models.FieldError](err); ok && strings.Contains(field.Want, " of Start") {
		err = &models.FieldError{Field: field.Field, Value: field.Value, Want: strings.Replace(field.Want, " of Start", " of the model of --init", 1), Err: field.Err}
	}
	return withFieldFlag(err, flagOf)
}

// flagOf returns the flag of a field of the options of a task or of the trainer.Options in
// them, or "".
func flagOf(field string) string {
	return cmp.Or(fieldFlags[field], fieldFlags["Fit."+field])
}

// fieldFlags has the flags of the fields of the options of all tasks.
var fieldFlags = map[string]string{
	"Spec.Cell": "--cell", "Spec.Activation": "--activation", "Spec.Embedding": "--embed", "Spec.Hidden": "--hidden",
	"Spec.Layers": "--layers", "Spec.Bidirectional": "--bidirectional", "Spec.Dropout": "--dropout", "Spec.Readout": "--readout",

	"Init": "--init-recipe", "Window": "--seq-len", "Stride": "--stride", "TBPTT": "--tbptt",

	"columns": "the column", "panel.Series": "the column",
	"Horizon": "--horizon", "Segment": "--segment", "Season": "--season", "Log": "--log", "Mixture": "--mixture", "Updates": "--updates", "Ensemble": "--ensemble",
	"Trials": "--trials", "Levels": "--intervals", "Min": "--min", "Max": "--max", "Missing": "--missing", "Calendar": "--calendar",
	"Direction": "--direction", "MinDeviation": "--min-deviation", "MinRelative": "--min-relative",
	"Consecutive": "--consecutive", "Refractory": "--refractory", "Rate": "--false-alarm",
	"Start": "--init", "Series": "--series", "Frequency": "--frequency", "Zone": "--zone", "TimeFormat": "--time-format",

	"Fit.Epochs": "--epochs", "Fit.Batch": "--batch", "Fit.Patience": "--patience", "Fit.Threads": "--threads",
	"Fit.Seed": "--seed", "Fit.NoShuffle": "--no-shuffle", "Fit.Stateful": "--tbptt", "Fit.LearningRate": "--lr", "Fit.ClipNorm": "--clip",
	"Fit.Resume": "--resume", "Fit.Checkpoint": "--checkpoint", "Fit.CheckpointEvery": "--checkpoint-every",
	"Fit.Optimizer.Method": "--optimizer", "Fit.Optimizer.Momentum": "--momentum", "Fit.Optimizer.Nesterov": "--nesterov",
	"Fit.Optimizer.WeightDecay": "--weight-decay",
	"Fit.Schedule.Shape":        "--schedule", "Fit.Schedule.Warmup": "--warmup",
	"Fit.Loss": "--loss", "Fit.Loss.Smoothing": "--label-smoothing", "Fit.Loss.quantiles[0]": "--quantile",
	"Fit.DataDigest": "data (by its digest, with --stride and --tbptt)",
}

func orList(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
