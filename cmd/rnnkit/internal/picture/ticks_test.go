package picture

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
)

// TestTimeTicks labels rows of different frequencies, on a wide and on a narrow picture.
func TestTimeTicks(t *testing.T) {
	start := time.Date(2023, 11, 14, 22, 13, 0, 0, time.UTC)
	for _, test := range []struct {
		step time.Duration
		rows int
		room vg.Length
		want string
	}{
		{time.Minute, 40, 600, "3:2023-11-14 22:15 8:22:20 13:22:25 18:22:30 23:22:35 28:22:40 33:22:45 38:22:50"},
		{time.Hour, 72, 600, "3:2023-11-15 00:13 15:11-15 12:13 27:11-16 00:13 39:11-16 12:13 51:11-17 00:13 63:11-17 12:13"},
		{24 * time.Hour, 50, 600, "7:2023-11-20 14:2023-11-27 21:2023-12-04 28:2023-12-11 35:2023-12-18 42:2023-12-25 49:2024-01-01"},
		{24 * time.Hour, 50, 150, "18:2023-12 49:2024-01"},
		{24 * time.Hour, 2000, 600, "49:2024 415:2025 780:2026 1145:2027 1510:2028 1876:2029"},
	} {
		at := func(row int) time.Time { return start.Add(time.Duration(row) * test.step) }
		var got []string
		for _, tick := range timeTicks(at, test.room)(1, float64(test.rows)) {
			got = append(got, fmt.Sprintf("%g:%s", tick.Value, tick.Label))
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%d rows of %v in %v: %s, want %s", test.rows, test.step, test.room, text, test.want)
		}
	}
}

// TestValueTicks labels values of different sizes.
func TestValueTicks(t *testing.T) {
	for _, test := range []struct {
		low, high float64
		want      string
	}{{0, 90, "0 40 80"}, {-2e6, 9e7, "0 40M 80M"}, {-15000, 15000, "−15k −5k 5k 15k"}, {0.001, 0.002, "0.001 0.0015 0.002"}} {
		var got []string
		for _, tick := range valueTicks(test.low, test.high) {
			got = append(got, tick.Label)
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("from %g to %g: %s, want %s", test.low, test.high, text, test.want)
		}
	}
}

// TestStepsFar leaves out the curves that would leave no room for the others.
func TestStepsFar(t *testing.T) {
	s := Steps{Names: []string{"model", "naive", "none", "drift"}, Values: [][]float64{{1, math.NaN(), 2}, {4, 6, 8}, {math.NaN(), math.NaN(), math.NaN()}, {4, 4, 4}}}
	if got := fmt.Sprint(s.Far()); got != "[naive]" {
		t.Errorf("far away are %s", got)
	}
	svg, err := s.SVG(20)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{">model<": true, ">drift<": true, ">naive<": false, ">none<": false} {
		if strings.Contains(string(svg), name) != want {
			t.Errorf("the legend has %s: %t", name, !want)
		}
	}
}

// TestForecastJoins has the forecast begin where the values end, and shows a few of them.
func TestForecastJoins(t *testing.T) {
	f := Forecast{Values: []float64{1, 2, 3, 4, 5}, First: 5, Predictions: []float64{6, 7}, History: 2}
	if start, end := f.shown(); start != 3 || end != 7 {
		t.Errorf("it shows rows %d to %d", start, end)
	}
	if got := fmt.Sprint(points(f.joined(f.Predictions), f.First-f.join(), 3)); got != "[{5 5} {6 6} {7 7}]" {
		t.Errorf("the forecast is %s", got)
	}
	f.Values[4] = math.NaN()
	if got := fmt.Sprint(points(f.joined(f.Predictions), f.First-f.join(), 3)); got != "[{6 6} {7 7}]" {
		t.Errorf("after a missing value the forecast is %s", got)
	}
}
