package cli

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/models"
)

// trainPreset is the verb of one of the notebook's trainings. Its flags stand at what the
// recipe best says.
type trainPreset struct {
	*trainOptions
	preset  presets.Preset
	options presets.Options
	recipe  string
	flags   *pflag.FlagSet
}

func newTrainPresetCmd(s *streams, preset presets.Preset, short string) *cobra.Command {
	v := &trainPreset{preset: preset, options: preset.Options(presets.Best, "")}
	o := &v.options
	v.trainOptions = newTrainOptions(trainOptions{streams: s, task: o.Task, validator: o, Options: &o.Options})
	if o.Task != models.Classify {
		v.window = &o.Window
	}
	if o.Task == models.Forecast {
		v.tbptt = &o.TBPTT
	}
	return newTrainVerbCmd(v, v.trainOptions, &cobra.Command{
		Use:   preset.Name,
		Short: short,
		Long: short + `.

The recipe best makes the notebook's claim true, with the notebook's data and
sizes; the recipe notebook trains as the notebook does. The flags below show what
best says. Those that are given hold for any recipe.`,
		Example: fmt.Sprintf("  rnnkit train %s -o %[1]s.onnx\n  rnnkit train %[1]s --recipe notebook --seed 3 -o notebook.onnx", preset.Name),
		Args:    cobra.NoArgs,
	})
}

func (v *trainPreset) addFlags(f *pflag.FlagSet) {
	v.flags = f
	o := &v.options
	f.StringVar(&v.recipe, "recipe", presets.Best, "best or notebook: what the flags that are not given stand at")
	switch v.preset.Name {
	case presets.Sine.Name:
		f.IntVar(&o.Samples, "samples", o.Samples, "points from 0 to 40π")
		f.Float64Var(&o.Noise, "noise", o.Noise, "standard deviation of the noise")
	case presets.Echo.Name, presets.Palindrome.Name:
		f.IntVar(&o.Window, "length", o.Window, "steps of a sequence")
		f.IntVar(&o.Samples, "samples", o.Samples, "sequences to train on")
		f.IntVar(&o.TestSamples, "test-samples", o.TestSamples, "sequences to test on")
	}
	v.addTrainFlags(f)
}

func (v *trainPreset) validate() error {
	if err := v.follow(); err != nil {
		return err
	}
	if err := v.validateSizes(); err != nil {
		return err
	}
	return v.validateTrain()
}

func (v *trainPreset) run(ctx context.Context, _ []string) error {
	j, err := v.preset.New(v.options)
	return v.trainJob(ctx, j, err)
}

// follow gives the options of the preset's recipe to all flags but those that were
// given.
func (v *trainPreset) follow() error {
	if v.recipe != presets.Best && v.recipe != presets.Notebook {
		return usagef("--recipe is %q: it must be %s or %s", v.recipe, presets.Best, presets.Notebook)
	}
	given := map[string]string{}
	v.flags.Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	v.options = v.preset.Options(v.recipe, v.Spec.Cell)
	v.words = v.describe()
	for name, value := range given {
		if err := v.flags.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// maxValues is how many values a preset may make, so that a mistyped length
// does not ask for all the memory there is.
const maxValues = 100_000_000

// validateSizes checks the sizes of data that are made.
func (v *trainPreset) validateSizes() error {
	o, length := v.options, 0
	if o.TestSamples > 0 { // of sequences
		length = 1
	}
	for _, f := range []struct {
		name         string
		value, least int
	}{{"length", o.Window, length}, {"samples", o.Samples, 0}, {"test-samples", o.TestSamples, 0}} {
		if f.value < f.least {
			return usagef("--%s is %d: it must be %d or more", f.name, f.value, f.least)
		}
	}
	if n := float64(o.Samples+o.TestSamples) * float64(o.Window); n > maxValues {
		return usagef("--samples and --length make %.3g values: keep them to %d", n, maxValues)
	}
	if !(o.Noise >= 0) || math.IsInf(o.Noise, 0) {
		return usagef("--noise is %g: it must be 0 or more", o.Noise)
	}
	return nil
}
