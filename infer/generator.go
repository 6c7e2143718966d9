package infer

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"unicode/utf8"

	"github.com/rnnkit/rnnkit/models"
)

// Generator writes the text that follows a prompt, character by character. It
// is safe for concurrent use.
type Generator struct {
	model      *Model
	vocabulary []rune         // by token
	tokens     map[rune]int64 // by character
}

// NewGenerator returns a Generator that runs m. It is a [*TaskError] if m does not
// generate, a [*models.FieldError] if m is nil, and an error if m cannot run step by
// step or has tokens that are not single characters.
func NewGenerator(m *Model) (*Generator, error) {
	d, err := m.task(models.Generate)
	if err != nil {
		return nil, err
	}
	if err := m.Streams(); err != nil {
		return nil, err
	}
	texts := d.Vocabulary
	if len(texts) == 0 || len(texts) != d.Width {
		return nil, fmt.Errorf("the model has a vocabulary of %d and answers %d: a Generator needs an answer for each of its characters", len(texts), d.Width)
	}
	g := &Generator{m, make([]rune, len(texts)), make(map[rune]int64, len(texts))}
	for token, text := range texts {
		r, size := utf8.DecodeRuneInString(text)
		if text == "" || size != len(text) || r == utf8.RuneError && size == 1 {
			return nil, fmt.Errorf("token %d of the model is %.40q: a Generator needs tokens that are one character each; use StepTokens", token, text)
		}
		if other, ok := g.tokens[r]; ok {
			return nil, fmt.Errorf("tokens %d and %d of the model are both %q: export it again", other, token, r)
		}
		g.vocabulary[token], g.tokens[r] = r, int64(token)
	}
	return g, nil
}

// Model returns the model that g runs.
func (g *Generator) Model() *Model { return g.model }

// GenerateOptions say how much is generated, and how each character is drawn
// from the probabilities that the model gives to what may come next. The zero
// options ask for no character; rnnkit generate begins with a Length of 200 and a
// Temperature of 1.
type GenerateOptions struct {
	Length int // characters, without those of the prompt

	// Temperature divides the logits: below 1 the likely becomes likelier. At
	// 0 the likeliest character is taken each time and nothing is drawn.
	Temperature float64
	// TopK draws from the K likeliest characters only; 0 stands for all.
	TopK int
	// TopP draws from the fewest of these, the likeliest first, that together
	// have at least this share of their probability, from 0 to 1; 0 stands for
	// all. It is the nucleus sampling of Holtzman et al. 2020.
	TopP float64

	Seed uint64 // of what is drawn: the same gives the same text
}

// Validate returns a [*models.FieldError] for the first option that cannot be used.
func (o GenerateOptions) Validate() error {
	switch {
	case o.Length < 0:
		return &models.FieldError{Field: "Length", Value: o.Length, Want: "0 or more"}
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return &models.FieldError{Field: "Temperature", Value: o.Temperature, Want: "0 or more, and finite"}
	case o.TopK < 0:
		return &models.FieldError{Field: "TopK", Value: o.TopK, Want: "0 or more"}
	case !(o.TopP >= 0 && o.TopP <= 1):
		return &models.FieldError{Field: "TopP", Value: o.TopP, Want: "from 0 to 1"}
	}
	return nil
}

// maxPrompt is how many characters of a prompt go through the model at once.
const maxPrompt = 1 << 12

// Generate returns the characters that follow prompt, each as soon as it is
// known. An error comes with the character 0 and ends them. An option that cannot
// be used is a [*models.FieldError]. So is a character of prompt that is not in the
// model's vocabulary: its path is, for example, "prompt[2]" if it begins at byte 2.
// A cancelled ctx, or a model that answers what is not a number, is an error too.
//
// The model reads all of the prompt before the first character is generated. If
// the prompt is empty, the first character is drawn from the whole vocabulary,
// each with the same probability.
func (g *Generator) Generate(ctx context.Context, prompt string, opts GenerateOptions) iter.Seq2[rune, error] {
	return func(yield func(rune, error) bool) {
		if err := cmp.Or(opts.Validate(), ctx.Err()); err != nil {
			yield(0, err)
			return
		}
		tokens, err := g.encode(prompt)
		if err != nil {
			yield(0, err)
			return
		}
		s := newSampler(opts)
		left := opts.Length
		if len(tokens) == 0 && left > 0 {
			tokens = []int64{s.rng.Int64N(int64(len(g.vocabulary)))}
			left--
			if !yield(g.vocabulary[tokens[0]], nil) {
				return
			}
		}
		state := g.model.NewState()
		for ; left > 0; left-- {
			token, err := g.next(ctx, state, tokens, s)
			if err != nil {
				yield(0, err)
				return
			}
			if !yield(g.vocabulary[token], nil) {
				return
			}
			tokens = append(tokens[:0], token)
		}
	}
}

// encode returns the tokens of the characters of prompt.
func (g *Generator) encode(prompt string) ([]int64, error) {
	tokens := make([]int64, 0, len(prompt))
	for i, r := range prompt {
		token, ok := g.tokens[r]
		_, size := utf8.DecodeRuneInString(prompt[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return nil, inPrompt(prompt, i, size, "UTF-8")
		case !ok:
			return nil, inPrompt(prompt, i, size, fmt.Sprintf("a character that the model has seen: one of %.120q", string(g.vocabulary)))
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// inPrompt is the error of the character of that size at byte i of prompt.
func inPrompt(prompt string, i, size int, want string) error {
	return &models.FieldError{Field: fmt.Sprintf("prompt[%d]", i), Value: prompt[i : i+size], Want: want}
}

// next feeds tokens to the model and returns the one that follows them.
func (g *Generator) next(ctx context.Context, state *State, tokens []int64, s *sampler) (int64, error) {
	var logits []float32
	for part := range slices.Chunk(tokens, maxPrompt) {
		var err error
		if logits, err = g.model.StepTokens(ctx, state, part...); err != nil {
			return 0, err
		}
	}
	if len(logits) != len(g.vocabulary) {
		return 0, fmt.Errorf("the model answers %d values for a vocabulary of %d", len(logits), len(g.vocabulary))
	}
	for token, z := range logits {
		if !finite(float64(z)) {
			return 0, fmt.Errorf("the model answers %g for %q: it may be damaged, or its training have diverged", z, g.vocabulary[token])
		}
	}
	return int64(s.draw(logits)), nil
}

// sampler draws tokens.
type sampler struct {
	opts   GenerateOptions
	rng    *rand.Rand
	tokens []candidate
}

// candidate is a token that may be drawn.
type candidate struct {
	token  int
	weight float64 // its probability, not normalized
}

func newSampler(opts GenerateOptions) *sampler {
	return &sampler{opts: opts, rng: rand.New(rand.NewPCG(opts.Seed, 0))}
}

// draw returns a token, given finite logits for all.
func (s *sampler) draw(logits []float32) int {
	best := slices.Max(logits)
	if s.opts.Temperature == 0 {
		return slices.Index(logits, best)
	}
	s.tokens = s.tokens[:0]
	for token, z := range logits {
		s.tokens = append(s.tokens, candidate{token, math.Exp((float64(z) - float64(best)) / s.opts.Temperature)})
	}
	if s.opts.TopK > 0 || s.opts.TopP > 0 {
		slices.SortStableFunc(s.tokens, func(a, b candidate) int { return cmp.Compare(b.weight, a.weight) })
	}
	if k := s.opts.TopK; k > 0 && k < len(s.tokens) {
		s.tokens = s.tokens[:k]
	}
	if p := s.opts.TopP; p > 0 {
		s.tokens = s.tokens[:until(s.tokens, p*total(s.tokens))]
	}
	at := (1 - s.rng.Float64()) * total(s.tokens) // more than 0, which no weight of 0 reaches
	return s.tokens[until(s.tokens, at)-1].token
}

func total(tokens []candidate) (sum float64) {
	for _, t := range tokens {
		sum += t.weight
	}
	return sum
}

// until returns how many of the first tokens have at least the given weight
// together, from 1 to all.
func until(tokens []candidate, weight float64) int {
	sum := 0.0
	for i, t := range tokens {
		if sum += t.weight; sum >= weight {
			return i + 1
		}
	}
	return len(tokens)
}
