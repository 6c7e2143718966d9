package models

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestFieldErrorIsOneLine(t *testing.T) {
	for want, err := range map[string]*FieldError{
		"Hidden is 0: it must be 1 or more":             {"Hidden", 0, "1 or more"},
		`Cell is "a\nb": it must be rnn`:                {"Cell", Cell("a\nb"), "rnn"},
		"Labels is of length 2: it must be of length 3": {"Labels", []string{"a", "b"}, "of length 3"},
		"Params is nil: it must be set":                 {"Params", nil, "set"},
		"Scale is nil: it must be set":                  {"Scale", (*Scale)(nil), "set"},
		"Scale is a *models.Scale: it must be nil":      {"Scale", &Scale{}, "nil"},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestInField(t *testing.T) {
	var field *FieldError
	err := InField("Fit", InField("Optimizer", &FieldError{"Momentum", 2, "less than 1"}))
	if !errors.As(err, &field) || *field != (FieldError{"Fit.Optimizer.Momentum", 2, "less than 1"}) {
		t.Errorf("the error is %v", err)
	}
	if err := InField("Data", io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &field) || err.Error() != "Data: unexpected EOF" {
		t.Errorf("the error is %v", err)
	}
	if err := InField("Fit", fmt.Errorf("file c: %w", &FieldError{"Epochs", 2, "3 or more"})); !errors.As(err, &field) || err.Error() != "Fit: file c: Epochs is 2: it must be 3 or more" {
		t.Errorf("the error is %v", err)
	}
	if err := InField("Fit", nil); err != nil {
		t.Errorf("the error is %v", err)
	}
}
