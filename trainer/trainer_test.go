package trainer

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

// sine returns the notebook's model and examples.
func sine(t testing.TB, seed uint64) (m *models.Model, train, test *datasets.Windows) {
	t.Helper()
	var series []float32
	for _, y := range datasets.Sine(1000, 0.1, seed) {
		series = append(series, float32(y))
	}
	m, err := models.New(models.Forecaster("y", 50), seed)
	if err != nil {
		t.Fatal(err)
	}
	windows, err := datasets.NewWindows(series, m.Window)
	if err != nil {
		t.Fatal(err)
	}
	train, test, err = windows.Split(0.8)
	if err != nil {
		t.Fatal(err)
	}
	return m, train, test
}

// TestSineLoss holds the notebook's job to what PyTorch reaches on it.
func TestSineLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("trains ten models")
	}
	var losses []float64
	for seed := range uint64(10) {
		m, train, test := sine(t, seed)
		history, err := Fit(t.Context(), m, train, test, Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, history[len(history)-1].TestLoss)
	}
	t.Logf("test MSE of seeds 0 to 9: %.4f", losses)
	slices.Sort(losses)
	if median := (losses[4] + losses[5]) / 2; !(median >= 0.0100 && median <= 0.0130) {
		t.Errorf("median test MSE is %.4f, PyTorch's is 0.0116", median)
	}
	if !(losses[9] <= 0.016) {
		t.Errorf("largest test MSE is %.4f", losses[9])
	}
}

func BenchmarkSineEpoch(b *testing.B) {
	m, train, test := sine(b, 0)
	f := &fit{passes: newPasses(m, 0, 2)}
	_ = f
	for b.Loop() {
		if _, err := Fit(context.Background(), m, train, test, Options{Epochs: 1}); err != nil {
			b.Fatal(err)
		}
	}
	_ = math.Pi
}
