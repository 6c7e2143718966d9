package prometheus

import (
	"bytes"
	"encoding/json"
	"slices"
)

// IsAnswer reports whether a document begins as one that Decode reads, or as one that it
// refuses because the answer is of another kind or an error.
func IsAnswer(head []byte) bool {
	d := &decoder{json: json.NewDecoder(bytes.NewReader(head))}
	switch first, _ := d.json.Token(); first {
	case json.Delim('{'):
		return d.beginsAnswer()
	case json.Delim('['):
		return d.next('{') && d.key("metric") && d.next('{')
	}
	return false
}

// beginsAnswer reports whether the object whose brace was read is an answer. Keys that say
// nothing may come before those that do.
func (d *decoder) beginsAnswer() bool {
	status := false
	for {
		key, err := d.text()
		switch {
		case err != nil:
			return false
		case key == "data":
			return d.next('{') && d.key("resultType", "result")
		case key == "result":
			return d.next('[')
		case key == "errorType" && status:
			return true
		}
		status = status || key == "status"
		if d.skip() != nil {
			return false
		}
	}
}

// next reports whether the next token is the given one.
func (d *decoder) next(want json.Delim) bool { return d.open(want) == nil }

// key reports whether the next token is one of the given texts.
func (d *decoder) key(want ...string) bool {
	text, err := d.text()
	return err == nil && slices.Contains(want, text)
}
