package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
)

// writeClassifier writes an untrained model of words in those letters.
func writeClassifier(t *testing.T, letters string, labels ...string) string {
	t.Helper()
	return writeModel(t, func(m *models.Model) {
		m.Metadata = models.Metadata{Task: models.Classify, Vocabulary: strings.Split(letters, ""), Labels: labels}
		m.Spec = models.Spec{
			Cell: models.GRU, Vocabulary: len(letters), Embedding: 3, Hidden: 4, Layers: 1, Readout: models.ReadLast,
			Outputs: len(labels),
		}
		m.Params, _ = models.Init(m.Spec, 3)
	})
}

func TestInferClasses(t *testing.T) {
	path := writeClassifier(t, "ACGT", "one", "two", "three")
	m, err := infer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := infer.NewClassifier(m)
	if err != nil {
		t.Fatal(err)
	}
	want, right := "row,label,probability\n", 0
	for i, tokens := range [][]int64{{0, 2}, {3}, {1, 1, 1, 2, 3}, {3, 0}} {
		p, err := c.Classify(t.Context(), tensor.Of(tokens, len(tokens)))
		if err != nil {
			t.Fatal(err)
		}
		best := 0
		for k := range p {
			if p[k] > p[best] {
				best = k
			}
		}
		if best == 1 {
			right++
		}
		want += fmt.Sprintf("%d,%s,%v\n", i+1, c.Labels()[best], float32(p[best]))
	}
	log := "data: 4 sequences of 1 to 5 steps"
	accuracy := fmt.Sprintf("\n%d of 4 labels right: accuracy %.4f", right, float64(right)/4)
	for text, log := range map[string]string{
		"A,G\nT\nC,C,C,G,T\nT,A\n":                                    log + "\n",
		"A,G,two\nT,two\nC,C,C,G,T,two\nT,A,two\n":                    log + ", the label last" + accuracy + "\n",
		"b1,b2,label\nA,G,two\nT,two\nC,C,C,G,T,two\n\nT,A,\"two\"\n": log + `, the label last ("label")` + accuracy + "\n",
	} {
		status, out, errOut := runMain(text, "infer", path, "--engine", "native")
		if status != 0 || out != want || errOut != "engine: native\n"+log {
			t.Errorf("%q: status %d: %s%s, not %s%s", text, status, out, errOut, want, log)
		}
	}
}

func TestInferClassesRefuses(t *testing.T) {
	words := writeClassifier(t, "ACGT", "one", "two")
	everyStep := writeModel(t, func(m *models.Model) {
		m.Task, m.Labels, m.Spec.Readout = models.Classify, []string{"no", "yes"}, models.ReadAll
	})
	for _, test := range []struct {
		stdin  string
		args   []string
		status int
		want   string
	}{
		{"A\n", []string{words, "--steps", "3"}, 2, "--steps is for a forecaster"},
		{"A\n", []string{words, "--plot", "p.svg"}, 2, "--plot is for a forecaster"},
		{"A\n", []string{words, "--column", "a"}, 2, "--column is for a forecaster"},
		{"1\n", []string{writeModel(t, nil), "--unlabelled"}, 2, "--unlabelled is for a classifier"},
		{"1\n", []string{words, "--unlabelled", "--raw"}, 2, "--raw goes with none of"},
		{"A\n", []string{rhymeModel}, 2, "use rnnkit generate " + rhymeModel},
		{"", []string{words}, 1, "standard input: no sequences"},
		{"A\nN\n", []string{words}, 1, `standard input: line 2, column 1: "N" is none of the model's 4 tokens`},
		{"x,label\nA,six\n", []string{words}, 1, `"six" is none of the labels`},
		{"1,2\n", []string{everyStep}, 1, `readout "all"`},
	} {
		status, out, errOut := runMain(test.stdin, append([]string{"infer", "--engine", "native"}, test.args...)...)
		if status != test.status || out != "" || !strings.Contains(errOut, test.want) {
			t.Errorf("%v: status %d: %s%s", test.args, status, out, errOut)
		}
	}
}
