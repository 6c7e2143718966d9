package datasets_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rnnkit/rnnkit/datasets"
)

func ExampleText() {
	vocabulary := datasets.Vocabulary("abcabd")
	text, err := datasets.NewText("abcabd", vocabulary, 3, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b datasets.Batch
	if err := text.Read(&b, []int{0, 1}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(vocabulary, b.Tokens, b.Labels)
	// Output: [a b c d] [0 1 2 2 0 1] [1 2 0 0 1 3]
}

func TestVocabulary(t *testing.T) {
	if got := datasets.Vocabulary("öa\n☃️z𝄞a"); !slices.Equal(got, []string{"\n", "a", "z", "ö", "☃", "\ufe0f", "𝄞"}) {
		t.Errorf("%q", got)
	}
}

// TestTextWindows reads every window of a text back.
func TestTextWindows(t *testing.T) {
	const source = "Grüße aus Köln"
	runes := []rune(source)
	vocabulary := datasets.Vocabulary(source)
	for _, test := range []struct{ window, stride, want int }{
		{1, 1, 13}, {5, 1, 9}, {5, 2, 5}, {5, 4, 3}, {5, 5, 2}, {13, 1, 1}, {13, 99, 1},
	} {
		text, err := datasets.NewText(source, vocabulary, test.window, test.stride)
		if err != nil {
			t.Fatal(err)
		}
		if text.Len() != test.want {
			t.Errorf("%+v: %d windows", test, text.Len())
		}
		var b datasets.Batch
		for i := range text.Len() {
			if err := text.Read(&b, []int{i, text.Len() - 1 - i}); err != nil {
				t.Fatal(err)
			}
			if b.Size != 2 || b.Time != test.window || len(b.Tokens) != 2*test.window || len(b.Labels) != 2*test.window {
				t.Fatalf("%+v", b)
			}
			for k := range test.window {
				at := i*test.stride + k
				if vocabulary[b.Tokens[k]] != string(runes[at]) || vocabulary[b.Labels[k]] != string(runes[at+1]) {
					t.Errorf("%+v: window %d has %q then %q at %d", test, i, vocabulary[b.Tokens[k]], vocabulary[b.Labels[k]], k)
				}
			}
		}
		for _, i := range []int{-1, text.Len()} {
			if err := text.Read(&b, []int{i}); err == nil {
				t.Errorf("%+v: window %d is read", test, i)
			}
		}
	}
}

func TestTextSplit(t *testing.T) {
	source := strings.Repeat("0123456789", 10)
	text, err := datasets.NewText(source, datasets.Vocabulary(source), 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	train, test, err := text.Split(0.9)
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 22 || test.Len() != 2 {
		t.Errorf("%d windows train, %d test", train.Len(), test.Len())
	}
	var b datasets.Batch
	if err := test.Read(&b, []int{0, 1}); err != nil || !slices.Equal(b.Tokens, []int64{0, 1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("%v, %v", b.Tokens, err)
	}
	for _, fraction := range []float64{0, 1, -1, 0.04, 0.96} {
		if _, _, err := text.Split(fraction); err == nil {
			t.Errorf("split at %g", fraction)
		}
	}
	var empty datasets.Text
	if empty.Len() != 0 {
		t.Error("the zero Text has windows")
	}
}

func TestTextErrors(t *testing.T) {
	for _, test := range []struct {
		text           string
		window, stride int
		want           string
	}{
		{"abc", 3, 1, "text of 3 characters is too short: a window of 3 needs more than 3"},
		{"abc", 0, 1, "window is 0: it must be 1 or more"},
		{"abc", 1, 0, "stride is 0: it must be 1 or more"},
		{"abx", 1, 1, `character 'x' of byte 2 is not in the vocabulary of 3`},
	} {
		if _, err := datasets.NewText(test.text, []string{"a", "b", "c"}, test.window, test.stride); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: the error is %v", test, err)
		}
	}
}

func TestReadText(t *testing.T) {
	got, err := datasets.ReadText(strings.NewReader("\ufeffschön\r\n\ufffd\n"), "f")
	if err != nil || got != "schön\r\n\ufffd\n" {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                 "f: no text",
		"\ufeff":           "f: no text",
		"a\nb\xc3\nc":      "f: line 2 is not UTF-8",
		"a\nb\n\xff":       "f: line 3 is not UTF-8",
		"a\r\nb\r\n\xc3\r": "f: line 3 is not UTF-8",
	} {
		if _, err := datasets.ReadText(strings.NewReader(text), "f"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v", text, err)
		}
	}
	broken := errors.New("broken")
	if _, err := datasets.ReadText(iotest.ErrReader(broken), "f"); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}
