package verify_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// TestExact holds exported graphs to the trainer, both in float64, where only the
// order of sums differs, in both forms of the state.
func TestExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, spec := range specs() {
		for _, state := range [][]models.StatePair{nil, spec.State()} {
			m := randomModel(t, spec, rng)
			m.State = state
			name := fmt.Sprintf("%+v with state %v", spec, state)
			data, err := export.Marshal(m)
			if err != nil {
				t.Fatal(name, err)
			}
			exact, err := verify.OpenExact(data)
			if err != nil {
				t.Fatal(name, err)
			}
			input, err := verify.Input(&m.Metadata, 3, 7, rng.Uint64())
			if err != nil {
				t.Fatal(name, err)
			}
			got, err := exact.Output(t.Context(), input)
			if err != nil {
				t.Fatal(name, err)
			}
			b := datasets.Batch{Size: 3, Time: 7}
			b.Inputs, _ = input.Data.([]float32)
			b.Tokens, _ = input.Data.([]int64)
			want, err := trainer.PredictExact(m, &b)
			if err != nil {
				t.Fatal(name, err)
			}
			answers, ok := got["output"].Data.([]float64)
			if !ok || len(answers) != len(want) {
				t.Fatalf("%s: answers %v, not %d", name, got, len(want))
			}
			for i, v := range answers {
				if !(math.Abs(v-want[i]) <= 1e-11*max(1, math.Abs(want[i]))) {
					t.Errorf("%s: answer %d is %v, not %v", name, i, v, want[i])
					break
				}
			}
			if err := exact.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := verify.OpenExact([]byte("no model")); err == nil {
		t.Error("no error for no model")
	}
}
