package models

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestFieldErrorIsOneLine(t *testing.T) {
	for want, err := range map[string]*FieldError{
		"Hidden is 0: it must be 1 or more":             {Field: "Hidden", Value: 0, Want: "1 or more"},
		`Cell is "a\nb": it must be rnn`:                {Field: "Cell", Value: Cell("a\nb"), Want: "rnn"},
		"Labels is of length 2: it must be of length 3": {Field: "Labels", Value: []string{"a", "b"}, Want: "of length 3"},
		"Inputs is of length 3: it must be of length 4": {Field: "Inputs", Value: Length(3), Want: "of length 4"},
		"Params is nil: it must be set":                 {Field: "Params", Value: nil, Want: "set"},
		"Scale is nil: it must be set":                  {Field: "Scale", Value: (*Scale)(nil), Want: "set"},
		"Scale is a *models.Scale: it must be nil":      {Field: "Scale", Value: &Scale{}, Want: "nil"},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestInField(t *testing.T) {
	var field *FieldError
	err := InField("Fit", InField("Optimizer", &FieldError{Field: "Momentum", Value: 2, Want: "less than 1"}))
	if !errors.As(err, &field) || *field != (FieldError{Field: "Fit.Optimizer.Momentum", Value: 2, Want: "less than 1"}) {
		t.Errorf("the error is %v", err)
	}
	if err := InField("Data", io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &field) || err.Error() != "Data: unexpected EOF" {
		t.Errorf("the error is %v", err)
	}
	if err := InField("Fit", fmt.Errorf("file c: %w", &FieldError{Field: "Epochs", Value: 2, Want: "3 or more"})); !errors.As(err, &field) || err.Error() != "Fit: file c: Epochs is 2: it must be 3 or more" {
		t.Errorf("the error is %v", err)
	}
	if err := InField("Fit", &FieldError{Field: "Window", Value: 5, Want: "less", Err: io.ErrShortBuffer}); !errors.Is(err, io.ErrShortBuffer) || err.Error() != "Fit.Window is 5: it must be less" {
		t.Errorf("the error is %v", err)
	}
	if err := InField("Fit", nil); err != nil {
		t.Errorf("the error is %v", err)
	}
}
