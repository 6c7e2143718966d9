package datasets_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

func ExampleStreams() {
	series := []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	streams, err := datasets.NewStreams(series, 2, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b datasets.Batch
	for i := 0; i < streams.Len(); i += 2 {
		if err := streams.Read(&b, []int{i, i + 1}); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(b.Inputs, b.Targets)
	}
	// Output:
	// [0 1 5 6] [1 2 6 7]
	// [2 3 7 8] [3 4 8 9]
}

func TestStreams(t *testing.T) {
	series := make([]float32, 101)
	for i := range series {
		series[i] = float32(i)
	}
	for _, size := range []struct{ streams, time int }{{1, 1}, {1, 100}, {3, 4}, {7, 14}, {100, 1}} {
		s, err := datasets.NewStreams(series, size.streams, size.time)
		if err != nil {
			t.Fatal(err)
		}
		ends := map[int]float32{} // the last target of each stream
		var b datasets.Batch
		for i := range s.Len() {
			if err := s.Read(&b, []int{i}); err != nil {
				t.Fatal(err)
			}
			if len(b.Inputs) != size.time || len(b.Targets) != size.time || b.Size != 1 || b.Time != size.time {
				t.Fatalf("%+v: example %d is %+v", size, i, b)
			}
			for k := range b.Inputs {
				if b.Targets[k] != b.Inputs[k]+1 || k > 0 && b.Inputs[k] != b.Inputs[k-1]+1 {
					t.Errorf("%+v: example %d is %+v", size, i, b)
				}
			}
			if end, ok := ends[i%size.streams]; ok && b.Inputs[0] != end {
				t.Errorf("%+v: example %d begins at %g, not where the stream stood, at %g", size, i, b.Inputs[0], end)
			}
			ends[i%size.streams] = b.Targets[size.time-1]
		}
		if left := 100 - s.Len()*size.time; left < 0 || left >= size.streams*size.time+size.streams {
			t.Errorf("%+v: %d steps are left over", size, left)
		}
		if len(ends) != size.streams {
			t.Errorf("%+v: %d streams", size, len(ends))
		}
	}
	for want, make := range map[string]func() (*datasets.Streams, error){
		"streams is 0":         func() (*datasets.Streams, error) { return datasets.NewStreams(series, 0, 1) },
		"time is -1":           func() (*datasets.Streams, error) { return datasets.NewStreams(series, 1, -1) },
		"series of 101 values": func() (*datasets.Streams, error) { return datasets.NewStreams(series, 10, 11) },
		"series of 0 values":   func() (*datasets.Streams, error) { return datasets.NewStreams(nil, 1, 1) },
	} {
		if _, err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not %q", err, want)
		}
	}
	s, _ := datasets.NewStreams(series, 2, 3)
	b := datasets.Batch{Lengths: []int{1}, Labels: []int64{1}, H0: []float32{1}}
	if err := s.Read(&b, []int{1}); err != nil || len(b.Lengths)+len(b.Labels)+len(b.H0) != 0 || slices.Equal(b.Inputs, b.Targets) {
		t.Errorf("a batch used before: %+v, %v", b, err)
	}
	if err := s.Read(&b, []int{s.Len()}); err == nil {
		t.Error("an example beyond the end")
	}
}
