package infer_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// TestStepAfterStepTensors feeds a state by the one and then by the other: what was
// given to the first is neither read nor written by the second.
func TestStepAfterStepTensors(t *testing.T) {
	for _, e := range engines(t) {
		m := open(t, exported(t, floatSpec), e)
		h := tensor.Of(slices.Repeat([]float32{0.5}, 6), 2, 1, 3)
		given := map[string]tensor.Tensor{"input": tensor.Of([]float32{1}, 1, 1, 1), "h0": h}
		s, other := m.NewState(), m.NewState()
		first, err := m.StepTensors(t.Context(), s, given)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.StepTensors(t.Context(), other, given); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(first)
		x := map[string]tensor.Tensor{"input": tensor.Of([]float32{2}, 1, 1, 1)}
		want, err := m.StepTensors(t.Context(), other, x, "output")
		if err != nil {
			t.Fatal(err)
		}
		if got := step(t, m, s, 2); !slices.Equal(got, want["output"].Data.([]float32)) {
			t.Errorf("%s: the step is %v, not %v", e, got, want["output"])
		}
		if now := fmt.Sprint(first); now != text {
			t.Errorf("%s: the results were %s and are %s", e, text, now)
		}
	}
}

// TestStateOfAnotherModel takes a state from model to model: those of the same
// state go on with it, the others refuse it and leave it as it was.
func TestStateOfAnotherModel(t *testing.T) {
	m := open(t, exported(t, floatSpec), native.New())
	gru, wide := floatSpec, floatSpec
	gru.Cell, wide.Hidden = models.GRU, 4
	s, one := m.NewState(), untrained(t, gru).NewState()
	step(t, m, s, 1)
	before := save(t, s)
	for _, spec := range []models.Spec{gru, wide} {
		refusing := untrained(t, spec)
		if _, err := refusing.Step(t.Context(), s, []float32{1}); err == nil {
			t.Errorf("a model of %v takes the state", spec)
		}
		if !bytes.Equal(save(t, s), before) {
			t.Errorf("an error of a model of %v changed the state", spec)
		}
	}
	step(t, untrained(t, gru), one, 1)
	if _, err := m.Step(t.Context(), one, []float32{1}); err == nil {
		t.Error("a model takes the state of one that has less")
	}
	one.Reset()
	if got, want := step(t, m, one, 1), step(t, m, m.NewState(), 1); !slices.Equal(got, want) {
		t.Errorf("after a reset %v, not %v", got, want)
	}
}

// TestRunIntoErrors has errors that leave the caller's tensors as they are, and a
// good run after each.
func TestRunIntoErrors(t *testing.T) {
	for _, e := range engines(t) {
		m := open(t, exported(t, floatSpec), e)
		x := tensor.Tensor(tensor.Of([]float32{1}, 1, 1, 1))
		good := map[string]tensor.Tensor{"input": x}
		want, err := m.Run(t.Context(), good, "output")
		if err != nil {
			t.Fatal(err)
		}
		y := []float32{7, 8}
		for _, inputs := range []map[string]tensor.Tensor{
			nil, {"input": x, "more": x}, {"input": x, "h0": x}, {"input": tensor.Of([]float64{1}, 1, 1, 1)}, good,
		} {
			outputs := map[string]tensor.Tensor{"output": tensor.Of(y, 1, 2)}
			if len(inputs) == 1 && fmt.Sprint(inputs) == fmt.Sprint(good) && inputs["input"].Type() == tensor.Float32 {
				outputs["more"] = tensor.Tensor{}
			}
			before := fmt.Sprint(outputs)
			if err := m.RunInto(t.Context(), inputs, outputs); err == nil || fmt.Sprint(outputs) != before {
				t.Errorf("%s: after the error %v of a run on %v the outputs are %v, not %v", e, err, inputs, outputs, before)
			}
			given := map[string]tensor.Tensor{"output": tensor.Of(make([]float32, 2), 1, 2)}
			if err := m.RunInto(t.Context(), good, given); err != nil || fmt.Sprint(given) != fmt.Sprint(want) {
				t.Errorf("%s: then a good run: %v, %v, not %v", e, err, given, want)
			}
		}
	}
}

// TestBytesOfStates has the tensors by name, whatever their order in the model.
func TestBytesOfStates(t *testing.T) {
	m := untrained(t, floatSpec)
	s := m.NewState()
	step(t, m, s, 1)
	if data := save(t, s); bytes.Index(data, []byte("c0")) > bytes.Index(data, []byte("h0")) {
		t.Errorf("h0 is before c0 in %q", data)
	}
}

// TestFirstStateOfTheFile begins with the default that a file has for its state.
func TestFirstStateOfTheFile(t *testing.T) {
	f, err := onnxgraph.Unmarshal(anonymous(t, exported(t, tokenSpec), nil))
	if err != nil {
		t.Fatal(err)
	}
	f.Graph.Initializers = append(f.Graph.Initializers, onnxgraph.Tensor{Name: "h0", Tensor: tensor.Of([]float32{0.5, -0.5, 1}, 1, 1, 3)})
	data, err := onnxgraph.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, data, native.New())
	got, err := m.StepTokens(t.Context(), m.NewState(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Run(t.Context(), map[string]tensor.Tensor{"input": tensor.Of([]int64{1}, 1, 1)}, "output")
	if err != nil {
		t.Fatal(err)
	}
	if y := want["output"].Data.([]float32); !slices.Equal(got, y) {
		t.Errorf("the first step is %v, not %v", got, y)
	}
}

// TestAnswerIsNoState has the state before the answer among the outputs.
func TestAnswerIsNoState(t *testing.T) {
	f, err := onnxgraph.Unmarshal(anonymous(t, exported(t, floatSpec), otherNames))
	if err != nil {
		t.Fatal(err)
	}
	f.Graph.Outputs = append(f.Graph.Outputs[2:], f.Graph.Outputs[:2]...)
	data, err := onnxgraph.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	m, ours := open(t, data, native.New()), untrained(t, floatSpec)
	if got, want := step(t, m, m.NewState(), 1), step(t, ours, ours.NewState(), 1); !slices.Equal(got, want) {
		t.Errorf("the answer is %v, not %v", got, want)
	}
}

// asked is a session that is no Refiller and notes which outputs it is asked for.
type asked struct {
	engine.Engine
	engine.Session
	names []string
}

func (a *asked) Open(data []byte) (_ engine.Session, err error) {
	a.Session, err = a.Engine.Open(data)
	return struct{ engine.Session }{a}, err
}

func (a *asked) Run(ctx context.Context, inputs map[string]tensor.Tensor, outputs ...string) (map[string]tensor.Tensor, error) {
	a.names = outputs
	return a.Session.Run(ctx, inputs, outputs...)
}

func TestOnlyWantedOutputs(t *testing.T) {
	e := &asked{Engine: native.New()}
	m := open(t, exported(t, floatSpec), e)
	outputs := map[string]tensor.Tensor{"hn": {}}
	if err := m.RunInto(t.Context(), map[string]tensor.Tensor{"input": tensor.Of([]float32{1}, 1, 1, 1)}, outputs); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.names, []string{"hn"}) || len(outputs) != 1 {
		t.Errorf("asked for %v, given %v", e.names, outputs)
	}
}

// TestBindAgain binds other tensors without a Release between.
func TestBindAgain(t *testing.T) {
	session, err := native.New().Open(exported(t, floatSpec))
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.Of([]float32{1}, 1, 1, 1)
	var b engine.Binding
	for _, names := range [][]string{{"output", "hn"}, {"cn"}, {}} {
		outputs := map[string]tensor.Tensor{}
		for _, name := range names {
			outputs[name] = tensor.Tensor{}
		}
		if err := b.Bind(session, map[string]tensor.Tensor{"input": x}, outputs); err != nil {
			t.Fatal(err)
		}
		for i, info := range session.Outputs() {
			if (b.Outputs[i] != nil) != slices.Contains(names, info.Name) {
				t.Errorf("of %v, output %q is %v", names, info.Name, b.Outputs[i])
			}
		}
	}
}

// TestTensorsByPosition has too few of them and too many.
func TestTensorsByPosition(t *testing.T) {
	for _, e := range engines(t) {
		session, err := e.Open(exported(t, floatSpec))
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		r, in, out := session.(engine.Refiller), len(session.Inputs()), len(session.Outputs())
		for _, n := range [][2]int{{0, out}, {in - 1, out}, {in + 1, out}, {in, 0}, {in, out - 1}, {in, out + 1}} {
			x := tensor.Of([]float32{1}, 1, 1, 1)
			inputs, outputs := make([]*tensor.Tensor, n[0]), make([]*tensor.Tensor, n[1])
			if len(inputs) > 0 {
				inputs[0] = &x
			}
			if err := r.RunInto(t.Context(), inputs, outputs); err == nil || strings.Contains(err.Error(), "bug") {
				t.Errorf("%s: %d inputs and %d outputs: %v", e, n[0], n[1], err)
			}
		}
	}
}
