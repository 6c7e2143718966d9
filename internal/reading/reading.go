// Package reading finds out how a model from elsewhere is to be read: which input
// reads the sequence, in which layout, which output answers, and what the answers
// are. What the graph does not tell it finds by experiment, and what these leave
// in doubt it refuses.
package reading

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/inputs"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
)

// The letters of an output's layout, besides those of an input: a dimension of
// size 1 that says nothing, and the steps that a forecast reaches ahead.
const (
	One   = '1'
	Ahead = 'h'
)

// Reading is how a model is read.
type Reading struct {
	Input    string   // that reads the sequences
	Layout   string   // of the input, a letter for each dimension
	Features int      // values that it reads a step
	Tokens   int      // that there are, 0 where it reads no integers
	Steps    int      // that a sequence must have, 0 for any number
	States   []string // inputs that begin as zeros

	Output  string  // that answers
	Answer  string  // its layout: b batch, t time, h steps ahead, f values, 1 nothing
	Width   int     // values of an answer: one for each class or column, or one in all
	Horizon int     // steps ahead that an answer reaches
	Answers Answers // of a classifier
	Classes int     // of a classifier, 0 where it answers with labels and nobody says how many there are
	Slack   float64 // by how much probabilities that are held off 0 and 1 may miss their sum
}

// Choice is what a person says of a model. What is left zero is found out.
type Choice struct {
	Input   string // that reads the sequences
	Output  string // that answers
	Steps   int    // of a sequence, or that a forecast looks back
	Horizon int    // steps ahead that an answer reaches
	Answers Answers
	Labels  int // how many classes have a name
}

// Runner runs the model, as [infer.Model] does.
type Runner interface {
	Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error)
}

// Source is a model from elsewhere.
type Source struct {
	Graph  *onnxgraph.Model
	Inputs []inputs.Input
	Given  map[string]tensor.Tensor // inputs that are fed the same at each run
	Runner Runner
}

// Topic is what a person may decide by a [Choice], or of an input.
type Topic string

// The topics of a [Doubt].
const (
	AboutInput   Topic = "input"   // which input reads the sequences
	AboutValue   Topic = "value"   // what another input is fed
	AboutLayout  Topic = "layout"  // what an input's dimensions are
	AboutOutput  Topic = "output"  // which output answers
	AboutSteps   Topic = "steps"   // how many steps a sequence has
	AboutHorizon Topic = "horizon" // how many steps ahead the answer reaches
	AboutAnswers Topic = "answers" // what the numbers of a classifier are
	AboutLabels  Topic = "labels"  // how many classes there are
	AboutNothing Topic = "nothing" // no choice helps
)

// Doubt is an error that a choice would decide.
type Doubt struct {
	About Topic
	Name  string // of the input or output
	Err   error
}

func (d *Doubt) Error() string { return d.Err.Error() }
func (d *Doubt) Unwrap() error { return d.Err }

// about tells whether err is a doubt about that topic.
func about(err error, topic Topic) bool {
	var d *Doubt
	return errors.As(err, &d) && d.About == topic
}

func doubt(about Topic, name, format string, args ...any) error {
	return &Doubt{about, name, fmt.Errorf(format, args...)}
}

// model is a source of which it is known what reads the sequences.
type model struct {
	Source
	Reading
	input  inputs.Input
	states []inputs.Input
	sample *trial // of manyRows
	few    *trial // of the first fewRows of these
}

// dims writes the dimensions of a layout, as in "[batch, time, 3]".
func dims(layout string, sizes map[byte]int) string {
	words := make([]string, len(layout))
	for i := range len(layout) {
		switch letter := layout[i]; {
		case letter == inputs.Batch:
			words[i] = "batch"
		case letter == inputs.Time && sizes[letter] == 0:
			words[i] = "time"
		case letter == One:
			words[i] = "1"
		default:
			words[i] = fmt.Sprint(sizes[letter])
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// inputDims describes the input, as in "x [batch, time, 3]".
func (r Reading) inputDims() string {
	return fmt.Sprintf("%q %s", r.Input, dims(r.Layout, map[byte]int{inputs.Time: r.Steps, inputs.Other: r.Features}))
}

// outputDims describes the output.
func (r Reading) outputDims() string {
	sizes := map[byte]int{inputs.Time: r.Steps, inputs.Other: r.Width, Ahead: r.Horizon}
	text := fmt.Sprintf("%q %s", r.Output, dims(r.Answer, sizes))
	if strings.ContainsRune(r.Answer, inputs.Time) {
		text += ", of which the last step counts"
	}
	return text
}
