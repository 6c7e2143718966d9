package onnxgraph

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
)

// TestNameWords compares with a regular expression.
func TestNameWords(t *testing.T) {
	want := regexp.MustCompile(`tm1|[A-Z]?[a-z]+|[A-Z]+|[0-9]+`)
	rng := rand.New(rand.NewPCG(1, 1))
	names := []string{"", "h_tm1", "LSTMState.0", "hiddenIn", "onnx::LSTM_42", "état_1"}
	for range 10_000 {
		name := make([]rune, rng.IntN(12))
		for i := range name {
			name[i] = []rune("tm1hHcCaZ09_./é")[rng.IntN(15)]
		}
		names = append(names, string(name))
	}
	for _, name := range names {
		if got := nameWords(name); !slices.Equal(got, want.FindAllString(name, -1)) {
			t.Errorf("%q has the words %q, want %q", name, got, want.FindAllString(name, -1))
		}
	}
}
