package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rnnkit/rnnkit/trainer"
)

// progress shows how a training gets on: a bar on a terminal, else a line an
// epoch.
type progress struct {
	out io.Writer
	bar *progressbar.ProgressBar // nil until the first batch, and without a terminal
	tty bool
	of  int // epochs

	tested bool // there are test examples
}

func newProgress(out io.Writer, epochs int, tested bool) *progress {
	return &progress{out: out, tty: isTerminal(out), of: epochs, tested: tested}
}

func (p *progress) batch(b trainer.Progress) {
	if !p.tty {
		return
	}
	if p.bar == nil {
		p.bar = newBar(p.out, b.Epochs*b.Batches)
		p.bar.Describe(fmt.Sprintf("epoch 1/%d", p.of))
	}
	p.bar.Add(1)
}

func (p *progress) epoch(e trainer.Epoch) {
	measured := fmt.Sprintf("train loss %.5f", e.TrainLoss)
	if e.ValidationLoss > 0 {
		measured += fmt.Sprintf("  validation loss %.5f", e.ValidationLoss)
	}
	if p.tested {
		measured += fmt.Sprintf("  test loss %.5f", e.TestLoss)
	}
	if e.TestAccuracy > 0 {
		measured += fmt.Sprintf("  accuracy %.4f", e.TestAccuracy)
	}
	if p.bar != nil {
		// Short enough to stay in one line of 80 columns.
		last := measured[strings.LastIndex(measured, "  ")+1:]
		p.bar.Describe(fmt.Sprintf("epoch %d/%d %s", min(e.Epoch+1, p.of), p.of, strings.TrimSpace(last)))
		return
	}
	fmt.Fprintf(p.out, "epoch %d/%d  %s  %.2f s\n", e.Epoch, p.of, measured, e.Seconds)
}

// finish takes the bar off the screen, with a line of where it stood.
func (p *progress) finish() {
	if p.bar != nil {
		fmt.Fprintln(p.out)
	}
}

// newBar returns a progress bar that fits in one line with a description.
func newBar(out io.Writer, steps int) *progressbar.ProgressBar {
	return progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
}
