package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/datasets"
)

// maxPoints limits how many values are printed.
const maxPoints = 10_000_000

func newDataCmd(s *streams) *cobra.Command {
	return newGroupCmd("data", "Print the data of a preset", "", "preset", newDataCharsCmd(s), newDataSineCmd(s),
		newDataSequencesCmd(s, presets.Echo, datasets.Echo, presets.EchoLabels, "random bits, labelled with the first"),
		newDataSequencesCmd(s, presets.Palindrome, datasets.Palindromes, presets.PalindromeLabels, "digits, every other line a palindrome"))
}

type dataCharsOptions struct{ *streams }

func newDataCharsCmd(s *streams) *cobra.Command {
	return newVerbCmd(&dataCharsOptions{s}, &cobra.Command{
		Use:     "chars",
		Short:   "Print the nursery rhyme",
		Example: "  rnnkit data chars > rhyme.txt",
		Args:    cobra.NoArgs,
	})
}

func (o *dataCharsOptions) addFlags(*pflag.FlagSet) {}

func (o *dataCharsOptions) validate() error { return nil }

func (o *dataCharsOptions) run(context.Context, []string) error {
	_, err := io.WriteString(o.Out, datasets.Rhyme())
	return err
}

type dataSineOptions struct {
	*streams
	points int
	seed   uint64
}

const dataSineLong = `Print y = sin(x) + 0.1·N(0,1) at evenly spaced points of x from 0 to 40π, as CSV
with one column, y: the series that 'rnnkit train sine' learns.`

func newDataSineCmd(s *streams) *cobra.Command {
	return newVerbCmd(&dataSineOptions{streams: s}, &cobra.Command{
		Use:     "sine",
		Short:   "Print the noisy sine as CSV",
		Long:    dataSineLong,
		Example: "  rnnkit data sine > series.csv",
		Args:    cobra.NoArgs,
	})
}

func (o *dataSineOptions) addFlags(flags *pflag.FlagSet) {
	preset := presets.Sine.Options(presets.Best, "")
	flags.IntVarP(&o.points, "points", "n", preset.Samples, "how many points")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the noise")
}

func (o *dataSineOptions) validate() error {
	if o.points < 1 || o.points > maxPoints {
		return usagef("-n is %d: it must be from 1 to %d", o.points, maxPoints)
	}
	return nil
}

func (o *dataSineOptions) run(context.Context, []string) error {
	preset := presets.Sine.Options(presets.Best, "")
	w := bufio.NewWriter(o.Out)
	fmt.Fprintln(w, "y")
	for _, y := range datasets.Sine(o.points, preset.Noise, o.seed) {
		fmt.Fprintln(w, y)
	}
	return w.Flush()
}

type dataSequencesOptions struct {
	*streams
	preset   presets.Preset
	generate func(n, length int, seed uint64) *datasets.Sequences
	labels   []string

	n, length int
	seed      uint64
}

const dataSequencesLong = `Print %s, as CSV with the label last: by default
the sequences that 'rnnkit train %s' has with the same seed, the last %d of which
test.`

// newDataSequencesCmd returns the command that prints the sequences of a preset, which
// generate makes. what says what they are.
func newDataSequencesCmd(s *streams, preset presets.Preset, generate func(n, length int, seed uint64) *datasets.Sequences, labels []string, what string) *cobra.Command {
	o := &dataSequencesOptions{streams: s, preset: preset, generate: generate, labels: labels}
	return newVerbCmd(o, &cobra.Command{
		Use:     preset.Name,
		Short:   "Print " + what,
		Long:    fmt.Sprintf(dataSequencesLong, what, preset.Name, preset.Options(presets.Best, "").TestSamples),
		Example: fmt.Sprintf("  rnnkit data %s --seed 100 -n 200 > sequences.csv", preset.Name),
		Args:    cobra.NoArgs,
	})
}

func (o *dataSequencesOptions) addFlags(flags *pflag.FlagSet) {
	preset := o.preset.Options(presets.Best, "")
	flags.IntVarP(&o.n, "sequences", "n", preset.Samples+preset.TestSamples, "how many sequences")
	flags.IntVar(&o.length, "length", preset.Window, "steps of a sequence")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the sequences")
}

func (o *dataSequencesOptions) validate() error {
	switch {
	case o.n < 1:
		return usagef("-n is %d: it must be 1 or more", o.n)
	case o.length < 2:
		return usagef("--length is %d: it must be 2 or more", o.length)
	case float64(o.n)*float64(o.length) > maxPoints:
		return usagef("-n and --length make %.3g values: keep them to %d", float64(o.n)*float64(o.length), maxPoints)
	}
	return nil
}

func (o *dataSequencesOptions) run(context.Context, []string) error {
	return printSequences(o.Out, o.generate(o.n, o.length, o.seed), o.labels)
}

// printSequences prints sequences of the same length under a header.
func printSequences(out io.Writer, s *datasets.Sequences, labels []string) error {
	w := csv.NewWriter(out)
	for i, label := range s.Labels {
		record := recordOf(s, i)
		if i == 0 {
			w.Write(headerOf(record))
		}
		w.Write(append(record, labels[label]))
	}
	w.Flush()
	return w.Error()
}

// recordOf returns the values of sequence i.
func recordOf(s *datasets.Sequences, i int) (record []string) {
	if s.Tokens != nil {
		for _, token := range s.Tokens[i] {
			record = append(record, strconv.FormatInt(token, 10))
		}
		return record
	}
	for _, v := range s.Inputs[i] {
		record = append(record, strconv.FormatFloat(float64(v), 'g', -1, 32))
	}
	return record
}

func headerOf(record []string) (header []string) {
	for t := range record {
		header = append(header, "x"+strconv.Itoa(t+1))
	}
	return append(header, "label")
}
