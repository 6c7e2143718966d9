package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rnnkit/rnnkit/trainer"
)

// progress shows how a training gets on: a line an epoch, and on a terminal a bar
// below them.
type progress struct {
	out  io.Writer
	bar  *progressbar.ProgressBar // nil until the first batch, and without a terminal
	tty  bool
	of   int    // epochs
	word string // what they are called

	updates int  // of the last one, if they count
	counted bool // the updates count
	tested  bool // there are test examples
}

// newProgress returns the progress of a training in epochs.
func newProgress(out io.Writer, epochs int, tested bool) *progress {
	return &progress{out: out, tty: isTerminal(out), of: epochs, word: "epoch", tested: tested}
}

// newFitProgress returns the progress of a training in fits of so many updates each.
func newFitProgress(out io.Writer) *progress {
	return &progress{out: out, tty: isTerminal(out), word: "fit", counted: true}
}

func (p *progress) batch(b trainer.Progress) {
	if p.of, p.updates = b.Epochs, b.Batches; !p.tty {
		return
	}
	if p.bar == nil {
		p.bar = newBar(p.out, b.Epochs*b.Batches)
		progressbar.OptionSetDescription(p.inEpoch(b.Epoch))(p.bar) // without showing it yet
	}
	p.bar.Set((b.Epoch-1)*b.Batches + b.Batch) // which after a resume is not where it began
}

func (p *progress) inEpoch(epoch int) string {
	return fmt.Sprintf("%s %d/%d", p.word, min(epoch, p.of), p.of)
}

func (p *progress) epoch(e trainer.Epoch) {
	measured := fmt.Sprintf("train loss %.5f", e.TrainLoss)
	if p.counted {
		measured = fmt.Sprintf("%d updates  %s", p.updates, measured)
	}
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
		p.bar.Clear()
	}
	fmt.Fprintf(p.out, "%s %d/%d  %s  %.2f s\n", p.word, e.Epoch, p.of, measured, e.Seconds)
	if p.bar != nil {
		p.bar.Describe(p.inEpoch(e.Epoch + 1))
	}
}

// finish takes the bar off the screen.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Clear()
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
