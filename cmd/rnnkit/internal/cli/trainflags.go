package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/internal/job"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// losses are those that fit a task, the usual one first.
var losses = map[models.Task][]string{
	models.Forecast: {"mse", "mae", "huber", "pinball"},
	models.Generate: {"cross-entropy"},
	models.Classify: {"bce", "cross-entropy"},
}

// losses are those of the job's task, and for classes that only the data tells
// also the one that looks at them.
func (o *trainOptions) losses() []string {
	if o.auto {
		return append([]string{job.AutoLoss}, losses[o.task]...)
	}
	return losses[o.task]
}

// addFlags adds the flags that jobs of the task have to cmd, after those of its
// own, and shows them in groups. Their defaults are the terms as they stand.
func (o *trainOptions) addFlags(cmd *cobra.Command) {
	groups := []struct {
		title string
		add   func(*pflag.FlagSet)
	}{{"Files", o.addFileFlags}, {"Model", o.addModelFlags}, {"Training", o.addFitFlags}}
	var usages strings.Builder
	if cmd.Flags().HasFlags() {
		fmt.Fprintf(&usages, "Data:\n%s\n", cmd.Flags().FlagUsages())
	}
	for _, g := range groups {
		set := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		set.SortFlags = false
		g.add(set)
		fmt.Fprintf(&usages, "%s:\n%s\n", g.title, set.FlagUsages())
		cmd.Flags().AddFlagSet(set)
	}
	const all = "Flags:\n{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}"
	cmd.SetUsageTemplate(strings.Replace(cmd.UsageTemplate(), all, strings.TrimSpace(usages.String()), 1))
}

func (o *trainOptions) addFileFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "", "the ONNX file to write")
	f.StringVar(&o.State, "state", o.State, "input: the file takes the state and gives it back, so that any runtime can go on from it; or none: every run begins with zeros")
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
	f.Float64Var(&s.Dropout, "dropout", s.Dropout, "probability of dropping a value between layers")
	if o.task != models.Generate {
		f.BoolVar(&s.Bidirectional, "bidirectional", s.Bidirectional, "read the sequence from its end too")
		f.StringVar((*string)(&s.Readout), "readout", string(s.Readout), "what the answer is made of: last, final, mean or max")
	}
	if o.task != models.Classify {
		f.IntVar(&o.Window, "seq-len", o.Window, "steps that a prediction looks back on")
	}
	f.StringVar(&o.start, "init", "", "begin with the parameters of this ONNX file, ours or PyTorch's or Keras's")
	f.StringVar(&o.Init, "init-recipe", o.Init, "PyTorch's default, or a list of orthogonal, forget-bias, chrono")
}

func (o *trainOptions) addFitFlags(f *pflag.FlagSet) {
	t := &o.Fit
	if o.task != models.Generate {
		usage := orList(o.losses())
		if o.auto {
			usage += ": auto is bce for two labels, else cross-entropy"
		}
		f.StringVar(&o.Loss, "loss", o.Loss, usage)
	}
	if o.task == models.Forecast {
		f.Float64Var(&o.Quantile, "quantile", o.Quantile, "that pinball fits: 0.9 for what nine values in ten stay below")
	} else {
		f.Float64Var(&o.Smoothing, "label-smoothing", 0, "share of a label that cross-entropy spreads over all")
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
	if o.task == models.Forecast {
		f.IntVar(&o.TBPTT, "tbptt", 0, "learn from every step of --batch parallel streams, cutting gradients every so many steps but not the state (default from windows)")
	}
	f.BoolVar(&t.NoShuffle, "no-shuffle", false, "take the examples in their order")
	f.Uint64Var(&t.Seed, "seed", 0, "seed of everything random: the same seed gives the same file")
	f.IntVar(&t.Threads, "threads", 0, "threads to compute with, without effect on the result (default all)")
}

func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// follow gives the terms of the preset's recipe to all flags but those that were
// given.
func (o *trainOptions) follow(preset job.Preset, flags *pflag.FlagSet) error {
	if o.recipe != job.Best && o.recipe != job.Notebook {
		return usagef("--recipe is %q: it must be %s or %s", o.recipe, job.Best, job.Notebook)
	}
	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	o.Terms = preset.Terms(o.recipe, o.Spec.Cell)
	for name, value := range given {
		if err := flags.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// maxValues is how many values a preset may make, so that a mistyped length
// does not ask for all the memory there is.
const maxValues = 100_000_000

// validate reports the first flag that cannot be used.
func (o *trainOptions) validate() error {
	if o.output == "" {
		return usagef("say where to write the model: -o FILE.onnx")
	}
	window, stride := "seq-len", 0
	switch o.task {
	case models.Classify:
		window = "length"
	case models.Generate:
		stride = 1
	}
	for _, f := range []struct {
		name  string
		value int
		least int
	}{
		{window, o.Window, 1}, {"epochs", o.Fit.Epochs, 1}, {"batch", o.Fit.Batch, 1}, {"patience", o.Fit.Patience, 0}, {"tbptt", o.TBPTT, 0},
		{"samples", o.Samples, 0}, {"test-samples", o.TestSamples, 0}, {"stride", o.Stride, stride},
	} {
		if f.value < f.least {
			return usagef("--%s is %d: it must be %d or more", f.name, f.value, f.least)
		}
	}
	if n := float64(o.Samples+o.TestSamples) * float64(o.Window); n > maxValues {
		return usagef("--samples and --%s make %.3g values: keep them to %d", window, n, maxValues)
	}
	if o.Fit.Threads < 0 || o.Fit.Threads > trainer.MaxThreads {
		return usagef("--threads is %d: it must be from 1 to %d, or 0 for all", o.Fit.Threads, trainer.MaxThreads)
	}
	if !(o.Fit.LearningRate > 0) || math.IsInf(o.Fit.LearningRate, 0) {
		return usagef("--lr is %g: it must be more than 0", o.Fit.LearningRate)
	}
	if !(o.Fit.ClipNorm >= 0) {
		return usagef("--clip is %g: it must be more than 0", o.Fit.ClipNorm)
	}
	if !(o.Noise >= 0) || math.IsInf(o.Noise, 0) {
		return usagef("--noise is %g: it must be 0 or more", o.Noise)
	}
	if err := o.distinct(""); err != nil {
		return err
	}
	switch {
	case !slices.Contains(o.losses(), o.Loss):
		return usagef("--loss is %q: it must be %s", o.Loss, orList(o.losses()))
	case o.Loss == "pinball" && !(o.Quantile > 0 && o.Quantile < 1):
		return usagef("--quantile is %g: it must lie between 0 and 1", o.Quantile)
	case o.task == models.Forecast && o.Loss != "pinball" && o.Quantile != 0.5:
		return usagef("--quantile is %g: it needs --loss pinball", o.Quantile)
	case o.Smoothing > 0 && o.Loss == "bce":
		return usagef("--label-smoothing is %g: it needs --loss cross-entropy", o.Smoothing)
	case o.task != models.Generate && o.Spec.Readout == models.ReadAll:
		return usagef("--readout is \"all\": there is one answer, so it must be last, final, mean or max")
	case o.TBPTT > 0 && o.Spec.Readout != models.ReadLast:
		return usagef("--readout is %q: with --tbptt the model answers at every step", o.Spec.Readout)
	}
	return o.validateTerms()
}

// validateTerms names the flag behind a term that does not fit.
func (o *trainOptions) validateTerms() error {
	if o.Spec.Activation == models.Tanh {
		o.Spec.Activation = ""
	}
	if o.Loss == "cross-entropy" || o.Loss == job.AutoLoss && o.Smoothing > 0 {
		o.Spec.Outputs = max(o.Spec.Outputs, 2)
	}
	err := o.Terms.Validate()
	if err == nil {
		return nil
	}
	if field := withFlag(err); field != nil {
		return usageError{field}
	}
	return usageError{errors.New(flagNames.Replace(err.Error()))}
}

// withFlag returns the FieldError in err with the flag for the field, or nil if
// there is none.
func withFlag(err error) *models.FieldError {
	var field *models.FieldError
	if !errors.As(err, &field) {
		return nil
	}
	flag, ok := fieldFlags[field.Field]
	if !ok {
		return nil
	}
	return &models.FieldError{Field: "--" + flag, Value: field.Value, Want: field.Want}
}

// fieldFlags has the flags of the fields of a Spec and of trainer.Options.
var fieldFlags = map[string]string{
	"Cell": "cell", "Activation": "activation", "Embedding": "embed", "Hidden": "hidden", "Layers": "layers",
	"Bidirectional": "bidirectional", "Dropout": "dropout", "Readout": "readout",

	"Epochs": "epochs", "Batch": "batch", "Patience": "patience", "Threads": "threads",
	"LearningRate": "lr", "ClipNorm": "clip", "Carry": "tbptt", "Resume": "resume", "CheckpointEvery": "checkpoint-every",
	"Optimizer.Method": "optimizer", "Optimizer.Momentum": "momentum", "Optimizer.Nesterov": "nesterov",
	"Optimizer.WeightDecay": "weight-decay",
	"Schedule.Shape":        "schedule", "Schedule.Warmup": "warmup",
	"Loss": "loss", "Loss.Smoothing": "label-smoothing",
}

// flagNames puts flags for the names of terms and options in errors.
var flagNames = strings.NewReplacer(
	"job: ", "",
	"Init is", "--init-recipe is",
	"State is", "--state is",
	"Optimizer.Method", "--optimizer",
	"Optimizer.Momentum", "--momentum",
	"Optimizer.Nesterov", "--nesterov",
	"Optimizer.WeightDecay", "--weight-decay",
	"Schedule.Shape", "--schedule",
	"Schedule.Warmup", "--warmup",
	"CheckpointEvery", "--checkpoint-every",
	"Checkpoint", "--checkpoint",
	"Resume", "--resume",
	"Carry is set", "--tbptt is set",
	"Epochs is", "--epochs is",
	"DataDigest is", "data (by its digest, with --stride and --tbptt) is",
)
