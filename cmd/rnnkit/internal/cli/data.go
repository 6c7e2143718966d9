package cli

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/datasets"
)

const maxPoints = 10_000_000

func newDataCmd(s *streams) *cobra.Command {
	return newGroupCmd("data", "Print the data of a preset", "", "preset", newDataCharsCmd(s), newDataSineCmd(s),
		newDataSequencesCmd(s, presets.Echo, datasets.Echo, presets.EchoLabels, "random bits, labelled with the first"),
		newDataSequencesCmd(s, presets.Palindrome, datasets.Palindromes, presets.PalindromeLabels, "digits, every other line a palindrome"))
}

func newDataCharsCmd(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:     "chars",
		Short:   "Print the nursery rhyme",
		Example: "  rnnkit data chars > rhyme.txt",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(s.Out, datasets.Rhyme())
			return err
		},
	}
}

func newDataSineCmd(s *streams) *cobra.Command {
	options := presets.Sine.Options(presets.Best, "")
	var points int
	var seed uint64
	cmd := &cobra.Command{
		Use:   "sine",
		Short: "Print the noisy sine as CSV",
		Long: `Print y = sin(x) + 0.1·N(0,1) at evenly spaced points of x from 0 to 40π, as CSV
with one column, y: the series that 'rnnkit train sine' learns.`,
		Example: "  rnnkit data sine > series.csv",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if points < 1 || points > maxPoints {
				return usagef("-n is %d: it must be from 1 to %d", points, maxPoints)
			}
			w := bufio.NewWriter(s.Out)
			fmt.Fprintln(w, "y")
			for _, y := range datasets.Sine(points, options.Noise, seed) {
				fmt.Fprintln(w, y)
			}
			return w.Flush()
		},
	}
	cmd.Flags().IntVarP(&points, "points", "n", options.Samples, "how many points")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of the noise")
	return cmd
}

// newDataSequencesCmd returns the command that prints what generate makes for
// the preset.
func newDataSequencesCmd(s *streams, preset presets.Preset, generate func(n, length int, seed uint64) *datasets.Sequences, labels []string, what string) *cobra.Command {
	options := preset.Options(presets.Best, "")
	var n, length int
	var seed uint64
	cmd := &cobra.Command{
		Use:   preset.Name,
		Short: "Print " + what,
		Long: fmt.Sprintf(`Print %s, as CSV with the label last: by default
the sequences that 'rnnkit train %s' has with the same seed, the last %d of which
test.`, what, preset.Name, options.TestSamples),
		Example: fmt.Sprintf("  rnnkit data %s --seed 100 -n 200 > sequences.csv", preset.Name),
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case n < 1:
				return usagef("-n is %d: it must be 1 or more", n)
			case length < 2:
				return usagef("--length is %d: it must be 2 or more", length)
			case float64(n)*float64(length) > maxPoints:
				return usagef("-n and --length make %.3g values: keep them to %d", float64(n)*float64(length), maxPoints)
			}
			return printSequences(s.Out, generate(n, length, seed), labels)
		},
	}
	cmd.Flags().IntVarP(&n, "sequences", "n", options.Samples+options.TestSamples, "how many sequences")
	cmd.Flags().IntVar(&length, "length", options.Window, "steps of a sequence")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of the sequences")
	return cmd
}

// printSequences prints sequences of the same length under a header.
func printSequences(out io.Writer, s *datasets.Sequences, labels []string) error {
	w := csv.NewWriter(out)
	for i, label := range s.Labels {
		var record, header []string
		if s.Tokens != nil {
			for _, token := range s.Tokens[i] {
				record = append(record, strconv.FormatInt(token, 10))
			}
		} else {
			for _, v := range s.Inputs[i] {
				record = append(record, strconv.FormatFloat(float64(v), 'g', -1, 32))
			}
		}
		if i == 0 {
			for t := range record {
				header = append(header, "x"+strconv.Itoa(t+1))
			}
			w.Write(append(header, "label"))
		}
		w.Write(append(record, labels[label]))
	}
	w.Flush()
	return w.Error()
}
