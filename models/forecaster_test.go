package models

import "testing"

func TestForecaster(t *testing.T) {
	m := Forecaster("sales", 7)
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	if m.Task != Forecast || m.Spec.Readout != ReadLast {
		t.Errorf("the task is %s, the readout %s", m.Task, m.Spec.Readout)
	}
	if m.Window != 7 || m.Horizon != 1 {
		t.Errorf("the window is %d, the horizon %d", m.Window, m.Horizon)
	}
	if len(m.Columns) != 1 || m.Columns[0] != "sales" {
		t.Errorf("the columns are %q", m.Columns)
	}
}

// TestColumnsOfForecasters takes outputs for one column of several, and for all.
func TestColumnsOfForecasters(t *testing.T) {
	m := Forecaster("", 7)
	m.Columns, m.Spec.Features, m.Horizon, m.Target, m.Spec.Outputs = []string{"units", "price"}, 2, 5, "price", 5
	if err := m.Validate(); err != nil || m.Targets() != 1 {
		t.Errorf("one of two: %v, %d targets", err, m.Targets())
	}
	m.Target, m.Spec.Outputs = "", 10
	if err := m.Validate(); err != nil || m.Targets() != 2 {
		t.Errorf("both: %v, %d targets", err, m.Targets())
	}
}

// TestFlatSeriesIsOnlyShifted holds for values whose mean is rounded too.
func TestFlatSeriesIsOnlyShifted(t *testing.T) {
	for _, v := range []float32{0, 7, 0.1, -1e-3, 1e17, 3e38} {
		values := make([]float32, 75)
		for i := range values {
			values[i] = v
		}
		if s := FitScale(values, 1); s.Mean[0] != v || s.Std[0] != 1 {
			t.Errorf("75 times %g: %+v", v, s)
		}
	}
}
