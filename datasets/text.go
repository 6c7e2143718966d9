package datasets

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rnnkit/rnnkit/models"
)

// Rhyme returns a nursery rhyme of four lines: 113 characters, 30 different ones.
func Rhyme() string {
	return `Twinkle, twinkle, little star,
How I wonder what you are!
Up above the world so high,
Like a diamond in the sky.
`
}

// ReadText reads a text in UTF-8 without its byte order mark. Errors name the file as
// given. An empty text, or one that is not UTF-8, is an error.
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

// Vocabulary returns the different characters of text in the order of their code
// points.
func Vocabulary(text string) []string {
	runes := []rune(text)
	slices.Sort(runes)
	return strings.Split(string(slices.Compact(runes)), "")
}

// Text is the [Source] of a generator over one text. The tokens of example i are the
// window that begins at i times the stride. The labels are the same window one character
// later, so the model answers at every step.
type Text struct {
	tokens         []int64
	window, stride int
}

// NewText returns the windows over text, whose tokens are indices of vocabulary. With a
// stride of the length of the window every character is learned once in an epoch. The
// error is an [ErrTooShort] if the text is not longer than the window. A character that
// is not in the vocabulary is an error too.
func NewText(text string, vocabulary []string, window, stride int) (*Text, error) {
	switch {
	case window < 1:
		return nil, &models.FieldError{Field: "window", Value: window, Want: "1 or more"}
	case stride < 1:
		return nil, &models.FieldError{Field: "stride", Value: stride, Want: "1 or more"}
	}
	indices := make(map[string]int64, len(vocabulary))
	for i, s := range vocabulary {
		indices[s] = int64(i)
	}
	t := &Text{window: window, stride: stride}
	for at, r := range text {
		token, ok := indices[string(r)]
		if !ok {
			return nil, fmt.Errorf("character %q of byte %d is not in the vocabulary of %d: use a text that has only those", r, at, len(vocabulary))
		}
		t.tokens = append(t.tokens, token)
	}
	if len(t.tokens) <= window {
		return nil, t.tooShort("use a longer text or a shorter window")
	}
	return t, nil
}

// tooShort returns an ErrTooShort that ends with the given advice.
func (t *Text) tooShort(advice string) error {
	return fmt.Errorf("text of %d characters is %w: a window of %d needs more than %d: %s", len(t.tokens), ErrTooShort, t.window, t.window, advice)
}

// Split divides the text at the given fraction of its characters, between 0 and 1: what
// comes before trains and the rest tests. The error is an [ErrTooShort] if a part is not
// longer than a window.
func (t *Text) Split(fraction float64) (train, test *Text, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fractionError(fraction)
	}
	n := int(fraction * float64(len(t.tokens)))
	train, test = &Text{t.tokens[:n], t.window, t.stride}, &Text{t.tokens[n:], t.window, t.stride}
	for _, part := range []*Text{train, test} {
		if len(part.tokens) <= t.window {
			return nil, nil, part.tooShort(fmt.Sprintf("use a longer text or a shorter window, so that %g of it is enough", min(fraction, 1-fraction)))
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
		if err := checkExample(i, t.Len()); err != nil {
			return err
		}
		window := t.tokens[i*t.stride:][:t.window+1]
		b.Tokens = append(b.Tokens, window[:t.window]...)
		b.Labels = append(b.Labels, window[1:]...)
	}
	return nil
}
