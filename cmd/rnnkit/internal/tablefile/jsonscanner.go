package tablefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/rnnkit/rnnkit/datasets"
)

// jsonScanner reads an object of plain values. It accepts what encoding/json does, in a
// tenth of the time that its tokens take.
type jsonScanner struct {
	text []byte
	at   int
}

// next goes to the next character that is no space and returns it, 0 at the end. For a NUL
// it returns what JSON has nowhere.
func (s *jsonScanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
		case 0:
			return '?'
		default:
			return c
		}
	}
	return 0
}

// skip goes past the next character if it is c.
func (s *jsonScanner) skip(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// expected is the error of text that does not go on as JSON does.
func (s *jsonScanner) expected(what string) error {
	if s.next() == 0 {
		return errors.New("an object that does not end; write each object on one line")
	}
	rest, _, _ := bytes.Cut(s.text[s.at:], []byte(","))
	return fmt.Errorf("not JSON: %.20q, where %s should be", rest, what)
}

// quoted returns the text in quotes that comes next. It may share the memory of the line.
func (s *jsonScanner) quoted() ([]byte, error) {
	if s.next() != '"' {
		return nil, s.expected("a text in double quotes")
	}
	plain, end := true, s.at+1
	for ; end < len(s.text) && s.text[end] != '"'; end++ {
		switch c := s.text[end]; {
		case c == '\\':
			plain = false
			end++
		case c < ' ':
			plain = false
		}
	}
	if end >= len(s.text) {
		return nil, errors.New("a text without its closing quote; write each object on one line")
	}
	raw := s.text[s.at : end+1]
	s.at = end + 1
	if plain {
		return raw[1 : len(raw)-1], nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return []byte(text), nil
}

// value returns the value that comes next.
func (s *jsonScanner) value(t texts) (datasets.Field, error) {
	switch s.next() {
	case '"':
		text, err := s.quoted()
		if err != nil {
			return datasets.Field{}, err
		}
		return t.field(text)
	case '{':
		return datasets.Field{}, errors.New("an object within the object; write each of its values under a key of its own")
	case '[':
		return datasets.Field{}, errors.New("a list; write each of its values under a key of its own")
	}
	word := s.word()
	switch string(word) {
	case "null":
		return missing, nil
	case "true":
		return boolean(true), nil
	case "false":
		return boolean(false), nil
	}
	if !json.Valid(word) {
		s.at -= len(word)
		return datasets.Field{}, s.expected("a number, a text in double quotes, true, false or null")
	}
	return jsonNumber(string(word))
}

// word returns what comes next, up to a space or a comma, bracket or the like.
func (s *jsonScanner) word() []byte {
	from := s.at
	if n := bytes.IndexAny(s.text[from:], " \t\r\n,:[]{}\""); n >= 0 {
		s.at += n
	} else {
		s.at = len(s.text)
	}
	return s.text[from:s.at]
}

// jsonNumber returns a number, as text where float64 would change a whole one.
func jsonNumber(text string) (datasets.Field, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return datasets.Field{}, fmt.Errorf("%.40s is too large for float64; use a larger unit", text)
	}
	if math.Abs(v) > maxExact && !bytes.ContainsAny([]byte(text), ".eE") {
		return datasets.Field{Text: text}, nil
	}
	return number(v), nil
}
