package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/models"
)

// experiments are the notebook's, without what is measured.
var experiments = []Experiment{
	{Name: "chars", Title: "A nursery rhyme, character by character",
		Asks: "Can an LSTM learn four lines by heart, so that from the first word on it writes the others without an error?"},
	{Name: "sine", Title: "Forecasting a noisy sine",
		Asks: "How near does a forecast of the next value come to the wave itself, which the model has only seen under noise? And does it hold the rhythm when it reads its own forecasts?"},
	{Name: "echo", Title: "Remembering the first bit",
		Asks: "A sequence of random bits must be answered with its first. Does an LSTM remember what a plain RNN forgets?"},
	{Name: "palindrome", Title: "Telling palindromes",
		Asks: "Does a model that reads the digits from both ends tell palindromes better than one that reads them from one?"},
	{Name: "hidden", Title: "The hidden state, seen through its principal components",
		Asks: "What does the state of the sine's LSTM do while it reads one period of the wave?"},
}

// longEcho is the length of the sequences that the recipe best is also put to.
const longEcho = 200

// variant is what an arm changes about its preset.
type variant struct {
	name          string
	cell          models.Cell
	bidirectional bool
	length        int
}

// arms returns what the options ask for, those that take the longest last.
func arms(o Options) (list []*arm) {
	add := func(preset presets.Preset, recipe string, variants ...variant) {
		needed := o.wants(preset.Name) || preset.Name == presets.Sine.Name && recipe == presets.Best && o.wants("hidden")
		if !needed || !slices.Contains(o.Recipes, recipe) {
			return
		}
		for _, v := range variants {
			a := &arm{preset: preset, recipe: recipe, variant: v, options: preset.Options(recipe, v.cell), trained: make([]*trained, o.Seeds)}
			a.options.Spec.Bidirectional = v.bidirectional
			if v.length > 0 {
				a.options.Window = v.length
			}
			list = append(list, a)
		}
	}
	lstm := variant{name: "LSTM"}
	echo := []variant{{name: "RNN, T=50", cell: models.RNN}, {name: "LSTM, T=50"}}
	directions := []variant{{name: "unidirectional"}, {name: "bidirectional", bidirectional: true}}
	for _, recipe := range []string{presets.Notebook, presets.Best} {
		add(presets.Chars, recipe, lstm)
		add(presets.Sine, recipe, lstm)
		add(presets.Palindrome, recipe, directions...)
		add(presets.Echo, recipe, echo...)
	}
	add(presets.Echo, presets.Best,
		variant{name: fmt.Sprintf("RNN, T=%d", longEcho), cell: models.RNN, length: longEcho},
		variant{name: fmt.Sprintf("LSTM, T=%d", longEcho), length: longEcho})
	return list
}

func (a *arm) experiment() string { return a.preset.Name }

func (a *arm) name() string { return a.variant.name + ", " + a.recipe }

// file is what the names of the arm's files begin with: "echo-lstm-t50-best".
func (a *arm) file() string {
	return strings.ToLower(strings.NewReplacer(", ", "-", "=", "").Replace(a.experiment() + "-" + a.name()))
}

// command trains the arm with the given seed.
func (a *arm) command(seed uint64) string {
	c := "rnnkit train " + a.preset.Name
	if a.cell != "" {
		c += " --cell " + string(a.cell)
	}
	if a.bidirectional {
		c += " --bidirectional"
	}
	if a.length > 0 {
		c += fmt.Sprintf(" --length %d", a.length)
	}
	return c + fmt.Sprintf(" --recipe %s --seed %d -o %s.onnx", a.recipe, seed, a.file())
}
