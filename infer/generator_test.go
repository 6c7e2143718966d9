package infer_test

import (
	"context"
	_ "embed"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

//go:embed testdata/rhyme.onnx
var rhymeModel []byte // written by testdata/train.go

const rhyme = `Twinkle, twinkle, little star,
How I wonder what you are!
Up above the world so high,
Like a diamond in the sky.
`

// letters returns the metadata of a model that writes the characters of text.
func letters(text string) *models.Metadata {
	vocabulary := strings.Split(text, "")
	return &models.Metadata{
		Task: models.Generate,
		Spec: models.Spec{
			Cell: models.RNN, Vocabulary: len(vocabulary), Embedding: 1, Hidden: 1, Layers: 1,
			Readout: models.ReadAll, Outputs: len(vocabulary),
		},
		Vocabulary: vocabulary,
		State:      []models.StatePair{{Input: "h0", Output: "hn"}},
	}
}

// dice is an engine whose models answer at every step with the same logits, plus
// 10 for the token that is the sum of all tokens so far, which is its state.
type dice struct {
	fake
	logits []float32
	runs   *[]int // the steps of each run
}

func (d *dice) Open([]byte) (engine.Session, error) { return d, nil }

func (d *dice) Inputs() []tensor.Info {
	if d.inputs != nil {
		return d.inputs
	}
	return []tensor.Info{
		{Name: "input", Type: tensor.Int64, Shape: []tensor.Dim{{Symbol: "batch"}, {Symbol: "time"}}},
		{Name: "h0", Type: tensor.Float32, Shape: []tensor.Dim{{Size: 1}, {Symbol: "state_batch"}, {Size: 1}}, Optional: true},
	}
}

func (d *dice) Outputs() []tensor.Info {
	return []tensor.Info{{Name: "output"}, {Name: "hn"}}
}

func (d *dice) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := engine.CheckInputs(d.Inputs(), inputs); err != nil {
		return nil, err
	}
	var sum int64
	if h, ok := inputs["h0"]; ok {
		sum = int64(h.Data.([]float32)[0])
	}
	tokens := inputs["input"].Data.([]int64)
	if d.runs != nil {
		*d.runs = append(*d.runs, len(tokens))
	}
	var y []float32
	for _, token := range tokens {
		sum += token
		answer := slices.Clone(d.logits)
		if d.every {
			answer[sum%int64(len(answer))] += 10
		}
		y = append(y, answer...)
	}
	return map[string]tensor.Tensor{
		"output": tensor.Of(y, 1, len(tokens), len(d.logits)),
		"hn":     tensor.Of([]float32{float32(sum)}, 1, 1, 1),
	}, nil
}

func generator(t testing.TB, e engine.Engine) *infer.Generator {
	t.Helper()
	m, err := infer.OpenBytes(rhymeModel, infer.With(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	g, err := infer.NewGenerator(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func trained(t testing.TB) *infer.Generator {
	t.Helper()
	m, err := infer.OpenBytes(rhymeModel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	g, err := infer.NewGenerator(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// collect returns the text up to the first error.
func collect(characters iter.Seq2[rune, error]) (string, error) {
	var text strings.Builder
	for r, err := range characters {
		if err != nil {
			return text.String(), err
		}
		text.WriteRune(r)
	}
	return text.String(), nil
}

func generate(t *testing.T, g *infer.Generator, prompt string, opts infer.GenerateOptions) string {
	t.Helper()
	text, err := collect(g.Generate(t.Context(), prompt, opts))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRhymeByHeart(t *testing.T) {
	g := trained(t)
	for n := 9; n < len(rhyme); n += 13 {
		if got := generate(t, g, rhyme[:n], infer.GenerateOptions{Length: len(rhyme) - n}); got != rhyme[n:] {
			t.Errorf("after %q: %q", rhyme[:n], got)
		}
	}
}

// TestWholePromptPrimes reads with a model whose answer depends on all that it
// has read, and counts its runs.
func TestWholePromptPrimes(t *testing.T) {
	var runs []int
	e := &dice{fake: fake{meta: letters("abcdefg"), every: true}, logits: make([]float32, 7), runs: &runs}
	// The sums are 0+6+4=10, of which 3 is left, 13 (6), 19 (5), 24 (3).
	if got := generate(t, generator(t, e), "age", infer.GenerateOptions{Length: 4}); got != "dgfd" {
		t.Errorf("generated %q", got)
	}
	if want := []int{3, 1, 1, 1}; !slices.Equal(runs, want) {
		t.Errorf("the runs had %v steps, not %v", runs, want)
	}
	long := strings.Repeat("c", 10_000) // whose sum, 20,000, leaves 1
	if got := generate(t, generator(t, e), long, infer.GenerateOptions{Length: 1}); got != "b" {
		t.Errorf("after a long prompt: %q", got)
	}
	if len(runs) > 8 {
		t.Errorf("10,000 characters took %d runs", len(runs)-4)
	}
}

// TestSampling counts what is drawn and compares with the probabilities as they
// are defined.
func TestSampling(t *testing.T) {
	logits := []float32{1, 3, 0, 2, -1, float32(math.Log(2)) + 1}
	e := &dice{fake: fake{meta: letters("αβγδεζ")}, logits: logits}
	g := generator(t, e)
	all := []int{0, 1, 2, 3, 4, 5}
	for _, test := range []struct {
		opts  infer.GenerateOptions
		drawn []int
	}{
		{infer.GenerateOptions{Temperature: 1}, all},
		{infer.GenerateOptions{Temperature: 0.5}, all},
		{infer.GenerateOptions{Temperature: 3}, all},
		{infer.GenerateOptions{Temperature: 0}, []int{1}},
		{infer.GenerateOptions{Temperature: 1e-300}, []int{1}},
		{infer.GenerateOptions{Temperature: 1, TopK: 3}, []int{1, 3, 5}},
		{infer.GenerateOptions{Temperature: 2, TopK: 100, TopP: 1}, all},
		{infer.GenerateOptions{Temperature: 1, TopK: 1}, []int{1}},
		{infer.GenerateOptions{Temperature: 1, TopP: 1e-9}, []int{1}},
		// exp: 2.7, 20.1, 1, 7.4, 0.4, 5.4, together 37.0. The share of the
		// first is 0.54, of two 0.74, of three 0.89.
		{infer.GenerateOptions{Temperature: 1, TopP: 0.5}, []int{1}},
		{infer.GenerateOptions{Temperature: 1, TopP: 0.7}, []int{1, 3}},
		{infer.GenerateOptions{Temperature: 1, TopP: 0.8}, []int{1, 3, 5}},
		// Of the two likeliest alone the first has 0.73.
		{infer.GenerateOptions{Temperature: 1, TopK: 2, TopP: 0.7}, []int{1}},
	} {
		const n = 20_000
		test.opts.Length = n
		text := generate(t, g, "α", test.opts)
		sum := 0.0
		weight := func(token int) float64 {
			if len(test.drawn) == 1 {
				return 1
			}
			return math.Exp(float64(logits[token]-3) / test.opts.Temperature)
		}
		for _, token := range test.drawn {
			sum += weight(token)
		}
		left := n
		for _, token := range test.drawn {
			count := strings.Count(text, string([]rune("αβγδεζ")[token]))
			left -= count
			p := weight(token) / sum
			if deviation := math.Sqrt(n * p * (1 - p)); !(math.Abs(float64(count)-n*p) <= 4*deviation) {
				t.Errorf("%+v: token %d was drawn %d times, not %.0f±%.0f", test.opts, token, count, n*p, deviation)
			}
		}
		if left != 0 {
			t.Errorf("%+v: %d others than %v were drawn", test.opts, left, test.drawn)
		}
	}
}

// TestNucleusOfEquals has two tokens with half of the probability each.
func TestNucleusOfEquals(t *testing.T) {
	g := generator(t, &dice{fake: fake{meta: letters("ab")}, logits: []float32{1, 1}})
	for p, both := range map[float64]bool{0.5: false, 0.51: true} {
		got := generate(t, g, "b", infer.GenerateOptions{Length: 20, Temperature: 1, TopP: p})
		if strings.Contains(got, "b") != both {
			t.Errorf("with top-p %g: %q", p, got)
		}
	}
}

func TestSeeds(t *testing.T) {
	g := trained(t)
	for _, prompt := range []string{"Twinkle, ", "H", ""} {
		texts := map[string]uint64{}
		// At 1 most seeds give what the model has learned by heart.
		for seed := range uint64(10) {
			opts := infer.GenerateOptions{Length: 150, Temperature: 2, Seed: seed}
			sequence := g.Generate(t.Context(), prompt, opts)
			text, err := collect(sequence)
			if err != nil {
				t.Fatal(err)
			}
			if n := utf8.RuneCountInString(text); n != 150 {
				t.Errorf("%q: %d characters", prompt, n)
			}
			if other, ok := texts[text]; ok {
				t.Errorf("%q: seeds %d and %d give %q", prompt, other, seed, text)
			}
			texts[text] = seed
			if again := generate(t, g, prompt, opts); again != text {
				t.Errorf("%q: seed %d gives %q and %q", prompt, seed, text, again)
			}
			if again, _ := collect(sequence); again != text {
				t.Errorf("%q: seed %d: ranged over twice, %q and %q", prompt, seed, text, again)
			}
		}
	}
}

func TestEmptyPrompt(t *testing.T) {
	// All six characters come first, whatever the model thinks of them.
	e := &dice{fake: fake{meta: letters("abcdef")}, logits: []float32{9, 0, 0, 0, 0, 0}}
	g := generator(t, e)
	first := map[string]bool{}
	for seed := range uint64(60) {
		text := generate(t, g, "", infer.GenerateOptions{Length: 3, Seed: seed})
		if text[1:] != "aa" {
			t.Errorf("seed %d: %q", seed, text)
		}
		first[text[:1]] = true
	}
	if len(first) != 6 {
		t.Errorf("the first characters are %v", first)
	}
	if text := generate(t, g, "", infer.GenerateOptions{}); text != "" {
		t.Errorf("no characters are %q", text)
	}
}

func TestGenerateEnds(t *testing.T) {
	var runs []int
	e := &dice{fake: fake{meta: letters("ab")}, logits: make([]float32, 2), runs: &runs}
	for range generator(t, e).Generate(t.Context(), "b", infer.GenerateOptions{Length: 1 << 40}) {
		if len(runs) == 3 {
			break
		}
	}
	if len(runs) != 3 {
		t.Errorf("%d runs after a break", len(runs))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for r, err := range generator(t, e).Generate(ctx, "b", infer.GenerateOptions{Length: 1 << 40}) {
		n++
		if n == 5 {
			cancel()
		}
		if (err != nil) != (n == 6) || err != nil && (r != 0 || !errors.Is(err, context.Canceled)) {
			t.Fatalf("character %d is %q, %v", n, r, err)
		}
	}
	if n != 6 {
		t.Errorf("%d characters of a cancelled text", n)
	}
	for r, err := range generator(t, e).Generate(ctx, "", infer.GenerateOptions{Length: 1}) {
		if r != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("after that %q, %v", r, err)
		}
	}
}

func TestGenerateErrors(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for want, test := range map[string]struct {
		vocabulary, prompt string
		logits             []float32
		opts               infer.GenerateOptions
	}{
		`prompt[2] is "c": it must be a character that the model has seen: one of "ab"`: {prompt: "abc"},
		`prompt[2] is "́": it must be a character`:                                      {vocabulary: "éa", prompt: "é\u0301"},
		`prompt[0] is "é": it must be a character`:                                      {prompt: "é"},
		`prompt[2] is "😀": it must be a character`:                                      {prompt: "ab😀"},
		`prompt[1] is "\xff": it must be UTF-8`:                                         {prompt: "a\xff"},
		`prompt[4] is "\x80": it must be UTF-8`:                                         {vocabulary: "a\ufffd", prompt: "a\ufffd\x80"},
		"the model answers NaN for 'b'":                                                 {logits: []float32{0, nan}},
		"the model answers +Inf for 'a'":                                                {logits: []float32{inf, 0}},
		"the model answers -Inf for 'a'":                                                {logits: []float32{-inf, 0}},
		"Length is -1":                                                                  {opts: infer.GenerateOptions{Length: -1}},
		"Temperature is -1":                                                             {opts: infer.GenerateOptions{Temperature: -1}},
		"Temperature is NaN":                                                            {opts: infer.GenerateOptions{Temperature: math.NaN()}},
		"Temperature is +Inf":                                                           {opts: infer.GenerateOptions{Temperature: math.Inf(1)}},
		"TopK is -1":                                                                    {opts: infer.GenerateOptions{TopK: -1}},
		"TopP is 1.5":                                                                   {opts: infer.GenerateOptions{TopP: 1.5}},
		"TopP is NaN":                                                                   {opts: infer.GenerateOptions{TopP: math.NaN()}},
	} {
		meta := letters("ab")
		if test.vocabulary != "" {
			meta = letters(test.vocabulary)
		}
		if test.logits == nil {
			test.logits = make([]float32, 2)
		}
		if test.prompt == "" {
			test.prompt = "a"
		}
		if test.opts.Length == 0 {
			test.opts.Length = 5
		}
		for _, temperature := range []float64{0, 1} {
			if test.opts.Temperature == 0 {
				test.opts.Temperature = temperature
			}
			text, err := collect(generator(t, &dice{fake: fake{meta: meta}, logits: test.logits}).Generate(t.Context(), test.prompt, test.opts))
			if text != "" || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q, %v, not %q", text, err, want)
			}
			var field *models.FieldError
			if byModel := strings.HasPrefix(want, "the model"); errors.As(err, &field) == byModel {
				t.Errorf("the error %q is a %T", err, err)
			}
		}
	}
	// The replacement character is a character like any other where it is meant.
	g := generator(t, &dice{fake: fake{meta: letters("a\ufffd")}, logits: []float32{0, 1}})
	if got := generate(t, g, "\ufffd", infer.GenerateOptions{Length: 2}); got != "\ufffd\ufffd" {
		t.Errorf("generated %q", got)
	}
}

func TestNewGeneratorErrors(t *testing.T) {
	for want, change := range map[string]func(*models.Metadata, *dice){
		"no rnnkit metadata":                     func(_ *models.Metadata, d *dice) { d.meta = nil },
		`task is "classify", not "generate"`:     func(m *models.Metadata, _ *dice) { m.Task = models.Classify },
		"has a vocabulary of 0 and answers 3":    func(m *models.Metadata, _ *dice) { m.Vocabulary = nil },
		"of 3 and answers 2":                     func(m *models.Metadata, _ *dice) { m.Spec.Outputs = 2 },
		`token 1 of the model is "the"`:          func(m *models.Metadata, _ *dice) { m.Vocabulary[1] = "the" },
		`token 2 of the model is ""`:             func(m *models.Metadata, _ *dice) { m.Vocabulary[2] = "" },
		"token 0 of the model is \"e\u0301\"":    func(m *models.Metadata, _ *dice) { m.Vocabulary[0] = "e\u0301" },
		"tokens 0 and 2 of the model are":        func(m *models.Metadata, _ *dice) { m.Vocabulary[2] = m.Vocabulary[0] },
		"bidirectional model cannot":             func(m *models.Metadata, _ *dice) { m.Spec.Bidirectional = true },
		`readout "max" cannot`:                   func(m *models.Metadata, _ *dice) { m.Spec.Readout = models.ReadMax },
		"its graph cannot be read":               func(m *models.Metadata, _ *dice) { m.State = nil },
		"step by step: its graph cannot be read": func(m *models.Metadata, _ *dice) { m.State[0].Input = "c0" },
		"cannot run step by step: its graph": func(m *models.Metadata, _ *dice) {
			m.State = append(m.State, models.StatePair{Input: "input", Output: "hn"})
		},
		"the model has the input input float32[batch], where its metadata says input int64[batch, time]": func(_ *models.Metadata, d *dice) {
			d.inputs = []tensor.Info{{Name: "input", Type: tensor.Float32, Shape: []tensor.Dim{{Symbol: "batch"}}}, {Name: "h0"}}
		},
	} {
		meta := letters("abc")
		d := &dice{fake: fake{meta: meta}}
		change(meta, d)
		m, err := infer.OpenBytes(nil, infer.With(d))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := infer.NewGenerator(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
}

func TestGeneratorIsSafeForConcurrentUse(t *testing.T) {
	g := trained(t)
	opts := infer.GenerateOptions{Length: 60, Temperature: 1}
	want := generate(t, g, "H", opts)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := collect(g.Generate(t.Context(), "H", opts)); got != want {
				t.Errorf("beside others: %q, %v", got, err)
			}
		})
	}
	wg.Wait()
}

// FuzzPrompt gives a trained model any prompt: it either writes on or refuses.
func FuzzPrompt(f *testing.F) {
	g := trained(f)
	for _, prompt := range []string{"", "Twinkle, ", "ü", "\xff", "\ufffd", rhyme} {
		f.Add(prompt, 1.0, 0, 0.0, uint64(1))
		f.Add(prompt, 0.0, 3, 0.5, uint64(2))
	}
	f.Fuzz(func(t *testing.T, prompt string, temperature float64, topK int, topP float64, seed uint64) {
		if len(prompt) > 1<<12 {
			t.Skip("long")
		}
		opts := infer.GenerateOptions{Length: 5, Temperature: temperature, TopK: topK, TopP: topP, Seed: seed}
		text, err := collect(g.Generate(t.Context(), prompt, opts))
		if n := utf8.RuneCountInString(text); (err == nil) != (n == 5) || err != nil && n != 0 {
			t.Errorf("%q and %v", text, err)
		}
	})
}
