package trainer

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/models"
)

// Schedule says how the learning rate changes from update to update. The zero Schedule
// keeps it constant. A field of value 0 stands for the default in parentheses.
type Schedule struct {
	Shape Shape `json:"shape"` // (Constant)

	// Warmup is the number of updates in which the rate rises to its full value in
	// equal steps. It is for Constant, Step and Cosine.
	Warmup int `json:"warmup,omitempty"`

	Every int     `json:"every,omitempty"` // epochs between two reductions by Step (10)
	Gamma float64 `json:"gamma,omitempty"` // the factor of a reduction by Step or Plateau (0.1)

	// Patience is for Plateau, which reduces the rate after more than Patience
	// epochs in a row without improvement (10). An epoch is an improvement if its
	// loss is less than 0.9999 times the best one. A reduction by 1e-8 or less is
	// left out.
	Patience int `json:"patience,omitempty"`
}

// Shape is the kind of a [Schedule].
type Shape string

// The shapes, each with the defaults of the scheduler of PyTorch that it names.
const (
	Constant Shape = "constant"
	Step     Shape = "step"     // StepLR, counted in epochs
	Cosine   Shape = "cosine"   // CosineAnnealingLR, after the warm-up and down to 0
	OneCycle Shape = "onecycle" // OneCycleLR, without a cycle of the momentum: from 1/25 of the rate up to the rate in 30% of the updates, then down to 1/250,000 of it
	Plateau  Shape = "plateau"  // ReduceLROnPlateau, by the loss on Options.Validation or else on the test examples
)

// withDefaults returns s with its defaults, or a *models.FieldError.
func (s Schedule) withDefaults() (Schedule, error) {
	if s.Shape == "" {
		s.Shape = Constant
	}
	warms := s.Shape == Constant || s.Shape == Step || s.Shape == Cosine
	if !warms && s.Shape != OneCycle && s.Shape != Plateau {
		return s, &models.FieldError{Field: "Shape", Value: s.Shape, Want: "constant, step, cosine, onecycle or plateau"}
	}
	for _, f := range []struct {
		name     string
		value    any
		set, bad bool
		want     string
		used     bool // by the shape
	}{
		{"Warmup", s.Warmup, s.Warmup != 0, s.Warmup < 0, "0 or more", warms},
		{"Every", s.Every, s.Every != 0, s.Every < 0, "1 or more", s.Shape == Step},
		{"Gamma", s.Gamma, s.Gamma != 0, !(s.Gamma >= 0 && s.Gamma < 1), "at least 0 and less than 1", s.Shape == Step || s.Shape == Plateau},
		{"Patience", s.Patience, s.Patience != 0, s.Patience < 0, "0 or more", s.Shape == Plateau},
	} {
		switch {
		case f.bad:
			return s, &models.FieldError{Field: f.name, Value: f.value, Want: f.want}
		case f.set && !f.used:
			return s, &models.FieldError{Field: f.name, Value: f.value, Want: fmt.Sprintf("0 for %s, which does not use it", s.Shape)}
		}
	}
	if s.Every == 0 {
		s.Every = 10
	}
	if s.Gamma == 0 {
		s.Gamma = 0.1
	}
	if s.Patience == 0 {
		s.Patience = 10
	}
	return s, nil
}

// factor returns the factor of the learning rate in the given update and epoch, both from
// 0, of a fit with the given number of updates.
func (s Schedule) factor(update, updates, epoch int) float64 {
	if update < s.Warmup {
		return float64(update+1) / float64(s.Warmup)
	}
	switch s.Shape {
	case Step:
		return math.Pow(s.Gamma, float64(epoch/s.Every))
	case Cosine:
		return (1 + math.Cos(math.Pi*float64(update-s.Warmup)/float64(max(updates-s.Warmup, 1)))) / 2
	case OneCycle:
		const start, end = 1.0 / 25, 1.0 / 25 / 1e4
		peak := 0.3*float64(updates) - 1
		if k := float64(update); peak > 0 && k <= peak {
			return anneal(start, 1, k/peak)
		}
		return anneal(1, end, (float64(update)-peak)/(float64(updates-1)-peak))
	}
	return 1
}

// anneal returns the value at the given part, from 0 to 1, of a half cosine between two
// values.
func anneal(from, to, part float64) float64 {
	return to + (from-to)*(1+math.Cos(math.Pi*part))/2
}

// plateau is the state of the schedule Plateau.
type plateau struct {
	Factor float64 `json:"factor"`
	Best   float64 `json:"best"`
	Bad    int     `json:"bad"` // epochs in a row without improvement
}

// observe updates the state by the loss of an epoch. The learning rate is the one that
// Factor multiplies.
func (p *plateau) observe(s Schedule, rate, loss float64) {
	switch {
	case loss < p.Best*(1-1e-4):
		p.Best, p.Bad = loss, 0
	default:
		if p.Bad++; p.Bad > s.Patience {
			p.lower(s.Gamma, rate)
			p.Bad = 0
		}
	}
}

// lower multiplies Factor by gamma, unless that changes the rate by 1e-8 or less.
func (p *plateau) lower(gamma, rate float64) {
	if old := rate * p.Factor; old-old*gamma > 1e-8 {
		p.Factor *= gamma
	}
}
