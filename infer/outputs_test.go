package infer_test

import (
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

// mute is an engine, and a session, of models without outputs.
type mute struct{ engine.Session }

func (mute) String() string                      { return "mute" }
func (mute) Open([]byte) (engine.Session, error) { return mute{}, nil }
func (mute) Outputs() []tensor.Info              { return nil }
func (mute) Metadata() map[string]string         { return nil }
func (mute) Close() error                        { return nil }

// TestNoOutputs opens a model without outputs in an engine that takes it.
func TestNoOutputs(t *testing.T) {
	_, err := infer.OpenBytes(nil, infer.With(mute{}))
	if err == nil || !strings.Contains(err.Error(), "no outputs") {
		t.Errorf("the error is %v", err)
	}
}
