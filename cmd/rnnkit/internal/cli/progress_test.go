package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/trainer"
)

// follow has a progress see the epochs from the given one on, after those before at
// once, as on a resume. It returns what stands on the screen and all that was
// written.
func follow(tty bool, from int) (lines []string, raw string) {
	var out bytes.Buffer
	p := newProgress(&out, 4, true)
	p.tty = tty
	for epoch := 1; epoch <= 4; epoch++ {
		for batch := 1; batch <= 25 && epoch >= from; batch++ {
			p.batch(trainer.Progress{Epoch: epoch, Epochs: 4, Batch: batch, Batches: 25})
		}
		p.epoch(trainer.Epoch{Epoch: epoch, TrainLoss: 1 / float64(epoch), TestLoss: 2, ValidationLoss: 3, TestAccuracy: 0.5, Seconds: 1})
	}
	p.finish()
	for line := range strings.SplitSeq(out.String(), "\n") {
		visible := line[strings.LastIndex(line, "\r")+1:] // what came last in the line
		if visible = strings.TrimSpace(visible); visible != "" {
			lines = append(lines, visible)
		}
	}
	return lines, out.String()
}

// TestProgressIsTheSameOnATerminal compares what is left on the screen.
func TestProgressIsTheSameOnATerminal(t *testing.T) {
	for _, from := range []int{1, 3} {
		want, _ := follow(false, from)
		got, _ := follow(true, from)
		if len(want) != 4 || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("from epoch %d a terminal has\n%s\nand a pipe\n%s", from, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestResumedBarBeginsWhereItIs looks at what the bar shows first.
func TestResumedBarBeginsWhereItIs(t *testing.T) {
	for from, want := range map[int]string{1: "epoch 1/4 1%", 3: "epoch 3/4 51%"} {
		_, raw := follow(true, from)
		if got := regexp.MustCompile(`epoch \d/4 +\d+%`).FindString(raw); strings.Join(strings.Fields(got), " ") != want {
			t.Errorf("from epoch %d the bar begins with %q, not %q", from, got, want)
		}
	}
}
