package models

import (
	"math"
	"slices"
	"testing"
)

func TestQuantiles(t *testing.T) {
	crossed := []float64{3, 5, 4, 2, 9}
	OrderQuantiles(crossed)
	if want := []float64{3, 4, 4, 4, 9}; !slices.Equal(crossed, want) {
		t.Errorf("ordered: %v, want %v", crossed, want)
	}
	wide := []float32{6, 8, 10, 11, 13}
	WidenQuantiles(wide, []float32{0.25, 2, 1, 3, 1}) // the inner ones overtake the outer ones
	if want := []float32{6, 6, 10, 13, 13}; !slices.Equal(wide, want) {
		t.Errorf("widened: %v, want %v", wide, want)
	}
}

func TestBound(t *testing.T) {
	least, most := 0.5, 7.5
	for _, c := range []struct {
		f       Forecasting
		v, want float64
	}{
		{Forecasting{}, -1e30, -1e30},
		{Forecasting{Min: &least, Max: &most}, 0.25, 0.5},
		{Forecasting{Min: &least, Max: &most}, 8, 7.5},
		{Forecasting{Min: &least, Max: &most}, 2.5, 2.5},
		{Forecasting{Min: &least, Max: &most, Integer: true}, 0.25, 1},
		{Forecasting{Min: &least, Max: &most, Integer: true}, 8, 7},
		{Forecasting{Integer: true}, 2.5, 2},
		{Forecasting{Integer: true}, -3.5, -4},
	} {
		if got := c.f.Bound(c.v); got != c.want {
			t.Errorf("%v is bounded to %v, want %v", c.v, got, c.want)
		}
	}
	if least, most := (&Forecasting{}).Bounds(); !math.IsInf(least, -1) || !math.IsInf(most, 1) {
		t.Errorf("without bounds: %v, %v", least, most)
	}
}
