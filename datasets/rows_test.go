package datasets_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

var (
	numbers    = datasets.RowFormat{Features: 1, Labels: []string{"0", "1"}}
	unlabelled = datasets.RowFormat{Features: 1}
	halves     = datasets.RowFormat{Features: 2, Labels: []string{"0", "1"}}
	pairs      = datasets.RowFormat{Features: 2, Labels: []string{"no", "yes"}}
	digits     = datasets.RowFormat{Tokens: 10, Labels: []string{"no", "yes"}}
	bits       = datasets.RowFormat{Tokens: 2, Labels: []string{"0", "1"}}
	bases      = datasets.RowFormat{Tokens: 4, Vocabulary: []string{"A", "C", "G", "T"}, Labels: []string{"coding", "other"}}
)

func TestReadRows(t *testing.T) {
	for _, test := range []struct {
		format datasets.RowFormat
		text   string
		want   string // inputs, tokens, labels
	}{
		{numbers, "1,2,3\n4\n5,6\n", "[[1 2 3] [4] [5 6]] [] []"},
		{numbers, "\ufeffa,b\n1,2\n\n3,4", "[[1 2] [3 4]] [] []"},
		{numbers, "x1,x2,label\n1.5,2,1\n3,0\n", "[[1.5 2] [3]] [] [1 0]"},
		{numbers, "0,1,Label\n1,2,1\n", "[[1 2]] [] [1]"},
		{numbers, "2,0,1\n2,0,2\n", "[[2 0 1] [2 0 2]] [] []"}, // 1 is a label, 2 is none
		{numbers, "1,1\n1\n", "[[1 1] [1]] [] []"},             // a label alone would be no line
		{unlabelled, "1,1\n", "[[1 1]] [] []"},
		{unlabelled, "x,label\n1,1\n", "[[1 1]] [] []"},
		{halves, "2,0,1,1\n", "[[2 0 1 1]] [] []"}, // after a label there would be 5
		{pairs, "1;2;3;4; yes \n5;6;no", "[[1 2 3 4] [5 6]] [] [1 0]"},
		{pairs, "1\t2\n", "[[1 2]] [] []"},
		{digits, "d1,d2\n9, 0 \n1,2,3\n", "[] [[9 0] [1 2 3]] []"},
		{digits, "9,0,yes\n1,no\n", "[] [[9 0] [1]] [1 0]"},
		{bases, "A,C,G\nT\n", "[] [[0 1 2] [3]] []"},
		{bases, "T,\"A\",coding\nC,other\n", "[] [[3 0] [1]] [0 1]"},
		{bases, "first,second,label\nT,A,coding\n", "[] [[3 0]] [0]"},
	} {
		s, err := datasets.ReadRows(strings.NewReader(test.text), "f.csv", test.format)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if got := fmt.Sprint(s.Inputs, s.Tokens, s.Labels); got != test.want {
			t.Errorf("%q: %s, not %s", test.text, got, test.want)
		}
	}
}

func TestReadRowsErrors(t *testing.T) {
	for _, test := range []struct {
		format datasets.RowFormat
		text   string
		want   string
	}{
		{numbers, "", "f.csv: no sequences"},
		{numbers, "a,b\n", "f.csv: no sequences"},
		{numbers, "1,2\n3,x\n", `f.csv: line 2, column 2: "x" is not a number`},
		{numbers, "1,x,2\n", `line 1, column 2: "x" is not a number`},
		{numbers, ",1\n", `line 1, column 1: "" is a missing value`},
		{numbers, "1,2\nNaN,1\n", `line 2, column 1: "NaN" is a missing value`},
		{numbers, "NaN,1\n", `line 1, column 1: "NaN" is a missing value`},
		{numbers, "2,0,1\n2,0,0\n", `f.csv: every line ends in one of the model's labels`},
		{numbers, "a,b,kind\n2,0,1\n", `f.csv: every line ends in one of the model's labels`},
		{bits, "1,0,1\n", `f.csv: every line ends in one of the model's labels`},
		{numbers, "1,1e39\n", "too large for float32"},
		{numbers, "a,label\n1,0\n1,2\n", `line 3, column 2: "2" is none of the labels that the model knows: ["0" "1"]`},
		{numbers, "a,label\n1\n", "line 2: a label and no values"},
		{pairs, "1,2\n1,2,3\n", "f.csv: line 2: 3 values, and the model reads 2 a step"},
		{
			pairs, "1,2,maybe\n",
			`line 1, column 3: "maybe" is not a number; write it like -12.5, or end each line in one of the labels ["no" "yes"]`,
		},
		{pairs, "1,maybe,no\n", `line 1, column 2: "maybe" is not a number; write it like -12.5`},
		{digits, "1,10\n", `line 1, column 2: "10" is none of the model's 10 tokens`},
		{digits, "10,1\n", `line 1, column 1: "10" is none`},
		{digits, "1,-1\n", `column 2: "-1" is none`},
		{digits, "1,1.5\n", `column 2: "1.5" is none`},
		{bases, "A,N\n", `line 1, column 2: "N" is none of the model's 4 tokens`},
		{bases, "N,A\n", `line 1, column 1: "N" is none`},
		{numbers, "1,\"2\n", "f.csv: line 1, column 2: a quote"},
		{numbers, "1\x00\n", "f.csv: line 1: a NUL byte"},
		{numbers, strings.Repeat("1,", 1<<19) + "1\n", "f.csv: line 1: longer than"},
	} {
		_, err := datasets.ReadRows(strings.NewReader(test.text), "f.csv", test.format)
		if csvErr := (*datasets.CSVError)(nil); !errors.As(err, &csvErr) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.20q: %v, not %q", test.text, err, test.want)
		}
	}
}

func FuzzReadRows(f *testing.F) {
	f.Add("x1,x2,label\n1.5,2,1\n3,0\n")
	f.Add("A,C,coding\nT,other\n")
	f.Add("9,0\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []datasets.RowFormat{numbers, pairs, digits, bases} {
			s, err := datasets.ReadRows(strings.NewReader(text), "f.csv", format)
			if err != nil {
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("the error has lines: %q", err)
				}
				continue
			}
			n := len(s.Inputs) + len(s.Tokens)
			if n == 0 || s.Labels != nil && len(s.Labels) != n {
				t.Errorf("%d sequences and %d labels", n, len(s.Labels))
			}
		}
	})
}

// TestReadRowsLike: sequences to be classified are read as those that trained.
func TestReadRowsLike(t *testing.T) {
	pairs := datasets.RowFormat{Features: 1, Labels: []string{"down", "up"}}
	numbers := datasets.RowFormat{Features: 1, Labels: []string{"1", "2"}, Longest: 2}
	byNumber := datasets.RowFormat{Features: 1, Labels: []string{"1", "2"}, Label: "1"}
	letters := datasets.RowFormat{Tokens: 4, Vocabulary: []string{" ", "a", ",", "\n"}, Labels: []string{"x", "y"}}
	for _, test := range []struct {
		format datasets.RowFormat
		text   string
		want   string // inputs, tokens, labels, notes
	}{
		{pairs, "class,a,b\nup,1,2\n", "[[1 2]] [] [1] []"},
		{pairs, "up,1,2\ndown,2,1\n", "[[1 2] [2 1]] [] [1 0] []"},
		{pairs, ",a,b\n17,1,2\n", "[[1 2]] [] [] []"},
		{pairs, "id,a,b\nx,1,2\n", "[[1 2]] [] [] []"},
		{pairs, "a;b\n1,5;2\n", "[[1.5 2]] [] [] []"},
		{numbers, "target,a,b\n2.0,1,2\n1,2,1\n", "[[1 2] [2 1]] [] [1 0] []"},
		{numbers, "5,6,7\n", "[[5 6 7]] [] [] [the model was trained on sequences of up to 2 steps, and reads one of 3]"},
		{byNumber, "1,5,6\n2,7,8\n", "[[5 6] [7 8]] [] [0 1] []"},
		{digits, ",d1,d2\n0,9,8\n1,7,6\n", "[] [[9 8] [7 6]] [] []"},
		{letters, "a, ,a\n \n\" \"\n\",\"\n\"\n\"\n", "[] [[1 0 1] [0] [0] [2] [3]] [] []"},
		{letters, "a, ,x\n \n,y\n"[:6] + " ,y\n", "[] [[1 0] [0]] [0 1] []"},
	} {
		rows, err := datasets.ReadRows(strings.NewReader(test.text), "f", test.format)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if got := fmt.Sprint(rows.Inputs, rows.Tokens, rows.Labels, rows.Notes); got != test.want {
			t.Errorf("%q: %s, not %s", test.text, got, test.want)
		}
	}
	if _, err := datasets.ReadRows(strings.NewReader("0,1,2,3\n5,1,3,3\n9,4,2,3\n"), "f", digits); err == nil || !strings.Contains(err.Error(), "f: line 1: this line may hold names or values") {
		t.Errorf("names that may be tokens: %v", err)
	}
	first := "1,0.5,3\n2,0.25,4\n2,0.5,3\n"
	_, err := datasets.ReadRows(strings.NewReader(first), "f", numbers)
	if !errors.Is(err, datasets.ErrLabelOrValue) || !strings.Contains(err.Error(), "every line begins with one of the model's labels") {
		t.Errorf("labels that may be values: %v", err)
	}
}

func FuzzReadSequences(f *testing.F) {
	f.Add("1,2,3,up\n2,1,down\n", "")
	f.Add(",a,label\n0,1,x\n1,2,y\n", "")
	f.Add("class;a\n1;1,5\n2;2,5\n", "1")
	f.Add("\xff\xfea\x00,\x00\n\x00", "label")
	f.Fuzz(func(t *testing.T, text, label string) {
		rows, err := datasets.ReadSequences(strings.NewReader(text), "f", label)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has lines: %q", err)
			}
			return
		}
		if rows.Len() == 0 || len(rows.Inputs) != rows.Len() || len(rows.Names) < 2 || strings.Contains(rows.About, "\n") {
			t.Errorf("%d sequences, %d labels, %q", len(rows.Inputs), rows.Len(), rows.About)
		}
	})
}
