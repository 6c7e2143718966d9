package models

import (
	"math"
	"math/rand/v2"
)

// initStream keeps the random numbers of Init apart from others of the same seed.
const initStream = 0x696e6974

// Recipe changes how [Init] draws the parameters of the recurrent layers.
type Recipe func(s Spec, p *Params[float32], rng *rand.Rand) error

// Init draws parameters with the defaults of PyTorch: recurrent weights and biases
// uniform in ±1/√hidden (torch.nn.LSTM), those of the head uniform in ±1/√inputs
// (torch.nn.Linear), embeddings from N(0, 1) (torch.nn.Embedding). The linear maps of a
// direct forecaster begin with zeros. Then it applies the
// recipes in their order. The same seed gives the same parameters. The spec must be
// valid. A recipe that does not fit it returns a *FieldError.
func Init(s Spec, seed uint64, recipes ...Recipe) (*Params[float32], error) {
	p := NewParams[float32](s)
	rng := rand.New(rand.NewPCG(seed, initStream))
	uniform := func(x []float32, inputs int) {
		bound := 1 / math.Sqrt(float64(inputs))
		for i := range x {
			x[i] = float32((2*rng.Float64() - 1) * bound)
		}
	}
	for i := range p.Embedding {
		p.Embedding[i] = float32(rng.NormFloat64())
	}
	for _, table := range p.Categories {
		for i := range table {
			table[i] = float32(rng.NormFloat64())
		}
	}
	if s.Direct != nil {
		uniform(p.Segment.W, s.Direct.Features())
		uniform(p.Segment.B, s.Direct.Features())
		uniform(p.Gate.W, s.Width())
		uniform(p.Gate.B, s.Width())
	}
	for _, l := range p.Layers {
		uniform(l.W, s.Hidden)
		uniform(l.R, s.Hidden)
		uniform(l.B, s.Hidden)
	}
	uniform(p.Head.W, s.Width())
	uniform(p.Head.B, s.Width())
	for _, recipe := range recipes {
		if err := recipe(s, p, rng); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Orthogonal makes the recurrent weights of each gate a random orthogonal matrix. Such a
// matrix keeps the length of vectors, however often it is applied: Saxe et al., "Exact
// solutions to the nonlinear dynamics of learning in deep linear neural networks" (2014).
func Orthogonal() Recipe {
	return func(s Spec, p *Params[float32], rng *rand.Rand) error {
		for _, l := range p.Layers {
			for gate := range len(l.R) / (s.Hidden * s.Hidden) {
				orthogonal(l.R[gate*s.Hidden*s.Hidden:][:s.Hidden*s.Hidden], s.Hidden, rng)
			}
		}
		return nil
	}
}

// orthogonal sets dst to a matrix [n, n] from the uniform distribution of orthogonal
// matrices: normal rows, orthogonalised by the method of Gram and Schmidt.
func orthogonal(dst []float32, n int, rng *rand.Rand) {
	rows := make([][]float64, n)
	for i := range rows {
		row := make([]float64, n)
		for j := range row {
			row[j] = rng.NormFloat64()
		}
		// The second pass removes the rounding errors of the first.
		for range 2 {
			for _, other := range rows[:i] {
				d := dot(row, other)
				for j := range row {
					row[j] -= d * other[j]
				}
			}
		}
		norm := math.Sqrt(dot(row, row))
		for j := range row {
			row[j] /= norm
			dst[i*n+j] = float32(row[j])
		}
		rows[i] = row
	}
}

func dot(x, y []float64) (sum float64) {
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

// ForgetBias sets the bias of the forget gate of an LSTM, so that it remembers at the
// beginning of training: Gers et al., "Learning to Forget" (2000). Jozefowicz et al.
// (2015) recommend 1.
func ForgetBias(bias float64) Recipe {
	return func(s Spec, p *Params[float32], _ *rand.Rand) error {
		if s.Cell != LSTM {
			return &FieldError{Field: "Cell", Value: s.Cell, Want: "lstm for a forget bias, since others have no forget gate"}
		}
		setGateBias(s, p, 2, func() float64 { return bias })
		return nil
	}
}

// Chrono sets the biases of the gates so that the units remember for different times, up
// to the given number of steps, which is 3 or more: Tallec and Ollivier, "Can recurrent
// neural networks warp time?" (2018). The forget bias of an LSTM is log U(1, steps-1) and
// its input bias the negative of that. The update bias of a GRU, whose update gate keeps
// the state, is log U(1, steps-1).
func Chrono(steps int) Recipe {
	return func(s Spec, p *Params[float32], rng *rand.Rand) error {
		if steps < 3 {
			return &FieldError{Field: "steps", Value: steps, Want: "3 or more for chrono initialization"}
		}
		draw := func() float64 { return math.Log(1 + rng.Float64()*float64(steps-2)) }
		switch s.Cell {
		case LSTM:
			var drawn []float64
			setGateBias(s, p, 2, func() float64 {
				drawn = append(drawn, draw())
				return drawn[len(drawn)-1]
			})
			setGateBias(s, p, 0, func() float64 {
				b := -drawn[0]
				drawn = drawn[1:]
				return b
			})
		case GRU:
			setGateBias(s, p, 0, draw)
		default:
			return &FieldError{Field: "Cell", Value: s.Cell, Want: "lstm or gru for chrono initialization, since an rnn has no gates"}
		}
		return nil
	}
}

// setGateBias sets the biases of a gate in every layer and direction: those of W to
// values of bias, those of R to 0.
func setGateBias(s Spec, p *Params[float32], gate int, bias func() float64) {
	rows := s.Cell.Gates() * s.Hidden
	for _, l := range p.Layers {
		for d := range s.Directions() {
			b := l.B[d*2*rows:][:2*rows]
			for j := range s.Hidden {
				b[gate*s.Hidden+j] = float32(bias())
				b[rows+gate*s.Hidden+j] = 0
			}
		}
	}
}
