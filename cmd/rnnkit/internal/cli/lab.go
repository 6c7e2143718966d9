package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/lab"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/report"
)

// maxSeeds keeps a mistyped number from beginning weeks of training.
const maxSeeds = 1000

type labOptions struct {
	*streams
	lab.Options
	recipe string
}

const labLong = `Train every model of the notebook's experiments with several seeds, as many at a
time as there are processors, and print each claim with its figure and whether it
held. The folder gets index.html, the report with its pictures, results.json, with
all figures, and under models/ every model with its losses. It ends with status 1
if a claim does not hold.

Ctrl-C gives up the trainings under way and reports what is finished.`

const labExample = `  rnnkit lab -o report
  rnnkit lab -o report --only echo,sine --recipe best --seeds 3`

func newLabCmd(s *streams) *cobra.Command {
	return newVerbCmd(&labOptions{streams: s}, &cobra.Command{
		Use:     "lab",
		Short:   "Run the notebook's experiments and tell which claims hold",
		Long:    labLong,
		Example: labExample,
		Args:    cobra.NoArgs,
	})
}

func (o *labOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.Folder, "output", "o", "", "the folder to write to")
	flags.IntVar(&o.Seeds, "seeds", 10, "how many, from 0 on")
	flags.StringSliceVar(&o.Only, "only", nil, "experiments, of "+strings.Join(lab.Names(), ", ")+" (default all)")
	flags.StringVar(&o.recipe, "recipe", "both", "both, best or notebook")
	flags.IntVar(&o.Workers, "threads", 0, "trainings at a time, without effect on the result (default one on each processor)")
}

func (o *labOptions) validate() error {
	switch {
	case o.Folder == "":
		return usagef("say where to write the report: -o FOLDER")
	case o.Seeds < 1 || o.Seeds > maxSeeds:
		return usagef("--seeds is %d: it must be from 1 to %d", o.Seeds, maxSeeds)
	case o.Workers < 0:
		return usagef("--threads is %d: it must be 1 or more, or 0 for one on each processor", o.Workers)
	}
	for _, name := range o.Only {
		if !slices.Contains(lab.Names(), name) {
			return usagef("--only has %q: there is %s", name, strings.Join(lab.Names(), ", "))
		}
	}
	switch o.recipe {
	case "both":
		o.Recipes = []string{presets.Notebook, presets.Best}
	case presets.Notebook, presets.Best:
		o.Recipes = []string{o.recipe}
	default:
		return usagef("--recipe is %q: it must be both, %s or %s", o.recipe, presets.Best, presets.Notebook)
	}
	return nil
}

func (o *labOptions) run(ctx context.Context, _ []string) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	progress := labProgress{out: o.Err}
	o.OnRun = progress.show
	r, err := lab.Do(ctx, o.Options)
	progress.finish()
	switch {
	case r == nil:
		return err
	case len(r.Claims) == 0 && !r.Complete:
		return fmt.Errorf("%w before the first training was finished: there is nothing to report", context.Cause(ctx))
	}
	if err := o.report(r); err != nil {
		return err
	}
	if !r.Complete {
		return context.Cause(ctx)
	}
	return failedClaims(r.Claims)
}

// labProgress shows how many trainings have ended. It is no part of labOptions: what an
// interface holds keeps all methods of its fields' types in the program, and that of a
// progress bar has one that serves HTTP.
type labProgress struct {
	out io.Writer
	bar *progressbar.ProgressBar // nil until the first training has ended, and without a terminal
}

// show says that a training has ended: in a line, and on a terminal in a bar.
func (p *labProgress) show(r lab.Progress) {
	if !isTerminal(p.out) {
		fmt.Fprintf(p.out, "%d/%d  %s: %s, seed %d  %.2f s\n", r.Done, r.All, r.Experiment, r.Arm, r.Run.Seed, r.Run.Seconds)
		return
	}
	if p.bar == nil {
		p.bar = newBar(p.out, r.All)
	}
	p.bar.Describe(fmt.Sprintf("%s: %s", r.Experiment, r.Arm))
	p.bar.Add(1)
}

func (p *labProgress) finish() {
	if p.bar != nil {
		fmt.Fprintln(p.out)
	}
}

// report writes the results as a page and prints the claims.
func (o *labOptions) report(r *lab.Results) error {
	path := filepath.Join(o.Folder, "index.html")
	if err := report.WriteFile(path, r); err != nil {
		return err
	}
	if err := printClaims(o.Out, r.Claims); err != nil {
		return err
	}
	how := "wrote"
	if !r.Complete {
		how = "interrupted: wrote what was finished to"
	}
	_, err := fmt.Fprintf(o.Err, "%s %s in %.0f s\n", how, path, r.Seconds)
	return err
}

// failedClaims returns an error that counts the claims that do not hold, of those
// that have a bound.
func failedClaims(claims []lab.Claim) error {
	failed, bounded := 0, 0
	for _, c := range claims {
		if c.Bound != "" {
			bounded++
		}
		if !c.Held {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d claims do not hold", failed, bounded)
	}
	return nil
}

func printClaims(out io.Writer, claims []lab.Claim) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "held\texperiment\tclaim\tfigure\tmust be")
	for _, c := range claims {
		held := "no"
		switch {
		case c.Bound == "":
			held = "-"
		case c.Held:
			held = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", held, c.Experiment, c.Claim, c.Figure, c.Bound)
	}
	return w.Flush()
}
