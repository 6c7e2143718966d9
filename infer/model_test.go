package infer_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/models"
)

// closing is a fake engine that counts the sessions that are open.
type closing struct {
	*fake
	open int
}

func (c *closing) Open([]byte) (engine.Session, error) { c.open++; return c, nil }
func (c *closing) Close() error                        { c.open--; return nil }

func TestSessionsAreClosed(t *testing.T) {
	meta := models.Forecaster("y", 5)
	good, bad := &closing{fake: &fake{meta: &meta}}, &closing{fake: &fake{damaged: "{"}}
	m, err := infer.OpenBytes(nil, infer.With(good))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil || good.open != 0 {
		t.Errorf("%d sessions are open after Close (%v)", good.open, err)
	}
	if _, err := infer.OpenBytes(nil, infer.With(bad)); err == nil || bad.open != 0 {
		t.Errorf("%d sessions are open after the error %v", bad.open, err)
	}
}

// TestFailedStepChangesNothing checks that a state can be used on after an error.
func TestFailedStepChangesNothing(t *testing.T) {
	m, err := infer.OpenBytes(sineModel)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	run := func(fail bool) (y []float32) {
		s := m.NewState()
		for _, x := range []float32{0.1, 0.5, 0.9} {
			if y, err = m.Step(t.Context(), s, []float32{x}); err != nil {
				t.Fatal(err)
			}
			if fail {
				_, err := m.Step(t.Context(), s, []float32{1, 2})
				checkField(t, err, "x is of length 2")
			}
		}
		return y
	}
	if got, want := run(true), run(false); !slices.Equal(got, want) || math.IsNaN(float64(got[0])) {
		t.Errorf("after errors %v, without %v", got, want)
	}
}

// TestLongWindows runs windows of which an engine takes only a few at once.
func TestLongWindows(t *testing.T) {
	const window = 25_000
	meta := models.Forecaster("y", window)
	f := forecaster(t, &fake{meta: &meta, most: 1 << 16})
	got, err := f.Predict(t.Context(), line(window+9))
	if err != nil {
		t.Fatal(err)
	}
	if want := line(window + 10)[window:]; !slices.Equal(got, want) {
		t.Errorf("predicted %v, not %v", got, want)
	}
}
