package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/lab"
	"github.com/rnnkit/rnnkit/trainer"
)

// Charts returns the pictures of an experiment that are made of lines.
func (e experiment) Charts() (list []chart) {
	groups := e.groups()
	for _, g := range groups {
		list = append(list, g.losses())
	}
	for _, g := range groups {
		list = append(list, g.accuracies()...)
	}
	for _, f := range e.Forecasts {
		list = append(list, forecast(f), fedBack(f))
	}
	return append(list, e.gradients()...)
}

// group is what is compared in one picture: arms whose names differ only in what
// stands before the first comma.
type group struct {
	name  string // "T=50, best"
	names []string
	arms  []lab.Arm
}

func (e experiment) groups() (list []*group) {
	for _, a := range e.Finished() {
		name, rest, _ := strings.Cut(a.Name, ", ")
		i := slices.IndexFunc(list, func(g *group) bool { return g.name == rest })
		if i < 0 {
			i = len(list)
			list = append(list, &group{name: rest})
		}
		list[i].names, list[i].arms = append(list[i].names, name), append(list[i].arms, a)
	}
	return list
}

// losses draws the loss in the test, if there is one, with that of the training
// beside it.
func (g *group) losses() chart {
	c := chart{Title: "Loss: " + g.name, XLabel: "epoch", Log: true}
	for i, a := range g.arms {
		training := overSeeds(a.Runs, func(e trainer.Epoch) float64 { return e.TrainLoss })
		if a.Runs[0].Epochs[0].TestLoss != 0 {
			c.add(overSeeds(a.Runs, func(e trainer.Epoch) float64 { return e.TestLoss }), i, g.names[i]+", test", "")
			training.low, training.high = nil, nil
			c.add(training, i, g.names[i]+", training", "dashed")
		} else {
			c.add(training, i, g.names[i]+", training", "")
		}
	}
	return c
}

// accuracies draws the accuracy of classifiers.
func (g *group) accuracies() []chart {
	c := chart{Title: "Test accuracy: " + g.name, XLabel: "epoch"}
	for i, a := range g.arms {
		if a.Runs[0].Confusion != nil {
			c.add(overSeeds(a.Runs, func(e trainer.Epoch) float64 { return e.TestAccuracy }), i, g.names[i], "")
		}
	}
	if len(c.Lines) == 0 {
		return nil
	}
	return []chart{c}
}

// overSeeds returns the median of runs after each epoch, in a band from the least
// to the largest.
func overSeeds(runs []lab.Run, value func(trainer.Epoch) float64) line {
	epochs := len(runs[0].Epochs)
	for _, r := range runs {
		epochs = min(epochs, len(r.Epochs))
	}
	var l line
	for i := range epochs {
		values := make([]float64, len(runs))
		for k, r := range runs {
			values[k] = value(r.Epochs[i])
		}
		slices.Sort(values)
		n := len(values)
		l.x = append(l.x, float64(runs[0].Epochs[i].Epoch))
		l.y = append(l.y, (values[(n-1)/2]+values[n/2])/2)
		l.low = append(l.low, values[0])
		l.high = append(l.high, values[n-1])
	}
	return l
}

func forecast(f lab.Forecast) chart {
	c := chart{Title: fmt.Sprintf("True against predicted: %s, seed %d", f.Arm, f.Seed), XLabel: "row"}
	rows := floats(f.X)
	c.add(line{x: rows, y: f.Noisy}, 2, "with noise", "dots")
	c.add(line{x: rows, y: f.True}, 0, "true", "")
	c.add(line{x: rows, y: f.Predicted}, 1, "predicted", "")
	return c
}

func fedBack(f lab.Forecast) chart {
	c := chart{Title: fmt.Sprintf("Fed back, %d steps: %s, seed %d", len(f.FedBack.X), f.Arm, f.Seed), XLabel: "row"}
	rows := floats(f.FedBack.X)
	c.add(line{x: rows, y: f.FedBack.True}, 0, "true", "")
	c.add(line{x: rows, y: f.FedBack.Predicted}, 1, "predicted", "")
	return c
}

// gradients draws what is left of the error at each step, before the training and
// after it.
func (e experiment) gradients() (list []chart) {
	for _, g := range e.groups() {
		c := chart{Title: "Gradient norm of each step: " + g.name, XLabel: "step", Log: true}
		for i, a := range g.arms {
			for _, gradient := range e.Gradients {
				if gradient.Arm != a.Name {
					continue
				}
				l := line{y: gradient.Norms}
				for step := range gradient.Norms {
					l.x = append(l.x, float64(step+1))
				}
				if gradient.Trained {
					c.add(l, i, g.names[i]+", trained", "")
				} else {
					c.add(l, i, g.names[i]+", untrained", "dashed")
				}
			}
		}
		if len(c.Lines) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// Orbits returns the pictures of the hidden state, for each seed.
func (e experiment) Orbits() (list []orbit) {
	for _, t := range e.Trajectories {
		list = append(list, newOrbit(t))
	}
	return list
}

// orbit is the way of a hidden state beside the wave that the model reads.
type orbit struct {
	*lab.Trajectory
	State, Input path
}

// path is a picture of a line that is coloured by time.
type path struct {
	frame
	Describe string
	Steps    []step
}

type step struct {
	X, Y   float64
	Line   string  // from the step before
	Time   float64 // from 0 to 1
	Says   string
	Number int // 0 for none
	NX, NY float64
}

func newOrbit(t *lab.Trajectory) orbit {
	var first, second, time []float64
	var says []string
	for i, p := range t.Points {
		first, second, time = append(first, p[0]), append(second, p[1]), append(time, float64(i+1))
		says = append(says, fmt.Sprintf("step %d of %d: input %.2f, state at %.2f and %.2f", i+1, len(t.Points), t.Wave[i], p[0], p[1]))
	}
	state, input := square(first, second), upright(time, t.Wave)
	state.XLabel = fmt.Sprintf("component 1 (%.1f%% of the variance)", 100*t.Explained[0])
	state.YLabel = fmt.Sprintf("component 2 (%.1f%%)", 100*t.Explained[1])
	input.XLabel, input.YLabel = "step", "input"
	o := orbit{t,
		path{state, fmt.Sprintf("The state in two components, %.2f turns around its middle", t.Turns), state.steps(first, second, says)},
		path{input, fmt.Sprintf("The wave that the model reads, %.2f periods", t.WaveTurns), input.steps(time, t.Wave, says)},
	}
	o.State.number()
	return o
}

func (f frame) steps(x, y []float64, says []string) (list []step) {
	for i := range x {
		before := max(0, i-1)
		list = append(list, step{
			X: f.x.at(x[i]), Y: f.y.at(y[i]),
			Line: f.path(x[before:i+1], y[before:i+1]),
			Time: float64(i) / float64(max(1, len(x)-1)),
			Says: says[i],
		})
	}
	return list
}

// numbered is which steps of an orbit have their number beside them.
const numbered = 5

// number puts numbers beside steps, away from the middle of the picture.
func (p *path) number() {
	for i := numbered - 1; i < len(p.Steps); i += numbered {
		s := &p.Steps[i]
		dx, dy := s.X-(left+right)/2, s.Y-(top+bottom)/2
		r := max(1, math.Hypot(dx, dy))
		s.Number, s.NX, s.NY = i+1, s.X+12*dx/r, s.Y+12*dy/r
	}
}
