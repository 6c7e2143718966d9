package datasets_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

func ExampleReadSequences() {
	moves, err := datasets.ReadSequences(strings.NewReader("1,2,3,up\n2,1,down\n5,7,up\n"), "moves.csv", "")
	fmt.Println(moves.Inputs, moves.Labels, moves.Names, err)
	fmt.Println(moves.About)
	_, err = datasets.ReadSequences(strings.NewReader("1,2,up\n2,x,down\n"), "moves.csv", "")
	fmt.Println(err)
	// Output:
	// [[1 2 3] [2 1] [5 7]] [1 0 1] [down up] <nil>
	// 3 sequences of 2 to 3 steps, the label last
	// moves.csv: line 2, column 2: "x" is not a number; write it like -12.5
}

func TestReadSequences(t *testing.T) {
	for _, test := range []struct {
		text   string
		inputs [][]float32
		labels []int64
		names  []string
	}{
		{"t1,t2,kind\n1,2,a\n3,4,b\n", [][]float32{{1, 2}, {3, 4}}, []int64{0, 1}, []string{"a", "b"}},
		{"1,2,Label\n1,2,1\n3,0\n", [][]float32{{1, 2}, {3}}, []int64{1, 0}, []string{"0", "1"}},
		{"\ufeff1;2; b \n\n 3;a\n4;c\n4;c\n5;b\n6;a\n", [][]float32{{1, 2}, {3}, {4}, {4}, {5}, {6}}, []int64{1, 0, 2, 2, 1, 0}, []string{"a", "b", "c"}},
	} {
		s, err := datasets.ReadSequences(strings.NewReader(test.text), "f", "")
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if !reflect.DeepEqual(s.Inputs, test.inputs) || !slices.Equal(s.Labels, test.labels) || !slices.Equal(s.Names, test.names) || s.Features != 1 {
			t.Errorf("%q: %v, %v, %v", test.text, s.Inputs, s.Labels, s.Names)
		}
	}
	for text, want := range map[string]string{
		"":                          "f: no sequences",
		"a,b\n":                     "f: no sequences",
		",2,3,up\n1,2,down\n":       `f: line 1, column 1: "" is a missing value`,
		"x,2,up\n1,2,down\n":        `f: line 1, column 1: "x" is not a number`,
		"?,up\n1,down\n":            `f: line 1, column 1: "?" is a missing value`,
		"1,2,a\n3,4,\n":             "f: line 2, column 3: \"\" is a missing label",
		"1,2,a\nb\n":                "f: line 2: a label and no values",
		"1,2,a\n\n3,nan,b\n":        `f: line 3, column 2: "nan" is a missing value`,
		"1,2,a\n3,1e39,b\n":         `f: line 2, column 2: "1e39" is too large`,
		"1,2,a\n3,4,a\n":            `f: all labels are "a"`,
		"1,2.5\n3,4.5\n5,1\n6,1\n":  "f: 3 different labels on 4 lines",
		"1,\"2,a\n3,4,b\n":          "f: line",
		"1,2,a\n3,\x004,b\n":        "f: line 2: a NUL byte",
		strings.Repeat("1,", 1<<20): "f: line 1: longer than",
	} {
		if _, err := datasets.ReadSequences(strings.NewReader(text), "f", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: the error is %v, not %q", text, err, want)
		}
	}
}

// TestSequencesPad reads batches of sequences of different lengths and of the
// same.
func TestSequencesPad(t *testing.T) {
	numbers := &datasets.Sequences{Features: 2, Inputs: [][]float32{{1, 2}, {3, 4, 5, 6}, {7, 8}}, Labels: []int64{2, 0, 1}}
	tokens := &datasets.Sequences{Tokens: [][]int64{{4}, {5, 6, 7}, {8}}, Labels: []int64{1, 0, 1}, AsTargets: true}
	for _, test := range []struct {
		source   *datasets.Sequences
		examples []int
		want     datasets.Batch
	}{
		{numbers, []int{2, 1}, datasets.Batch{Size: 2, Time: 2, Lengths: []int{1, 2}, Inputs: []float32{7, 8, 0, 0, 3, 4, 5, 6}, Labels: []int64{1, 0}}},
		{numbers, []int{0, 2}, datasets.Batch{Size: 2, Time: 1, Inputs: []float32{1, 2, 7, 8}, Labels: []int64{2, 1}}},
		{tokens, []int{0, 1, 2}, datasets.Batch{Size: 3, Time: 3, Lengths: []int{1, 3, 1}, Tokens: []int64{4, 0, 0, 5, 6, 7, 8, 0, 0}, Targets: []float32{1, 0, 1}}},
		{tokens.Range(1, 3), []int{0}, datasets.Batch{Size: 1, Time: 3, Tokens: []int64{5, 6, 7}, Targets: []float32{0}}},
	} {
		b := datasets.Batch{Lengths: []int{9}, Inputs: []float32{9}, Tokens: []int64{9}, Targets: []float32{9}, Labels: []int64{9}, H0: []float32{9}}
		if err := test.source.Read(&b, test.examples); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(b) != fmt.Sprint(test.want) {
			t.Errorf("examples %v: %v, not %v", test.examples, b, test.want)
		}
	}
	var b datasets.Batch
	for _, i := range []int{-1, 3} {
		if err := numbers.Read(&b, []int{i}); err == nil {
			t.Errorf("example %d is read", i)
		}
	}
}

// TestSequencesSplit finds every sequence once, with its label.
func TestSequencesSplit(t *testing.T) {
	for _, s := range []*datasets.Sequences{datasets.Echo(101, 3, 1), datasets.Palindromes(101, 5, 1)} {
		for i := range s.Labels {
			s.Labels[i] = int64(i)
		}
		train, test, err := s.Split(0.8, 7)
		if err != nil {
			t.Fatal(err)
		}
		if train.Len() != 80 || test.Len() != 21 {
			t.Errorf("%d train, %d test", train.Len(), test.Len())
		}
		var seen []int64
		for _, part := range []*datasets.Sequences{train, test} {
			for i, label := range part.Labels {
				seen = append(seen, label)
				if s.Tokens != nil && !slices.Equal(part.Tokens[i], s.Tokens[label]) || s.Tokens == nil && !slices.Equal(part.Inputs[i], s.Inputs[label]) {
					t.Errorf("sequence %d has another's label", label)
				}
			}
		}
		if slices.IsSorted(seen) {
			t.Error("the order is not drawn")
		}
		again, _, _ := s.Split(0.8, 7)
		other, _, _ := s.Split(0.8, 8)
		if !slices.Equal(again.Labels, train.Labels) || slices.Equal(other.Labels, train.Labels) {
			t.Error("the order does not follow the seed")
		}
		if slices.Sort(seen); seen[0] != 0 || seen[100] != 100 || len(slices.Compact(seen)) != 101 {
			t.Errorf("%v", seen)
		}
	}
	for _, fraction := range []float64{0, 1, 0.4} {
		if _, _, err := datasets.Echo(2, 3, 1).Split(fraction, 0); err == nil {
			t.Errorf("split at %g", fraction)
		}
	}
}

func TestSequencesThatDoNotGoTogether(t *testing.T) {
	for want, s := range map[string]datasets.Sequences{
		"steps of 0 values":                    {Inputs: [][]float32{{1, 2}, {3}}, Labels: []int64{0, 1}},
		"1 sequences of numbers and 2 labels":  {Inputs: [][]float32{{1, 2}}, Labels: []int64{0, 1}, Features: 1},
		"1 sequences of tokens and 2 labels":   {Tokens: [][]int64{{1, 2}}, Labels: []int64{0, 1}},
		"0 sequences of numbers and 2 labels:": {Labels: []int64{0, 1}, Features: 1},
	} {
		var b datasets.Batch
		_, _, split := s.Split(0.5, 1)
		for _, err := range []error{s.Read(&b, []int{0, 1}), split} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v, not %q", err, want)
			}
		}
	}
}
