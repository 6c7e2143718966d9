package verify_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// TestAgreement holds the trainer, the native engine and ONNX Runtime to the
// same answers for every kind of model, with sequences of random size: whole, step by
// step, and where the file takes a state from a random one.
func TestAgreement(t *testing.T) {
	engines := orttest.Engines(t, native.New())
	rng := rand.New(rand.NewPCG(1, 2))
	for _, spec := range specs() {
		t.Run(fmt.Sprintf("%s%s-%d-bi=%t-%s-vocabulary=%d", spec.Cell, spec.Activation, spec.Layers, spec.Bidirectional, spec.Readout, spec.Vocabulary), func(t *testing.T) {
			m := randomModel(t, spec, rng)
			if rng.IntN(4) > 0 {
				m.State = spec.State()
			}
			data, err := export.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var opened []*infer.Model
			for _, e := range engines {
				model, err := infer.OpenBytes(data, infer.With(e))
				if err != nil {
					t.Fatal(err)
				}
				defer model.Close()
				opened = append(opened, model)
			}
			for range 4 {
				input, err := verify.Input(&m.Metadata, 1+rng.IntN(9), 1+rng.IntN(12), rng.Uint64())
				if err != nil {
					t.Fatal(err)
				}
				agree(t, m, opened, input, rng)
			}
		})
	}
}

func agree(t *testing.T, m *models.Model, opened []*infer.Model, input tensor.Tensor, rng *rand.Rand) {
	t.Helper()
	check := func(what string, engine *infer.Model, want, got map[string]tensor.Tensor, err error) {
		t.Helper()
		if err == nil {
			_, err = verify.Difference(want, got, verify.Tolerance, m.OutputScale)
		}
		if err != nil {
			t.Errorf("input %v: %s: %s: %v", input.Shape, engine.Engine(), what, err)
		}
	}
	answers := trainerAnswers(t, m, input)
	inputs := map[string]tensor.Tensor{"input": input}
	var fromZero, fromState map[string]tensor.Tensor
	state := map[string]tensor.Tensor{"input": input}
	for _, pair := range m.State {
		state[pair.Input] = randomState(m.Spec, input.Shape[0], rng)
	}
	for i, model := range opened {
		whole, err := model.Run(t.Context(), inputs)
		check("against the trainer", model, answers, whole, err)
		continued, err2 := model.Run(t.Context(), state)
		if i == 0 {
			fromZero, fromState = whole, continued
			if _, err := verify.Difference(whole, continued, verify.Tolerance, nil); err == nil && len(m.State) > 0 {
				t.Error("the initial state makes no difference")
			}
		}
		check("whole", model, fromZero, whole, err)
		check("from a state", model, fromState, continued, err2)
		if m.Spec.Stepwise() {
			stepped, err := verify.Stepped(t.Context(), model, input)
			check("step by step", model, fromZero, stepped, err)
		}
	}
}

func randomState(s models.Spec, batch int, rng *rand.Rand) tensor.Tensor {
	h := make([]float32, s.Layers*s.Directions()*batch*s.Hidden)
	for i := range h {
		h[i] = float32(rng.NormFloat64())
	}
	return tensor.Of(h, s.Layers*s.Directions(), batch, s.Hidden)
}

func trainerAnswers(t *testing.T, m *models.Model, input tensor.Tensor) map[string]tensor.Tensor {
	t.Helper()
	b := datasets.Batch{Size: input.Shape[0], Time: input.Shape[1]}
	shape := []int{b.Size, m.Spec.Outputs}
	if m.Spec.Readout == models.ReadAll {
		shape = []int{b.Size, b.Time, m.Spec.Outputs}
	}
	b.Inputs, _ = input.Data.([]float32)
	b.Tokens, _ = input.Data.([]int64)
	y, err := trainer.Predict(m, &b)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tensor.Tensor{"output": tensor.Of(y, shape...)}
}

func specs() []models.Spec {
	var all []models.Spec
	kinds := []models.Spec{{Cell: models.RNN}, {Cell: models.RNN, Activation: models.ReLU}, {Cell: models.LSTM}, {Cell: models.GRU}}
	for _, kind := range kinds {
		for _, readout := range []models.Readout{models.ReadLast, models.ReadFinal, models.ReadMean, models.ReadMax, models.ReadAll} {
			for _, layers := range []int{1, 3} {
				for _, bidirectional := range []bool{false, true} {
					s := models.Spec{
						Cell: kind.Cell, Activation: kind.Activation, Hidden: 7, Layers: layers, Bidirectional: bidirectional,
						Readout: readout, Outputs: 3,
					}
					floats, tokens := s, s
					floats.Features = 2
					tokens.Vocabulary, tokens.Embedding = 11, 5
					all = append(all, floats, tokens)
				}
			}
		}
	}
	return all
}

// randomModel has parameters large enough to drive the gates into saturation
// now and then, and scales. Much larger ones make an RNN chaotic, and one with
// relu, which nothing saturates, grow, which blows up what two engines round
// differently.
func randomModel(t *testing.T, spec models.Spec, rng *rand.Rand) *models.Model {
	t.Helper()
	m, err := models.New(models.Metadata{Spec: spec}, rng.Uint64())
	if err != nil {
		t.Fatal(err)
	}
	size := 0.5
	if spec.Activation == models.ReLU {
		size = 0.3
	}
	for i := range m.Params.Data {
		m.Params.Data[i] = float32(size * rng.NormFloat64())
	}
	if spec.Features > 0 {
		m.InputScale = &models.Scale{Mean: []float32{3, -20}, Std: []float32{0.5, 7}}
		m.OutputScale = &models.Scale{Mean: []float32{1, 0, -5}, Std: []float32{0.1, 1, 3}}
	}
	return m
}

func TestDifference(t *testing.T) {
	nan := float32(math.NaN())
	want := map[string]tensor.Tensor{"y": tensor.Of([]float32{1, 200}, 2)}
	for _, test := range []struct {
		got  tensor.Tensor
		fail bool
	}{
		{tensor.Of([]float32{1, 200}, 2), false},
		{tensor.Of([]float32{1.001, 200}, 2), false}, // 200 scales the tolerance
		{tensor.Of([]float32{1.003, 200}, 2), true},
		{tensor.Of([]float32{nan, 200}, 2), true},
		{tensor.Of([]float32{1, 200}, 1, 2), true},
		{tensor.Of([]float32{1}, 1), true},
		{tensor.Of([]int64{1, 200}, 2), true},
		{tensor.Tensor{}, true},
	} {
		_, err := verify.Difference(want, map[string]tensor.Tensor{"y": test.got}, verify.Tolerance, nil)
		if (err != nil) != test.fail {
			t.Errorf("%v: the error is %v", test.got, err)
		}
	}
}

func TestDifferenceOfWhatIsNotFinite(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		want, got float64
		err       string // "" for none
	}{
		{inf, inf, ""},
		{-inf, -inf, ""},
		{inf, -inf, "differs"},
		{inf, 1e300, "differs"},
		{1e300, inf, "differs"},
		{nan, 1, "differs"},
		{nan, nan, "NaN in both"},
	} {
		outputs := func(v, after float64) map[string]tensor.Tensor {
			return map[string]tensor.Tensor{"y": tensor.Of([]float64{v, after}, 2)}
		}
		_, err := verify.Difference(outputs(test.want, 1), outputs(test.got, 1), verify.Tolerance, nil)
		if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%g and %g: %v, not %q", test.want, test.got, err, test.err)
		}
		if _, err := verify.Difference(outputs(test.want, 1), outputs(test.got, 1.1), verify.Tolerance, nil); err == nil {
			t.Errorf("beside %g, 1 and 1.1 are the same", test.want)
		}
	}
}

func TestNaN(t *testing.T) {
	x := tensor.Of([]float32{1, 2, 3}, 3)
	inputs := map[string]tensor.Tensor{"x": x, "n": tensor.Of([]int64{1}, 1), "none": tensor.Of([]float64{}, 0)}
	if !verify.PutNaN(inputs) || x.Data.([]float32)[1] != 2 || !math.IsNaN(float64(inputs["x"].Data.([]float32)[1])) {
		t.Errorf("NaN is put so: %v", inputs)
	}
	if verify.PutNaN(map[string]tensor.Tensor{"n": tensor.Of([]int64{1}, 1)}) {
		t.Error("NaN was put into an integer")
	}
	numbers := map[string]tensor.Tensor{"x": x}
	if !verify.LosesNaN(inputs, numbers) || verify.LosesNaN(numbers, inputs) || verify.LosesNaN(inputs, inputs) {
		t.Error("what loses NaN is told wrongly")
	}
}
