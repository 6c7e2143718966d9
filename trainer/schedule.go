package trainer

import (
	"fmt"
	"math"

	"github.com/rnnkit/rnnkit/models"
)

// Schedule says how the learning rate changes from update to update. The zero
// Schedule keeps it. A field of value 0 stands for the value in parentheses.
type Schedule struct {
	Shape Shape `json:"shape"` // (Constant)

	// Warmup is the number of updates over which the rate of Constant, Step
	// and Cosine rises to its full value, in equal steps.
	Warmup int `json:"warmup,omitempty"`

	Every int     `json:"every,omitempty"` // epochs between two steps of Step (10)
	Gamma float64 `json:"gamma,omitempty"` // what Step and Plateau multiply the rate by (0.1)

	// Plateau counts the epochs whose test loss is not below the best by a
	// part in 10,000. More than Patience in a row (10) lower the rate, where
	// that makes a difference of more than 1e-8.
	Patience int `json:"patience,omitempty"`
}

// Shape is the kind of a [Schedule].
type Shape string

// The shapes, each as PyTorch's scheduler of that name defines it by default.
const (
	Constant Shape = "constant"
	Step     Shape = "step"     // StepLR, counted in epochs
	Cosine   Shape = "cosine"   // CosineAnnealingLR, after the warm-up and down to 0
	OneCycle Shape = "onecycle" // OneCycleLR, without cycling the momentum: from 1/25 up to the rate by 30% of the updates, then down to 1/250,000
	Plateau  Shape = "plateau"  // ReduceLROnPlateau, on the test loss
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
		read     bool // by the shape
	}{
		{"Warmup", s.Warmup, s.Warmup != 0, s.Warmup < 0, "0 or more", warms},
		{"Every", s.Every, s.Every != 0, s.Every < 0, "1 or more", s.Shape == Step},
		{"Gamma", s.Gamma, s.Gamma != 0, !(s.Gamma >= 0 && s.Gamma < 1), "at least 0 and less than 1", s.Shape == Step || s.Shape == Plateau},
		{"Patience", s.Patience, s.Patience != 0, s.Patience < 0, "0 or more", s.Shape == Plateau},
	} {
		switch {
		case f.bad:
			return s, &models.FieldError{Field: f.name, Value: f.value, Want: f.want}
		case f.set && !f.read:
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

// factor returns what the learning rate is multiplied by for an update, counted
// from 0, of the given number, in an epoch counted from 0.
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

// anneal goes from one value to another along half a cosine.
func anneal(from, to, part float64) float64 {
	return to + (from-to)*(1+math.Cos(math.Pi*part))/2
}

// plateau is how Plateau stands.
type plateau struct {
	Factor float64 `json:"factor"`
	Best   float64 `json:"best"`
	Bad    int     `json:"bad"` // epochs in a row that were not better
}

// observe takes the test loss of an epoch into account, for the learning rate
// that Factor changes.
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

// lower multiplies Factor by gamma, unless that is as good as nothing.
func (p *plateau) lower(gamma, rate float64) {
	if old := rate * p.Factor; old-old*gamma > 1e-8 {
		p.Factor *= gamma
	}
}
