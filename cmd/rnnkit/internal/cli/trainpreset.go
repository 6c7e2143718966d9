package cli

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
)

// trainPreset is the verb of one of the notebook's trainings. Its flags stand at what the
// recipe best says.
type trainPreset struct {
	*trainOptions
	preset presets.Preset
	recipe string
	flags  *pflag.FlagSet
}

func newTrainPresetCmd(s *streams, preset presets.Preset, short string) *cobra.Command {
	v := &trainPreset{trainOptions: newTrainOptions(s, preset.Task, preset.Options(presets.Best, "")), preset: preset}
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
	f.StringVar(&v.recipe, "recipe", presets.Best, "best or notebook: what the flags that are not given stand at")
	switch v.preset.Name {
	case presets.Sine.Name:
		f.IntVar(&v.Samples, "samples", v.Samples, "points from 0 to 40π")
		f.Float64Var(&v.Noise, "noise", v.Noise, "standard deviation of the noise")
	case presets.Echo.Name, presets.Palindrome.Name:
		f.IntVar(&v.Window, "length", v.Window, "steps of a sequence")
		f.IntVar(&v.Samples, "samples", v.Samples, "sequences to train on")
		f.IntVar(&v.TestSamples, "test-samples", v.TestSamples, "sequences to test on")
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
	j, err := v.preset.New(v.Options)
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
	v.Options = v.preset.Options(v.recipe, v.Spec.Cell)
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
	length := 0
	if v.TestSamples > 0 { // of sequences
		length = 1
	}
	for _, f := range []struct {
		name         string
		value, least int
	}{{"length", v.Window, length}, {"samples", v.Samples, 0}, {"test-samples", v.TestSamples, 0}} {
		if f.value < f.least {
			return usagef("--%s is %d: it must be %d or more", f.name, f.value, f.least)
		}
	}
	if n := float64(v.Samples+v.TestSamples) * float64(v.Window); n > maxValues {
		return usagef("--samples and --length make %.3g values: keep them to %d", n, maxValues)
	}
	if !(v.Noise >= 0) || math.IsInf(v.Noise, 0) {
		return usagef("--noise is %g: it must be 0 or more", v.Noise)
	}
	return nil
}
