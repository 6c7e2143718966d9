package lab

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
)

// claims decides what can be decided from what was run.
func (l *lab) claims(experiments []Experiment) []Claim {
	c := armsOf(&l.Options, experiments)
	c.notebook()
	c.chars()
	c.sine()
	c.echo(experiments)
	c.palindrome()
	c.hidden(experiments)
	c.exported()
	return c.list
}

// claims collects claims over the arms, by experiment and name.
type claims struct {
	*Options
	arms map[string]Arm
	list []Claim
}

// armsOf returns the arms of experiments, and no claims yet.
func armsOf(o *Options, experiments []Experiment) *claims {
	c := &claims{Options: o, arms: map[string]Arm{}}
	for _, e := range experiments {
		for _, a := range e.Arms {
			c.arms[e.Name+" "+a.Name] = a
		}
	}
	return c
}

// add appends a claim about an experiment.
func (c *claims) add(experiment, recipe, claim, figure, bound string, held bool) {
	o := *c.Options
	if recipe != "" {
		o.Recipes = []string{recipe}
	}
	c.list = append(c.list, Claim{experiment, claim, figure, bound, held, o.command(experiment)})
}

// values returns a figure of every run of an arm.
func (c *claims) values(arm, figure string) (values []float64) {
	for _, r := range c.arms[arm].Runs {
		if v, ok := r.Figures[figure]; ok {
			values = append(values, v)
		}
	}
	return values
}

// spread shows values with the given verb.
func spread(verb string, values []float64) string {
	f := "median " + verb + ", from " + verb + " to " + verb
	return fmt.Sprintf(f, median(values), slices.Min(values), slices.Max(values))
}

func count(values []float64, holds func(float64) bool) (n int) {
	for _, v := range values {
		if holds(v) {
			n++
		}
	}
	return n
}

// medianWithin claims that the median of an arm's figure lies in a range.
func (c *claims) medianWithin(experiment, arm, recipe, figure, claim, verb string, low, high float64) {
	values := c.values(experiment+" "+arm+", "+recipe, figure)
	if len(values) == 0 {
		return
	}
	bound := fmt.Sprintf("median from "+verb+" to "+verb, low, high)
	switch {
	case math.IsInf(low, -1):
		bound = fmt.Sprintf("median at most "+verb, high)
	case math.IsInf(high, 1):
		bound = fmt.Sprintf("median at least "+verb, low)
	}
	m := median(values)
	c.add(experiment, recipe, claim, spread(verb, values), bound, m >= low && m <= high)
}

// allAtMost claims that an arm's figure is small in every run.
func (c *claims) allAtMost(experiment, arm, figure, claim, verb string, bound float64) {
	values := c.values(experiment+" "+arm+", "+presets.Best, figure)
	if len(values) > 0 {
		c.add(experiment, presets.Best, claim, spread(verb, values), fmt.Sprintf("at most "+verb+" for every seed", bound), slices.Max(values) <= bound)
	}
}

// notebook claims that its recipe gives what PyTorch gives.
func (c *claims) notebook() {
	c.medianWithin("chars", "LSTM", presets.Notebook, trainLoss, "The notebook's recipe is the notebook: training loss as PyTorch's", "%.3f", 2.20, 2.40)
	c.medianWithin("sine", "LSTM", presets.Notebook, testMSE, "The notebook's recipe is the notebook: test MSE as PyTorch's", "%.4f", 0.0100, 0.0130)
	c.medianWithin("palindrome", "unidirectional", presets.Notebook, accuracy, "The notebook's recipe is the notebook: unidirectional accuracy as PyTorch's", "%.3f", 0.90, 0.95)
	c.medianWithin("palindrome", "bidirectional", presets.Notebook, accuracy, "The notebook's recipe is the notebook: bidirectional accuracy as PyTorch's", "%.3f", 0.90, 0.955)
	rnn, lstm := c.values("echo RNN, T=50, notebook", accuracy), c.values("echo LSTM, T=50, notebook", accuracy)
	if len(rnn) > 0 && len(lstm) > 0 {
		learned := func(v float64) bool { return v >= 0.99 }
		c.add("echo", presets.Notebook, "The notebook's recipe, as it comes (PyTorch: RNN 0.52, LSTM 0.50; the notebook's text says that the LSTM learns it)",
			fmt.Sprintf("RNN %s; LSTM %s; learned with %d and %d of %d seeds", spread("%.3f", rnn), spread("%.3f", lstm),
				count(rnn, learned), count(lstm, learned), len(lstm)), "", true)
	}
}

func (c *claims) chars() {
	c.allAtMost("chars", "LSTM", trainLoss, "The rhyme is learned by heart", "%.3f", 0.06)
	right := c.values("chars LSTM, best", greedyRight)
	if len(right) == 0 {
		return
	}
	n := count(right, func(v float64) bool { return v == float64(len(rest)) })
	c.add("chars", presets.Best, fmt.Sprintf("From %q on, the likeliest characters are the rhyme's other %d", prompt, len(rest)),
		fmt.Sprintf("%d of %d seeds", n, len(right)), "every seed", n == len(right))
	different := c.values("chars LSTM, best", samplesDiffer)
	n = count(different, func(v float64) bool { return v > 1 })
	c.add("chars", presets.Best, "Sampled at temperature 1, texts differ from seed to seed, and the same seed gives the same",
		fmt.Sprintf("%d of %d models; %g different texts from %d seeds in the median", n, len(different), median(different), sampleSeeds), "every model", n == len(different))
}

func (c *claims) sine() {
	inf := math.Inf(-1)
	c.medianWithin("sine", "LSTM", presets.Best, cleanMSE, "The forecast comes near the wave without noise (the notebook's recipe in PyTorch: 0.0019)", "%.5f", inf, 0.0012)
	c.medianWithin("sine", "LSTM", presets.Best, noiseRatio, "The test MSE is little more than the variance of the test noise", "%.3f", inf, 1.15)
	values := c.values("sine LSTM, best", phaseShift)
	if len(values) > 0 {
		n := count(values, func(v float64) bool { return v < 2 })
		c.add("sine", presets.Best, fmt.Sprintf("%d steps fed back stay in phase: how far the zero crossings are off", fedBack),
			fmt.Sprintf("%s samples; below 2 for %d of %d seeds", spread("%.2f", values), n, len(values)), "less than 2 samples for every seed", n == len(values))
	}
}

func (c *claims) echo(experiments []Experiment) {
	c.remembers("T=50", 1)
	c.remembers(fmt.Sprintf("T=%d", longEcho), 0.9)
	for _, e := range experiments {
		var rnn, lstm string
		for _, g := range e.Gradients {
			part := fmt.Sprintf("%.1e", g.Norms[0]/slices.Max(g.Norms))
			switch {
			case g.Trained:
			case g.Arm == "RNN, T=50, best":
				rnn = part
			case g.Arm == "LSTM, T=50, best":
				lstm = part
			}
		}
		if rnn != "" && lstm != "" {
			c.add(e.Name, presets.Best, "The gradient vanishes on its way back through the RNN: what reaches the first of 50 steps before the training, as a part of the largest",
				fmt.Sprintf("RNN %s, LSTM %s", rnn, lstm), "", true)
		}
	}
}

// remembers claims that the LSTM learns the echo for a part of the seeds.
func (c *claims) remembers(length string, part float64) {
	lstm, rnn := c.values("echo LSTM, "+length+", best", accuracy), c.values("echo RNN, "+length+", best", accuracy)
	if len(lstm) == 0 || len(rnn) == 0 {
		return
	}
	n := count(lstm, func(v float64) bool { return v >= 0.99 })
	need := int(math.Ceil(part * float64(len(lstm))))
	c.add("echo", presets.Best, fmt.Sprintf("An LSTM remembers the first of the bits, %s, within 20 epochs", length),
		fmt.Sprintf("%d of %d seeds; %s", n, len(lstm), spread("%.3f", lstm)), fmt.Sprintf("accuracy at least 0.99 for %d of %d seeds", need, len(lstm)), n >= need)
	c.add("echo", presets.Best, fmt.Sprintf("The RNN at the same budget, %s", length), spread("%.3f", rnn), "", true)
}

func (c *claims) palindrome() {
	c.medianWithin("palindrome", "bidirectional", presets.Best, accuracy, "Read from both ends, to the final state of each direction, palindromes are told", "%.3f", 0.95, math.Inf(1))
	uni, bi := c.values("palindrome unidirectional, best", accuracy), c.values("palindrome bidirectional, best", accuracy)
	if len(uni) == 0 || len(bi) == 0 {
		return
	}
	gap := 100 * (median(bi) - median(uni))
	c.add("palindrome", presets.Best, "Two directions are better than one",
		fmt.Sprintf("%.1f points between the medians: %.3f and %.3f", gap, median(bi), median(uni)), "at least 1.5 points", gap >= 1.5)
}

func (c *claims) hidden(experiments []Experiment) {
	for _, e := range experiments {
		if len(e.Trajectories) == 0 {
			continue
		}
		var shares, ratios []float64
		for _, t := range e.Trajectories {
			shares = append(shares, t.Explained[0]+t.Explained[1])
			ratios = append(ratios, t.Turns/t.WaveTurns)
		}
		c.add("hidden", presets.Best, "Two components explain the state of the sine's LSTM", spread("%.3f", shares)+" of the variance", "", true)
		c.add("hidden", presets.Best, "One turn of the wave is one turn of the orbit", spread("%.2f", ratios)+" turns to one",
			"median from 0.85 to 1.15", math.Abs(median(ratios)-1) <= 0.15)
	}
}

// exported claims that the files answer as the trainer does.
func (c *claims) exported() {
	largest, files := 0.0, 0
	for _, a := range c.arms {
		for _, r := range a.Runs {
			largest = max(largest, r.Figures[exportDifference])
			files++
		}
	}
	if files > 0 {
		c.add("", "", "Exported files, run by the native engine, answer as the trainer does",
			fmt.Sprintf("at most %.1e apart in %d files", largest, files), "at most 1e-05", largest <= 1e-5)
	}
}
