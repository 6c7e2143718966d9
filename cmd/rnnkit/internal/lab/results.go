// Package lab runs the notebook's experiments over several seeds and tells
// which of its claims hold.
package lab

import (
	"time"

	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// Results is the content of results.json: all that a report is made of. Paths
// in it are relative to the report's folder.
type Results struct {
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Command  string    `json:"command"`  // that repeats it
	Platform string    `json:"platform"` // such as "linux/amd64, 2 threads, go1.26.0"
	Seeds    []uint64  `json:"seeds"`
	Recipes  []string  `json:"recipes"`  // "notebook", "best"
	Complete bool      `json:"complete"` // false if it was interrupted

	Experiments []Experiment `json:"experiments"` // in the notebook's order: chars, sine, echo, palindrome, hidden
	Claims      []Claim      `json:"claims"`      // those that can be decided from what was run
}

// Claim is a row of the table of claims.
type Claim struct {
	Experiment string `json:"experiment"` // its Name
	Claim      string `json:"claim"`
	Figure     string `json:"figure"` // what was measured, with the spread over seeds
	Bound      string `json:"bound"`  // what it must be; empty if it is only shown
	Held       bool   `json:"held"`
	Command    string `json:"command"` // that repeats it
}

// Experiment is one of the notebook's.
type Experiment struct {
	Name  string `json:"name"` // chars, sine, echo, palindrome or hidden
	Title string `json:"title"`
	Asks  string `json:"asks"` // what is asked, in a sentence or two

	Arms []Arm `json:"arms,omitempty"` // what is compared, none of hidden

	// Of the first seed that finished, where the experiment has them.
	Forecasts    []Forecast    `json:"forecasts,omitempty"`    // sine, one for each arm
	Texts        []Text        `json:"texts,omitempty"`        // chars, of several arms and seeds
	Gradients    []Gradient    `json:"gradients,omitempty"`    // echo
	Trajectories []*Trajectory `json:"trajectories,omitempty"` // hidden
}

// Arm is a model with a recipe, trained once for each seed.
type Arm struct {
	Name    string      `json:"name"` // unique in the experiment: "LSTM, T=50, best"
	Recipe  string      `json:"recipe"`
	Model   string      `json:"model"`    // in words: "LSTM of 16, linear 1, readout final"
	Trained string      `json:"training"` // in words: "Adam 0.01, clip 1, batch 64, 20 epochs"
	Spec    models.Spec `json:"spec"`
	Command string      `json:"command"` // that trains it, with the first seed

	Runs    []Run    `json:"runs"`    // one for each seed that finished, in their order
	Figures []Figure `json:"figures"` // over the runs
}

// Run is one training.
type Run struct {
	Seed    uint64          `json:"seed"`
	Seconds float64         `json:"seconds"`
	Epochs  []trainer.Epoch `json:"epochs"`  // losses, and the test accuracy of a classifier
	Model   string          `json:"model"`   // path: "models/echo-lstm-50-best-seed0.onnx"
	Metrics string          `json:"metrics"` // path: "models/echo-lstm-50-best-seed0.jsonl"

	// Figures has what was measured after the training, by the names of the
	// Arm's Figures.
	Figures map[string]float64 `json:"figures"`

	Confusion *Confusion `json:"confusion,omitempty"` // of a classifier, on the test set
}

// Figure is the spread of a figure over the runs of an arm.
type Figure struct {
	Name   string  `json:"name"`  // key of Run.Figures: "test_mse"
	Label  string  `json:"label"` // in words: "test MSE"
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Confusion counts test sequences: Counts[i][j] have label i and were taken for
// j.
type Confusion struct {
	Labels []string `json:"labels"`
	Counts [][]int  `json:"counts"`
}

// Forecast is a series with what a model made of it. All slices have the same
// length, a value for each row of X; FedBack is a series of its own.
type Forecast struct {
	Arm       string    `json:"arm"`
	Seed      uint64    `json:"seed"`
	X         []int     `json:"x"` // row of the series
	Noisy     []float64 `json:"noisy"`
	True      []float64 `json:"true"` // without the noise
	Predicted []float64 `json:"predicted"`

	FedBack FedBack `json:"fed_back"`
}

// FedBack is what a model says beyond the series' end, each value predicted
// from those before it, beside the wave that goes on without noise.
type FedBack struct {
	X         []int     `json:"x"`
	True      []float64 `json:"true"`
	Predicted []float64 `json:"predicted"`
}

// Text is what a generator wrote.
type Text struct {
	Arm         string  `json:"arm"`
	Seed        uint64  `json:"seed"` // of the training
	Prompt      string  `json:"prompt"`
	Greedy      bool    `json:"greedy"`
	Temperature float64 `json:"temperature,omitempty"` // of a sampled text
	SampleSeed  uint64  `json:"sample_seed"`
	Text        string  `json:"text"`  // what follows the prompt
	Exact       bool    `json:"exact"` // it is how the rhyme goes on
}

// Gradient is the norm of the gradient of the loss with respect to the input of
// each step, the mean over the test sequences: what is left of the error on its
// way back through time. The label is the first input, so that Norms[0] is what
// the model can learn from.
type Gradient struct {
	Arm     string    `json:"arm"`
	Seed    uint64    `json:"seed"`
	Trained bool      `json:"trained"` // after the training, or before it
	Norms   []float64 `json:"norms"`   // one for each step
}

// Trajectory is the way of a hidden state, projected to its first two principal
// components.
type Trajectory struct {
	Arm       string       `json:"arm"` // of the sine experiment
	Seed      uint64       `json:"seed"`
	Wave      []float64    `json:"wave"`       // the input of each step
	Points    [][2]float64 `json:"points"`     // the state after each step
	Explained [2]float64   `json:"explained"`  // part of the variance, of each component
	Turns     float64      `json:"turns"`      // of the orbit, counted around its centre
	WaveTurns float64      `json:"wave_turns"` // periods of the wave in the same steps
}
