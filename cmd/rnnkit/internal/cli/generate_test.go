package cli

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/rnnkit/rnnkit/models"
)

const rhymeModel = "../../../../infer/testdata/rhyme.onnx"

func TestGenerate(t *testing.T) {
	const first = "twinkle, little star,\nHow I wonder what you are!"
	for _, args := range []string{"--greedy", "--temperature 0", "--top-k 1 --seed 7", "--top-p 0.01", "--temperature 1e-9"} {
		args := append([]string{"generate", rhymeModel, "--engine", "native", "--prompt", "Twinkle, ", "--length", "48"}, strings.Fields(args)...)
		status, out, errOut := runMain("", args...)
		if status != 0 || out != first+"\n" || errOut != "engine: native\n" {
			t.Errorf("%v: status %d: %q and %q", args, status, out, errOut)
		}
	}
}

// counted counts what is written, and fails at the given write.
type counted struct {
	bytes.Buffer
	writes, fail int
}

func (c *counted) Write(p []byte) (int, error) {
	if c.writes++; c.writes == c.fail {
		return 0, errors.New("the disk is full")
	}
	return c.Buffer.Write(p)
}

func TestGenerateStreams(t *testing.T) {
	args := []string{"generate", rhymeModel, "--engine", "native", "--prompt", "H", "--greedy", "--length", "20"}
	var out counted
	var errOut bytes.Buffer
	if status := Main(args, nil, &out, &errOut); status != 0 || out.writes != 21 || out.String() != "ow I wonder what you\n" {
		t.Errorf("status %d after %d writes: %q and %s", status, out.writes, out.String(), errOut.String())
	}
	full := counted{fail: 3}
	if status := Main(args, nil, &full, &errOut); status != 1 || full.writes > 4 || !strings.Contains(errOut.String(), "the disk is full") {
		t.Errorf("status %d after %d writes: %s", status, full.writes, errOut.String())
	}
}

func TestGenerateRefuses(t *testing.T) {
	forecaster := writeModel(t, nil)
	damaged := writeModel(t, func(m *models.Model) {
		m.Task, m.Vocabulary, m.Columns = models.Generate, []string{"a", "bc"}, nil
		m.Spec = models.Spec{Cell: models.RNN, Vocabulary: 2, Embedding: 1, Hidden: 1, Layers: 1, Readout: models.ReadAll, Outputs: 2}
		m.State = m.Spec.State()
		m.Params, _ = models.Init(m.Spec, 0)
	})
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "name one model"},
		{[]string{rhymeModel, "Twinkle"}, 2, `give the prompt as --prompt "Twinkle"`},
		{[]string{rhymeModel, "--length", "0"}, 2, "--length is 0"},
		{[]string{rhymeModel, "--temperature", "-1"}, 2, "--temperature is -1"},
		{[]string{rhymeModel, "--temperature", "NaN"}, 2, "--temperature is NaN"},
		{[]string{rhymeModel, "--temperature", "+Inf"}, 2, "--temperature is +Inf"},
		{[]string{rhymeModel, "--top-k", "-1"}, 2, "--top-k is -1"},
		{[]string{rhymeModel, "--top-p", "0"}, 2, "--top-p is 0"},
		{[]string{rhymeModel, "--top-p", "1.1"}, 2, "--top-p is 1.1"},
		{[]string{rhymeModel, "--top-p", "NaN"}, 2, "--top-p is NaN"},
		{[]string{rhymeModel, "--greedy", "--temperature", "1"}, 2, "give one of the two"},
		{[]string{rhymeModel, "--seed", "-1"}, 2, "--seed"},
		{[]string{rhymeModel, "--engine", "tensorrt"}, 2, "--engine is"},
		{[]string{"nowhere.onnx"}, 1, "nowhere.onnx: " + syscall.ENOENT.Error()},
		{[]string{rhymeModel, "--prompt", "Twinkle? "}, 1, "rhyme.onnx: character 8 of the prompt is '?' (U+003F)"},
		{[]string{rhymeModel, "--prompt", "\xff"}, 1, "character 1 of the prompt is the byte 0xff: it must be UTF-8"},
		{[]string{forecaster}, 2, `it is for task "forecast": use rnnkit infer`},
		{[]string{damaged}, 1, `token 1 of the model is "bc"`},
	} {
		status, out, errOut := runMain("", append([]string{"generate"}, test.args...)...)
		if status != test.status || out != "" || !strings.Contains(errOut, test.want) || strings.Count(errOut, "rnnkit: ") != 1 {
			t.Errorf("%q: status %d: %q and %s", test.args, status, out, errOut)
		}
	}
}
