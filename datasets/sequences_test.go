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
		{
			"\ufeff1;2; b \n\n 3;a\n4;c\n4;c\n5;b\n6;a\n", [][]float32{{1, 2}, {3}, {4}, {4}, {5}, {6}},
			[]int64{1, 0, 2, 2, 1, 0}, []string{"a", "b", "c"},
		},
	} {
		s, err := datasets.ReadSequences(strings.NewReader(test.text), "f", "")
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if !reflect.DeepEqual(s.Inputs, test.inputs) || s.Features != 1 {
			t.Errorf("%q: the inputs are %v, with %d features", test.text, s.Inputs, s.Features)
		}
		if !slices.Equal(s.Labels, test.labels) || !slices.Equal(s.Names, test.names) {
			t.Errorf("%q: the labels are %v of %q", test.text, s.Labels, s.Names)
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
		{
			numbers, []int{2, 1},
			datasets.Batch{Size: 2, Time: 2, Lengths: []int{1, 2}, Inputs: []float32{7, 8, 0, 0, 3, 4, 5, 6}, Labels: []int64{1, 0}},
		},
		{numbers, []int{0, 2}, datasets.Batch{Size: 2, Time: 1, Inputs: []float32{1, 2, 7, 8}, Labels: []int64{2, 1}}},
		{
			tokens, []int{0, 1, 2},
			datasets.Batch{Size: 3, Time: 3, Lengths: []int{1, 3, 1}, Tokens: []int64{4, 0, 0, 5, 6, 7, 8, 0, 0}, Targets: []float32{1, 0, 1}},
		},
		{tokens.Range(1, 3), []int{0}, datasets.Batch{Size: 1, Time: 3, Tokens: []int64{5, 6, 7}, Targets: []float32{0}}},
	} {
		b := datasets.Batch{
			Lengths: []int{9}, Inputs: []float32{9}, Tokens: []int64{9}, Targets: []float32{9}, Labels: []int64{9},
			H0: []float32{9},
		}
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
				same := s.Tokens != nil && slices.Equal(part.Tokens[i], s.Tokens[label]) || s.Tokens == nil && slices.Equal(part.Inputs[i], s.Inputs[label])
				if !same {
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
		"Features is 0":         {Inputs: [][]float32{{1, 2}, {3}}, Labels: []int64{0, 1}},
		"Inputs is of length 1": {Inputs: [][]float32{{1, 2}}, Labels: []int64{0, 1}, Features: 1},
		"Tokens is of length 1": {Tokens: [][]int64{{1, 2}}, Labels: []int64{0, 1}},
		"Inputs is of length 0": {Labels: []int64{0, 1}, Features: 1},
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

// TestReadSequencesLabels finds the labels, and leaves out what is beside the
// sequences.
func TestReadSequencesLabels(t *testing.T) {
	for about, test := range map[string]struct{ label, text, inputs, names, says string }{
		"first, by name":    {"", "class,a,b\nup,1,2\ndown,2,1\n", "[[1 2] [2 1]] [1 0]", "[down up]", `the label in column 1 "class"`},
		"between":           {"", "a,label,b\n1,x,2\n2,y,1\n", "[[1 2] [2 1]] [0 1]", "[x y]", `the label in column 2 "label"`},
		"y first":           {"", "y,a,b\n1,1,2\n0,2,1\n", "[[1 2] [2 1]] [1 0]", "[0 1]", `the label in column 1 "y"`},
		"y is a coordinate": {"", "x,y,z,kind\n1,1,2,u\n2,2,1,v\n", "[[1 1 2] [2 2 1]] [0 1]", "[u v]", "the label last"},
		"first text":        {"", "up,1.5,2\ndown,2.5,1\n", "[[1.5 2] [2.5 1]] [1 0]", "[down up]", "the label in column 1"},
		"by number":         {"2", "1,1,2.5\n2,0,1.5\n3,1,4.5\n", "[[1 2.5] [2 1.5] [3 4.5]] [1 0 1]", "[0 1]", "the label in column 2"},
		"by any name":       {"outcome", "outcome,a,b\n1,1,2\n0,2,1\n", "[[1 2] [2 1]] [1 0]", "[0 1]", `the label in column 1 "outcome"`},
		"by number, ragged": {
			"1", "1,1.5,2.5\n2,0.5\n1,1,1,4.5\n", "[[1.5 2.5] [0.5] [1 1 4.5]] [0 1 0]", "[1 2]",
			"3 sequences of 1 to 3 steps, the label in column 1",
		},
		"numbers for names": {"", "0,1,2,target\n0.5,2,1,u\n1.5,1,1,v\n", "[[0.5 2 1] [1.5 1 1]] [0 1]", "[u v]", `the label last ("target")`},
		"index of pandas": {
			"", ",0,1,2\n0,0.5,2,u\n1,1.5,1,v\n", "[[0.5 2] [1.5 1]] [0 1]", "[u v]",
			"column 1 names, counts or dates the lines and is not read",
		},
		"index out of order": {"", ",a,label\n7,0.5,u\n3,1.5,v\n", "[[0.5] [1.5]] [0 1]", "[u v]", "column 1 names"},
		"ids":                {"", "ID,a,label\nk7,0.5,u\nk3,1.5,v\n", "[[0.5] [1.5]] [0 1]", "[u v]", `column 1 "ID" names`},
		"subjects":           {"", "subject,a,label\n1,0.5,u\n1,1.5,v\n", "[[0.5] [1.5]] [0 1]", "[u v]", `column 1 "subject" names`},
		"dates":              {"", "day,a,label\n20240103,0.5,u\n20240101,1.5,v\n", "[[0.5] [1.5]] [0 1]", "[u v]", `column 1 "day" names`},
		"decimal comma":      {"", "a;b;label\n1,5;2;u\n0,25;1,125;v\n", "[[1.5 2] [0.25 1.125]] [0 1]", "[u v]", "2 sequences of 2 steps"},
		"separators at ends": {"", "1,2,u,\n2,1,v,\n", "[[1 2] [2 1]] [0 1]", "[u v]", "the label last"},
		"\\r alone":          {"", "a,label\r1,u\r2,v\r", "[[1] [2]] [0 1]", "[u v]", "2 sequences of 1 step,"},
		"sep=":               {"", "sep=|\na|label\n1|u\n2|v\n", "[[1] [2]] [0 1]", "[u v]", "2 sequences"},
		"points and dashes":  {"", "1,.\n2,-\n", "[[1] [2]] [1 0]", "[- .]", "2 sequences"},
		"several of a subject": {
			"", "subject,a,label\n1,1,u\n1,2,v\n1,4,v\n2,1,u\n", "[[1] [2] [4] [1]] [0 1 1 0]", "[u v]",
			`column 1 "subject" names`,
		},
		"plus and minus":  {"", "1,+\n2,-\n", "[[1] [2]] [0 1]", "[+ -]", "2 sequences"},
		"a class of none": {"", "1,none\n2,some\n", "[[1] [2]] [0 1]", "[none some]", "2 sequences"},
		"sequences from 0 on": {
			"", "0,1,2,u\n1,2,3,v\n2,3,4,u\n3,4,5,v\n4,5,6,u\n", "[[0 1 2] [1 2 3] [2 3 4] [3 4 5] [4 5 6]] [0 1 0 1 0]",
			"[u v]", "5 sequences of 3 steps",
		},
		"equal as numbers": {
			"", "1,0\n2,0.0\n3,1\n4,1\n5,0\n6,0.0\n", "[[1] [2] [3] [4] [5] [6]] [0 1 2 2 0 1]", "[0 0.0 1]",
			`the labels "0" and "0.0" are equal as numbers, and are classes of their own`,
		},
		"equal but for spaces": {
			"", "1,a b\n2,A  b\n", "[[1] [2]] [1 0]", "[A  b a b]",
			`the labels "A  b" and "a b" are equal but for case and spaces`,
		},
	} {
		rows, err := datasets.ReadSequences(strings.NewReader(test.text), "f", test.label)
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		if got := fmt.Sprint(rows.Inputs, rows.Labels); got != test.inputs || fmt.Sprint(rows.Names) != test.names {
			t.Errorf("%s: %s %v, not %s %s", about, got, rows.Names, test.inputs, test.names)
		}
		if said := rows.About + " " + strings.Join(rows.Notes, " "); !strings.Contains(said, test.says) {
			t.Errorf("%s: %q, not %q", about, said, test.says)
		}
	}
	for about, test := range map[string]struct{ label, text, want string }{
		"UCR": {
			"", "1\t0.5\t2.5\n2\t1.5\t1.5\n1\t2\t3.5\n1\t2\t3\n",
			"the first column has 2 different whole numbers, and the last has other numbers: more than one column may hold the labels",
		},
		"two labels":       {"", "label,a,class\nu,1,v\nv,2,u\n", `2 columns are called like labels, such as "label" and "class"`},
		"no such label":    {"kind", "a,label\n1,u\n2,v\n", `no column "kind"; choose one by name or number: 1 "a", 2 "label"`},
		"no such number":   {"3", "a,label\n1,u\n2,v\n", `no column "3"`},
		"a line too short": {"2", "1,u,2\n1\n2,v,3\n", "line 2: 1 fields, and the label is number 2"},
		"index, no names":  {"", "0,0.5,u\n1,1.5,v\n2,0.5,u\n3,0.25,v\n4,0.125,u\n", "line 1, column 1: the column counts the lines"},
		"dates, no names": {
			"", "20240101,0.5,u\n20240102,1.5,v\n20240103,0.5,u\n20240104,0.25,v\n20240105,0.125,u\n",
			"line 1, column 1: the column tells the time",
		},
		"units":            {"", "1 kg,2 kg,u\n2 kg,1 kg,v\n", `line 1, column 1: "1 kg" is a number with a unit`},
		"thousands or not": {"", "\"1,234\",5,u\n2,1,v\n", `line 1, column 1: "1,234" may be a decimal comma or thousands`},
		"missing NaN":      {"", "a,label\n1,u\n2,NaN\n", `line 3, column 2: "NaN" is a missing label`},
		"missing ?, first": {"1", "u,1\n?,2\nv,3\n", `line 2, column 1: "?" is a missing label`},
		"missing minus":    {"", "1,u\n2,-\n", `line 2, column 2: "-" is a missing label`},
		"missing point":    {"", "1,u\n2,.\n3,v\n", `line 2, column 2: "." is a missing label`},
		"missing #NV":      {"", "1,u\n2,#NV\n3,v\n", `line 2, column 2: "#NV" is a missing label`},
		"missing na":       {"", "a,label\n1,u\n2,na\n3,v\n", `line 3, column 2: "na" is a missing label`},
		"points":           {"", "a;b;label\n1.234;2.345;u\n1.456;2.567;v\n", `line 2, column 1: "1.234" may be a decimal point or thousands`},
		"long form": {
			"", "id,time,value,label\n7,0,5,u\n7,1,6,u\n7,2,9,u\n8,0,2,v\n8,1,1,v\n",
			`line 2, column 1: column 1 "id" is the same on several lines, which column 2 "time" counts`,
		},
		"missing None": {"", "1,u\n2,None\n", `line 2, column 2: "None" is a missing label`},
		"values for labels": {
			"", "a,b\n1,0.5\n2,0.25\n3,1.5\n",
			"3 different labels on 3 lines, such as \"0.25\", which are too many: more than one column may hold the labels",
		},
		"numbers, and then 1": {"", "0,1,2,3\n1,6,3,7\n4,2,4,3\n1,2,4,7\n", "line 1: this line may hold names or values"},
		"numbers, no header":  {"", "0,1,2,3\n5,6,3,7\n4,2,4,3\n", "line 1: this line may hold names or values"},
	} {
		if _, err := datasets.ReadSequences(strings.NewReader(test.text), "f", test.label); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, not %q", about, err, test.want)
		}
	}
}

// TestSplitKeepsCopies: equal sequences come into one part, and nothing else
// changes with them.
func TestSplitKeepsCopies(t *testing.T) {
	s := &datasets.Sequences{Features: 1}
	for i := range 60 {
		for range 1 + i%4 {
			s.Inputs, s.Labels = append(s.Inputs, []float32{float32(i), 2}), append(s.Labels, int64(i%2))
		}
	}
	for seed := range uint64(5) {
		train, test, err := s.Split(0.8, seed)
		if err != nil {
			t.Fatal(err)
		}
		if n := test.Shared(train); n != 0 {
			t.Errorf("%d sequences of the test are equal to one that trains", n)
		}
		if n, want := train.Len(), s.Len()*8/10; n < want || n > want+3 || n+test.Len() != s.Len() {
			t.Errorf("of %d sequences %d train and %d test", s.Len(), n, test.Len())
		}
	}
	if s.Copies() != s.Len()-60 {
		t.Errorf("%d copies", s.Copies())
	}
	// Of two sequences each would be a part, without one of the classes.
	halves := &datasets.Sequences{Tokens: [][]int64{{1}, {2}, {1}, {2}, {1}, {2}, {1}, {2}}, Labels: []int64{0, 1, 0, 1, 0, 1, 0, 1}}
	if train, _, err := halves.Split(0.5, 1); err != nil || train.Len() != 4 || slices.Max(train.Labels) == slices.Min(train.Labels) {
		t.Errorf("%v train: %v", train.Labels, err)
	}
	two := &datasets.Sequences{Tokens: [][]int64{{1, 2}, {2, 1}, {1, 2}, {2, 1}, {1, 2}}, Labels: []int64{0, 1, 0, 1, 0}}
	train, test, err := two.Split(0.8, 1)
	if err != nil || train.Len() != 4 || test.Shared(train) != 1 {
		t.Errorf("%d train, %d test: %v", train.Len(), test.Len(), err)
	}
}
