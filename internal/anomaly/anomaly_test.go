package anomaly_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/rnnkit/rnnkit/internal/anomaly"
)

func Example() {
	c := anomaly.NewColumn(0)
	for _, v := range []float64{10, 12, 10, 12, 10} {
		c.Advance(v, 0)
	}
	fmt.Println(c.Forecast(1), c.ChangeTo(6)) // the usual change is 2
	// Output:
	// 12 -2
}

// What the network reads does not depend on the unit and the level of a column.
func TestUnits(t *testing.T) {
	a, b := anomaly.NewColumn(3), anomaly.NewColumn(3)
	x, y := make([]float32, len(anomaly.Inputs)), make([]float32, len(anomaly.Inputs))
	for i := range 100 {
		v := math.Sin(float64(i)) + float64(i%3)
		a.Advance(v, i%3)
		b.Advance(1e6+64*v, i%3)
		a.Read(x, (i+1)%3)
		b.Read(y, (i+1)%3)
		for k := range x {
			if !(math.Abs(float64(x[k]-y[k])) < 1e-4) {
				t.Fatalf("row %d, %s: %g of small values, %g of large ones", i, anomaly.Inputs[k], x[k], y[k])
			}
		}
	}
}

// A single value that is far away is no new level, and two are.
func TestSpike(t *testing.T) {
	c := anomaly.NewColumn(0)
	for i := range 100 {
		c.Advance(float64(i%2), 0)
	}
	c.Advance(1000, 0)
	if c.Base != 1 || !(c.Change < 1.1) {
		t.Errorf("after a spike the base is %g and the usual change %g", c.Base, c.Change)
	}
	c.Advance(1001, 0)
	if c.Base != 1001 {
		t.Errorf("after a shift the base is %g", c.Base)
	}
}

// The first value after a gap is a new level, however far away it is.
func TestGap(t *testing.T) {
	c := anomaly.NewColumn(0)
	for i := range 100 {
		c.Advance(float64(i%2), 0)
	}
	c.Fill(c.Base)
	c.Advance(1000, 0)
	if c.Base != 1000 {
		t.Errorf("after a gap the base is %g", c.Base)
	}
}

// Values that never change, and the first value that does, give finite inputs.
func TestConstant(t *testing.T) {
	c, x := anomaly.NewColumn(2), make([]float32, len(anomaly.Inputs))
	for i, v := range []float64{0, 0, 0, 1e300, -1e300, 0, 0} {
		c.Advance(v, i%2)
		c.Read(x, (i+1)%2)
		for k, v := range x {
			if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("row %d: %s is %g", i, anomaly.Inputs[k], v)
			}
		}
	}
	if f := c.Forecast(0.5); math.IsNaN(f) || math.IsInf(f, 0) {
		t.Errorf("the forecast is %g", f)
	}
}

// A column goes on after values whose difference is infinite.
func TestHugeValues(t *testing.T) {
	c := anomaly.NewColumn(2)
	for i, v := range []float64{-math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64, 1, 2} {
		c.Advance(v, i%2)
	}
	inputs := make([]float32, len(anomaly.Inputs))
	c.Read(inputs, 1)
	for _, v := range inputs {
		if v != v {
			t.Errorf("the network reads %v", inputs)
		}
	}
	if f := c.Forecast(1); math.IsNaN(f) || math.IsInf(f, 0) {
		t.Errorf("the forecast is %g", f)
	}
}
