package infer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// exported returns the file of an untrained model, which takes a state.
func exported(t testing.TB, spec models.Spec) []byte {
	t.Helper()
	m, err := models.New(models.Metadata{Spec: spec, State: spec.State()}, 7)
	if err != nil {
		t.Fatal(err)
	}
	data, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func open(t testing.TB, data []byte, e engine.Engine) *infer.Model {
	t.Helper()
	m, err := infer.OpenBytes(data, infer.With(e))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func untrained(t testing.TB, spec models.Spec) *infer.Model {
	t.Helper()
	return open(t, exported(t, spec), native.New())
}

var (
	floatSpec = models.Spec{Cell: models.LSTM, Features: 1, Hidden: 3, Layers: 2, Readout: models.ReadLast, Outputs: 2}
	tokenSpec = models.Spec{Cell: models.GRU, Vocabulary: 5, Embedding: 2, Hidden: 3, Layers: 1, Readout: models.ReadAll, Outputs: 5}
)

func step(t *testing.T, m *infer.Model, s *infer.State, x float32) []float32 {
	t.Helper()
	y, err := m.Step(t.Context(), s, []float32{x})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// TestNil steps without a state, and runs on the engine that nil stands for.
func TestNil(t *testing.T) {
	m := untrained(t, floatSpec)
	if _, err := m.Step(t.Context(), nil, []float32{1, 2}); err == nil || !strings.Contains(err.Error(), "NewState") {
		t.Errorf("the error is %v", err)
	}
	m, err := infer.OpenBytes(sineModel, infer.With(nil))
	if err != nil || m.Engine() != "native" {
		t.Errorf("the engine of nil is %v, %v", m, err)
	}
}

// TestWrongAnswer has a model that answers less than its metadata says: the state
// stays what it was.
func TestWrongAnswer(t *testing.T) {
	m, err := infer.OpenBytes(nil, infer.With(&dice{fake: fake{meta: letters("abc")}, logits: []float32{0, 1}}))
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewState()
	before := save(t, s)
	if _, err := m.StepTokens(t.Context(), s, 1); err == nil || !strings.Contains(err.Error(), "has 2 values, where the metadata tells of 3") {
		t.Errorf("the error is %v", err)
	}
	if !bytes.Equal(save(t, s), before) {
		t.Error("the state went on")
	}
}

// TestClone saves, copies and resets a state in the middle of a
// sequence.
func TestClone(t *testing.T) {
	m := untrained(t, floatSpec)
	s := m.NewState()
	first := step(t, m, s, 0.5)
	step(t, m, s, -1)
	copied, saved := s.Clone(), save(t, s)
	want := step(t, m, s, 2)
	for range 3 {
		step(t, m, s, 1)
	}
	var restored infer.State
	restore(t, &restored, saved)
	for name, other := range map[string]*infer.State{"copied": copied, "restored": &restored, "copied again": restored.Clone()} {
		if got := step(t, m, other, 2); !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", name, got, want)
		}
	}
	if again := save(t, &restored); bytes.Equal(again, saved) {
		t.Error("the state did not change with a step")
	}
	s.Reset()
	if got := step(t, m, s, 0.5); !slices.Equal(got, first) {
		t.Errorf("after a reset %v, not %v", got, first)
	}
	fresh := m.NewState()
	restore(t, fresh, save(t, m.NewState()))
	if got := step(t, m, fresh, 0.5); !slices.Equal(got, first) {
		t.Errorf("from an empty state %v, not %v", got, first)
	}
}

func save(t *testing.T, s *infer.State) []byte {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func restore(t *testing.T, s *infer.State, data []byte) {
	t.Helper()
	if err := s.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
}

// TestStepTokens compares steps of one and of several tokens with the whole.
func TestStepTokens(t *testing.T) {
	m := untrained(t, tokenSpec)
	rng := rand.New(rand.NewPCG(8, 9))
	all := make([]int64, 12)
	for i := range all {
		all[i] = rng.Int64N(5)
	}
	input := tokens(all...)
	input.Shape = []int{1, 12}
	whole, err := m.Run(t.Context(), map[string]tensor.Tensor{"input": input}, "output")
	if err != nil {
		t.Fatal(err)
	}
	want := whole["output"].Data.([]float32)
	for _, size := range []int{1, 3, 5, 12} {
		s := m.NewState()
		end := 0
		for part := range slices.Chunk(all, size) {
			end += len(part)
			y, err := m.StepTokens(t.Context(), s, part...)
			if err != nil || len(y) != 5 {
				t.Fatal(y, err)
			}
			for i, v := range y {
				if d := math.Abs(float64(v - want[5*(end-1)+i])); !(d <= 1e-6) {
					t.Errorf("%d at a time: output %d after %d tokens differs by %g", size, i, end, d)
				}
			}
		}
	}
}

func TestStepTokensErrors(t *testing.T) {
	m, floats := untrained(t, tokenSpec), untrained(t, floatSpec)
	for want, run := range map[string]func() ([]float32, error){
		"tokens[1] is 5: it must be a token of the model, from 0 to 4": func() ([]float32, error) {
			return m.StepTokens(t.Context(), m.NewState(), 4, 5)
		},
		"tokens[0] is -1": func() ([]float32, error) { return m.StepTokens(t.Context(), m.NewState(), -1) },
		"tokens is of length 0: it must be of length 1 or more": func() ([]float32, error) { return m.StepTokens(t.Context(), m.NewState()) },
		"tokens: use StepTokens":                                func() ([]float32, error) { return m.Step(t.Context(), m.NewState(), []float32{1}) },
		"takes no tokens: use Step":                             func() ([]float32, error) { return floats.StepTokens(t.Context(), floats.NewState(), 1) },
		"it must be a state of this model, which has [{h0 hn} {c0 cn}]": func() ([]float32, error) {
			s := m.NewState()
			if _, err := m.StepTokens(t.Context(), s, 1); err != nil {
				t.Fatal(err)
			}
			return floats.Step(t.Context(), s, []float32{1})
		},
		"it must be a state of this model, which has [{h0 hn}]": func() ([]float32, error) {
			s := floats.NewState()
			step(t, floats, s, 1)
			return m.StepTokens(t.Context(), s, 1)
		},
	} {
		if y, err := run(); y != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v and %v, not %q", y, err, want)
		}
	}
}

func TestStepArgumentErrors(t *testing.T) {
	m, floats := untrained(t, tokenSpec), untrained(t, floatSpec)
	_, err := m.StepTokens(t.Context(), m.NewState(), 4, 5)
	checkField(t, err, "tokens[1] is 5")
	_, err = m.StepTokens(t.Context(), m.NewState())
	checkField(t, err, "tokens is of length 0")
	_, err = floats.Step(t.Context(), nil, []float32{1})
	checkField(t, err, "s is nil: it must be a state: begin with NewState")
	_, err = floats.Step(t.Context(), floats.NewState(), []float32{1, 2})
	checkField(t, err, "x is of length 2")
}

func TestStepTensorsArgumentErrors(t *testing.T) {
	m, floats := untrained(t, tokenSpec), untrained(t, floatSpec)
	for want, inputs := range map[string]map[string]tensor.Tensor{
		`inputs["input"] is int64 of shape [1 1]: it must be input float32[batch, time, 1]`:             {"input": tensor.Of([]int64{1}, 1, 1)},
		`inputs["input"] is float32 of shape [1 1 2]: it must be input float32`:                         {"input": tensor.Zeros(tensor.Float32, 1, 1, 2)},
		`inputs["input"] is float32 of shape [1 1 1] and 2 elements: it must be`:                        {"input": {Shape: []int{1, 1, 1}, Data: []float32{1, 2}}},
		`inputs["x"] is float32 of shape [1 1 1]: it must be left out: the model takes [input float32[`: {"x": tensor.Zeros(tensor.Float32, 1, 1, 1)},
	} {
		_, err := floats.StepTensors(t.Context(), floats.NewState(), inputs)
		checkField(t, err, want)
	}
	_, err := m.StepTensors(t.Context(), m.NewState(), map[string]tensor.Tensor{"input": tensor.Of([]int64{1, 5}, 1, 2)})
	checkField(t, err, `inputs["input"].Data[1] is 5: it must be a token of the model, from 0 to 4`)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := floats.StepTensors(cancelled, floats.NewState(), map[string]tensor.Tensor{"input": tensor.Of([]float32{1}, 1, 1, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// encoded returns a state of tensors h0 of those shapes, as bytes.
func encoded(shapes ...[]uint64) []byte {
	data := []byte("rnnkit state 1\n")
	data = binary.AppendUvarint(data, uint64(len(shapes)))
	for _, shape := range shapes {
		data = append(data, 2, 'h', '0')
		data = binary.AppendUvarint(data, uint64(len(shape)))
		size := uint64(1)
		for _, d := range shape {
			data = binary.AppendUvarint(data, d)
			size *= d
		}
		if size < 100 {
			data = append(data, make([]byte, 4*size)...)
		}
	}
	return data
}

func TestUnmarshalStateErrors(t *testing.T) {
	m := untrained(t, floatSpec)
	s := m.NewState()
	step(t, m, s, 1)
	good := save(t, s)
	const (
		none    = "not a state"
		damaged = "the state is damaged"
	)
	type hostile struct {
		data []byte
		want string
	}
	tests := map[string]hostile{
		"nothing":          {nil, none},
		"text":             {[]byte("h0"), none},
		"a newer one":      {bytes.Replace(good, []byte("state 1"), []byte("state 2"), 1), none},
		"more":             {append(slices.Clone(good), 0), damaged},
		"twice the same":   {encoded([]uint64{1, 1, 3}, []uint64{1, 1, 3}), damaged},
		"a large count":    {append([]byte("rnnkit state 1\n"), binary.AppendUvarint(nil, 1<<40)...), damaged},
		"an endless count": {append([]byte("rnnkit state 1\n"), bytes.Repeat([]byte{0xff}, 20)...), damaged},
		"a large tensor":   {encoded([]uint64{1 << 31, 1, 1 << 31}), damaged},
		"an overflow":      {encoded([]uint64{1 << 62, 4, 1}), damaged},
		"many dimensions":  {encoded(slices.Repeat([]uint64{1}, 9)), damaged},
	}
	for n := range len(good) {
		want := damaged
		if n < len("rnnkit state 1\n") {
			want = none
		}
		tests[fmt.Sprintf("the first %d bytes", n)] = hostile{good[:n], want}
	}
	for name, test := range tests {
		if err := s.UnmarshalBinary(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if !bytes.Equal(save(t, s), good) {
			t.Fatalf("%s changed the state", name)
		}
	}
	// What decodes need not fit the model, nor have any values.
	empty := m.NewState()
	restore(t, empty, encoded([]uint64{1, 0, 3}))
	if !bytes.Equal(save(t, empty), encoded([]uint64{1, 0, 3})) {
		t.Error("a state of an empty batch has changed")
	}
	gru := untrained(t, tokenSpec)
	for want, shape := range map[string][]uint64{
		"whose h0 has the shape [layers*directions, 1, hidden], not [1 2 3]: begin with NewState": {1, 2, 3},
		"takes h0 float32[1, batch, 3], not float32 of shape [3]: begin with NewState":            {3},
		"not float32 of shape []":      {},
		"not float32 of shape [2 1 3]": {2, 1, 3},
		"not float32 of shape [1 1 4]": {1, 1, 4},
	} {
		var s infer.State
		restore(t, &s, encoded(shape))
		_, err := gru.StepTokens(t.Context(), &s, 1)
		checkField(t, err, want)
		if !bytes.Equal(save(t, &s), encoded(shape)) {
			t.Errorf("%s: the step changed the state", want)
		}
	}
}

// FuzzState decodes mutated states. What decodes must encode to the same state,
// and a step from it must not panic.
func FuzzState(f *testing.F) {
	m := untrained(f, floatSpec)
	s := m.NewState()
	f.Add([]byte("rnnkit state 1\n\x00"))
	for range 2 {
		if _, err := m.Step(f.Context(), s, []float32{1}); err != nil {
			f.Fatal(err)
		}
		data, err := s.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(encoded([]uint64{1, 1, 3}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s, again infer.State
		if s.UnmarshalBinary(data) != nil {
			return
		}
		first := save(t, &s)
		restore(t, &again, first)
		if !bytes.Equal(save(t, &again), first) {
			t.Error("a state does not come back as it was")
		}
		m.Step(t.Context(), &s, []float32{1})
	})
}

// TestStateIsNotCopied: go vet reports a copy of what has a Locker in it.
func TestStateIsNotCopied(t *testing.T) {
	first := reflect.TypeFor[infer.State]().Field(0).Type
	if locker := reflect.TypeFor[sync.Locker](); !reflect.PointerTo(first).Implements(locker) || first.Size() != 0 {
		t.Errorf("a State begins with %v, of %d bytes", first, first.Size())
	}
}
