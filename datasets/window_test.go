package datasets_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

// count returns 0, 1, 2 and so on, so that a value tells its place.
func count(n int) []float32 {
	series := make([]float32, n)
	for i := range series {
		series[i] = float32(i)
	}
	return series
}

func windows(t *testing.T, n, window int) *datasets.Windows {
	t.Helper()
	w, err := datasets.NewWindows(count(n), window)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWindowsRead(t *testing.T) {
	w := windows(t, 7, 3)
	if w.Len() != 4 {
		t.Fatalf("%d windows, want 4", w.Len())
	}
	b := datasets.Batch{Tokens: []int64{1}}
	for _, test := range []struct {
		examples        []int
		inputs, targets []float32
	}{
		{[]int{3, 0, 3}, []float32{3, 4, 5, 0, 1, 2, 3, 4, 5}, []float32{6, 3, 6}},
		{[]int{1}, []float32{1, 2, 3}, []float32{4}},
		{nil, nil, nil},
		{[]int{0, 1, 2, 3}, []float32{0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5}, []float32{3, 4, 5, 6}},
	} {
		if err := w.Read(&b, test.examples); err != nil {
			t.Fatal(err)
		}
		if b.Size != len(test.examples) || b.Time != 3 || len(b.Tokens) != 0 {
			t.Errorf("examples %v: size %d, %d steps, %d tokens", test.examples, b.Size, b.Time, len(b.Tokens))
		}
		if !slices.Equal(b.Inputs, test.inputs) {
			t.Errorf("examples %v: inputs %v, want %v", test.examples, b.Inputs, test.inputs)
		}
		if !slices.Equal(b.Targets, test.targets) {
			t.Errorf("examples %v: targets %v, want %v", test.examples, b.Targets, test.targets)
		}
	}
	for _, i := range []int{-1, 4, math.MaxInt, math.MinInt} {
		if err := w.Read(&b, []int{0, i}); err == nil || !strings.Contains(err.Error(), "from 0 to 3") {
			t.Errorf("example %d: error %v", i, err)
		}
	}
}

func TestWindowsReadDoesNotAllocate(t *testing.T) {
	w := windows(t, 100, 9)
	var b datasets.Batch
	var source datasets.Source = w
	examples := []int{5, 90, 0, 41}
	if err := source.Read(&b, examples); err != nil {
		t.Fatal(err)
	}
	size := 0
	if n := testing.AllocsPerRun(100, func() {
		size = size%len(examples) + 1
		if err := source.Read(&b, examples[:size]); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}

func TestNewWindowsErrors(t *testing.T) {
	for _, test := range []struct {
		n, window int
		want      string
	}{
		{50, 50, "series of 50 values is too short: a window of 50 needs more than 50"},
		{0, 1, "series of 0 values"},
		{10, math.MaxInt, "series of 10 values"},
		{10, 0, "window is 0"},
		{10, -1, "window is -1"},
	} {
		w, err := datasets.NewWindows(count(test.n), test.window)
		if err == nil || w != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d values, window %d: %v, %v", test.n, test.window, w, err)
		}
	}
	if w := windows(t, 51, 50); w.Len() != 1 {
		t.Errorf("51 values, window 50: %d windows", w.Len())
	}
}

func TestWindowsSplit(t *testing.T) {
	for _, test := range []struct {
		n, window   int
		fraction    float64
		train, test int
	}{
		{1000, 50, 0.8, 760, 190}, // the notebook's
		{1001, 50, 0.8, 760, 191},
		{4, 2, 0.5, 1, 1},
		{13, 3, 0.999, 9, 1},
	} {
		w := windows(t, test.n, test.window)
		train, rest, err := w.Split(test.fraction)
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if train.Len() != test.train || rest.Len() != test.test {
			t.Errorf("%+v: %d train, %d test", test, train.Len(), rest.Len())
		}
		if !slices.Equal(train.Series(), count(test.train+test.window)) {
			t.Errorf("%+v: training covers %v", test, train.Series())
		}
		// The parts hold the examples of the whole, in order.
		var whole, part datasets.Batch
		for i := range w.Len() {
			source, j := train, i
			if i >= test.train {
				source, j = rest, i-test.train
			}
			if err := w.Read(&whole, []int{i}); err != nil {
				t.Fatal(err)
			}
			if err := source.Read(&part, []int{j}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(whole.Inputs, part.Inputs) || !slices.Equal(whole.Targets, part.Targets) {
				t.Fatalf("%+v: example %d is %v, want %v", test, i, part, whole)
			}
		}
	}
}

func TestWindowsSplitErrors(t *testing.T) {
	for _, test := range []struct {
		n        int
		fraction float64
		want     string
	}{
		{3, 0.5, "0 of the 1 windows would train and 1 test"},
		{5, 0.1, "0 of the 3 windows would train and 3 test"},
		{5, math.Nextafter(1, 0), ""},
		{9, 0, "it must be more than 0 and less than 1"},
		{9, 1, "it must be more than 0 and less than 1"},
		{9, -0.5, "it must be more than 0 and less than 1"},
		{9, math.NaN(), "it must be more than 0 and less than 1"},
		{9, math.Inf(1), "it must be more than 0 and less than 1"},
	} {
		train, rest, err := windows(t, test.n, 2).Split(test.fraction)
		switch {
		case err != nil && (train != nil || rest != nil || test.want == "" || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%+v: %v, %v, %v", test, train, rest, err)
		case err == nil && (test.want != "" || train.Len() == 0 || rest.Len() == 0):
			t.Errorf("%+v: no error", test)
		}
	}
}

// Scaling the series in place scales the examples of both parts.
func TestWindowsShareTheSeries(t *testing.T) {
	series := count(6)
	w, err := datasets.NewWindows(series, 2)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, err := w.Split(0.5)
	if err != nil {
		t.Fatal(err)
	}
	series[5] = -1
	var b datasets.Batch
	if err := rest.Read(&b, []int{1}); err != nil {
		t.Fatal(err)
	}
	if b.Targets[0] != -1 {
		t.Errorf("target %v, want -1", b.Targets[0])
	}
}
