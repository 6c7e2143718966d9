package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Rhyme returns the notebook's text, four lines with their ends: 113
// characters, 30 different ones.
func Rhyme() string {
	return `Twinkle, twinkle, little star,
How I wonder what you are!
Up above the world so high,
Like a diamond in the sky.
`
}

// ReadText reads a text in UTF-8, without the byte order mark that it may begin
// with. The file is what errors call it. A text that is empty or not UTF-8 is
// an error.
func ReadText(r io.Reader, file string) (string, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if len(data) == 0 {
		return "", fmt.Errorf("%s: no text; give it some characters to learn from", file)
	}
	for line, rest := 1, data; len(rest) > 0; line++ {
		text, after, _ := bytes.Cut(rest, []byte("\n"))
		if !utf8.Valid(text) {
			return "", fmt.Errorf("%s: line %d is not UTF-8; save the file in that encoding", file, line)
		}
		rest = after
	}
	return string(data), nil
}

// Vocabulary returns the different characters of text, in the order of their
// code points.
func Vocabulary(text string) []string {
	runes := []rune(text)
	slices.Sort(runes)
	return strings.Split(string(slices.Compact(runes)), "")
}

// Text is the [Source] of a generator over one text: the tokens of example i
// are a window that begins at i times the stride, and the labels are the same
// window one character on, so that the model answers at every step.
type Text struct {
	tokens         []int64
	window, stride int
}

// NewText returns windows over text, in tokens that are places in vocabulary.
// With a stride of the window's length every character is learned once an
// epoch. It is an error if the text is not longer than the window, or has a
// character that is not in the vocabulary.
func NewText(text string, vocabulary []string, window, stride int) (*Text, error) {
	if window < 1 || stride < 1 {
		return nil, fmt.Errorf("windows of %d characters every %d: use at least 1", window, stride)
	}
	places := make(map[string]int64, len(vocabulary))
	for i, s := range vocabulary {
		places[s] = int64(i)
	}
	t := &Text{window: window, stride: stride}
	for at, r := range text {
		token, ok := places[string(r)]
		if !ok {
			return nil, fmt.Errorf("character %q of byte %d is not in the vocabulary of %d: use a text that has only those", r, at, len(vocabulary))
		}
		t.tokens = append(t.tokens, token)
	}
	if len(t.tokens) <= window {
		return nil, t.short(errors.New("use a longer text or a shorter window"))
	}
	return t, nil
}

func (t *Text) short(advice error) error {
	return fmt.Errorf("text of %d characters: a window of %d needs more than %d: %w", len(t.tokens), t.window, t.window, advice)
}

// Split divides the text at the given fraction of its characters: what comes
// before trains and the rest tests. It is an error if either is not longer than
// a window.
func (t *Text) Split(fraction float64) (train, test *Text, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("split at %v: use a fraction between 0 and 1, such as 0.9", fraction)
	}
	n := int(fraction * float64(len(t.tokens)))
	train, test = &Text{t.tokens[:n], t.window, t.stride}, &Text{t.tokens[n:], t.window, t.stride}
	for _, part := range []*Text{train, test} {
		if len(part.tokens) <= t.window {
			return nil, nil, part.short(fmt.Errorf("use a longer text or a shorter window, so that %g of it is enough", min(fraction, 1-fraction)))
		}
	}
	return train, test, nil
}

// Len returns the number of windows that have a character after them.
func (t *Text) Len() int {
	if len(t.tokens) <= t.window {
		return 0 // the zero Text
	}
	return (len(t.tokens)-t.window-1)/t.stride + 1
}

// Read implements [Source].
func (t *Text) Read(b *Batch, examples []int) error {
	*b = Batch{Size: len(examples), Time: t.window, Tokens: b.Tokens[:0], Labels: b.Labels[:0]}
	for _, i := range examples {
		if i < 0 || i >= t.Len() {
			return fmt.Errorf("example %d: use one from 0 to %d", i, t.Len()-1)
		}
		window := t.tokens[i*t.stride:][:t.window+1]
		b.Tokens = append(b.Tokens, window[:t.window]...)
		b.Labels = append(b.Labels, window[1:]...)
	}
	return nil
}
