package datasets_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

// twoColumns has 0, 1, 2 and so on beside 100, 101, 102 and so on.
func twoColumns(t *testing.T, n int) *datasets.Series {
	t.Helper()
	second := count(n)
	for i := range second {
		second[i] += 100
	}
	s, err := datasets.NewSeries(count(n), second)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, source datasets.Source, examples ...int) datasets.Batch {
	t.Helper()
	var b datasets.Batch
	if err := source.Read(&b, examples); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWindowsOfColumns reads two columns, and several steps ahead of both or of one.
func TestWindowsOfColumns(t *testing.T) {
	for _, test := range []struct {
		targets []int
		want    []float32
	}{
		{nil, []float32{3, 103, 4, 104, 6, 106, 7, 107}},
		{[]int{1}, []float32{103, 104, 106, 107}},
		{[]int{1, 0}, []float32{103, 3, 104, 4, 106, 6, 107, 7}},
	} {
		s := twoColumns(t, 8)
		s.Targets = test.targets
		w, err := s.Windows(2, 2)
		if err != nil {
			t.Fatal(err)
		}
		b := read(t, w, 1, 4)
		if w.Len() != 5 || !slices.Equal(b.Inputs, []float32{1, 101, 2, 102, 4, 104, 5, 105}) || !slices.Equal(b.Targets, test.want) {
			t.Errorf("targets %v: %d windows, %+v", test.targets, w.Len(), b)
		}
	}
}

// TestSplitSharesNoTarget holds for steps ahead: what trains has not seen what tests.
func TestSplitSharesNoTarget(t *testing.T) {
	s := twoColumns(t, 30)
	s.Targets = []int{0}
	w, err := s.Windows(3, 4)
	if err != nil {
		t.Fatal(err)
	}
	train, test, err := w.Split(0.5)
	if err != nil {
		t.Fatal(err)
	}
	last, first := read(t, train, train.Len()-1).Targets, read(t, test, 0).Targets
	if train.Len() != 12 || last[3]+1 != first[0] || train.Len()+test.Len()+3 != w.Len() || test.Series()[0] != first[0]-3 {
		t.Errorf("%d of %d train, up to %v, and %d test, from %v", train.Len(), w.Len(), last, test.Len(), first)
	}
	if _, _, err := w.Split(0.9); err == nil || !strings.Contains(err.Error(), "21 of the 24 windows would train and 0 test") {
		t.Errorf("none to test: %v", err)
	}
}

func TestStreamsOfColumns(t *testing.T) {
	s := twoColumns(t, 9)
	s.Targets = []int{1}
	streams, err := s.Streams(2, 2)
	if err != nil {
		t.Fatal(err)
	}
	b := read(t, streams, 1)
	if !slices.Equal(b.Inputs, []float32{4, 104, 5, 105}) || !slices.Equal(b.Targets, []float32{105, 106}) {
		t.Errorf("%+v", b)
	}
}

func TestSeriesErrors(t *testing.T) {
	for want, s := range map[string]*datasets.Series{
		"Values is of length 3":          {Values: count(3), Columns: 2},
		"Columns is 0":                   {Values: count(4)},
		"Targets[0] is 2":                {Values: count(8), Columns: 2, Targets: []int{2}},
		"Targets[1] is 0":                {Values: count(8), Columns: 2, Targets: []int{0, 0}},
		"Targets is of length 0":         {Values: count(8), Columns: 2, Targets: []int{}},
		"horizon of 2 need at least 5":   {Values: count(4), Columns: 1},
		"a horizon of 2 need at least 5": {Values: nil, Columns: 1},
	} {
		if _, err := s.Windows(3, 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
	if _, err := datasets.NewSeries(count(3), count(4)); err == nil || !strings.Contains(err.Error(), "columns[1] is of length 4: it must be of length 3") {
		t.Error(err)
	}
	if _, err := datasets.NewSeries(); err == nil {
		t.Error("no column is taken")
	}
	if _, err := twoColumns(t, 9).Windows(3, 0); err == nil || !strings.Contains(err.Error(), "horizon is 0: it must be 1 or more") {
		t.Error(err)
	}
}
