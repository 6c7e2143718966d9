package cli

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit/datasets"
)

const (
	sinePoints = 1000 // of the notebook's series
	sineNoise  = 0.1
	maxPoints  = 10_000_000
)

func newDataCmd(s *streams) *cobra.Command {
	return newGroupCmd("data", "Print the data of a preset", "", "preset", newDataSineCmd(s))
}

func newDataSineCmd(s *streams) *cobra.Command {
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
			for _, y := range datasets.Sine(points, sineNoise, seed) {
				fmt.Fprintln(w, y)
			}
			return w.Flush()
		},
	}
	cmd.Flags().IntVarP(&points, "points", "n", sinePoints, "how many points")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of the noise")
	return cmd
}
