package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// TestForeignTasks strips our own models of their metadata: told what they are
// for, they must answer as before.
func TestForeignTasks(t *testing.T) {
	var series, rows strings.Builder
	for i := range 80 {
		fmt.Fprintf(&series, "%g\n", float64(i%25)/25)
	}
	for i := range 9 {
		fmt.Fprintf(&rows, "%d,%d,3,2.5,%d\n", i, 5-i, 2*i)
	}
	for _, test := range []struct {
		name, data string
		flags      func(m *infer.Model) []string
	}{
		{"sine", series.String(), func(m *infer.Model) []string {
			return []string{"--task", "forecast", "--window", fmt.Sprint(m.Metadata().Window)}
		}},
		{"trend", rows.String(), func(m *infer.Model) []string {
			return []string{"--task", "classify", "--labels", strings.Join(m.Metadata().Labels, ",")}
		}},
	} {
		path := filepath.Join("../../../../infer/testdata", test.name+".onnx")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		model, err := infer.OpenBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		m, err := onnxgraph.Unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		m.Metadata = nil
		if data, err = onnxgraph.Marshal(m); err != nil {
			t.Fatal(err)
		}
		stripped := filepath.Join(t.TempDir(), "m.onnx")
		if err := os.WriteFile(stripped, data, 0o666); err != nil {
			t.Fatal(err)
		}
		_, want, _ := runMain(test.data, "infer", path, "--engine", "native")
		status, got, errOut := runMain(test.data, append([]string{"infer", stripped, "--engine", "native"}, test.flags(model)...)...)
		if status != 0 || len(want) < 50 || got != want {
			t.Errorf("%s: status %d: %s\n%s, not\n%s", test.name, status, errOut, got, want)
		}
	}
}

// TestForeignAnswers: a model whose input goes through one operator, and through
// others that only move what that computes.
func TestForeignAnswers(t *testing.T) {
	const classes = "1,2,3,0.5,-1,2\n4,-1,0\n"
	three := []string{"1,2,0.7855", "2,0,0.9755"} // exp(2) / (exp(0.5) + exp(-1) + exp(2)), and the like
	for _, test := range []struct {
		features int
		data     string
		task     string
		nodes    string   // from x to y
		want     []string // how the lines after the header begin, or the error
	}{
		{3, classes, "classify", "Tanh Identity", []string{`output "y" answers with numbers that lay between -1 and 1`}},
		{3, classes, "classify", "Identity", three},
		{3, classes, "classify", "Softmax", three},
		{3, classes, "classify", "LogSoftmax", three},
		{3, classes, "classify", "Softmax Log", three},
		{3, classes, "classify", "Softmax Identity", three},
		{3, classes, "classify", "LogSoftmax Identity", three},
		{3, classes, "classify", "Softmax Cast", three},
		{3, classes, "classify", "Softmax Reshape", three},
		{3, classes, "classify", "Softmax Gather", three},
		{3, classes, "classify", "Softmax Gather Flatten", three},
		{3, classes, "classify", "Softmax Slice Squeeze", three},
		{3, classes, "classify", "Softmax Transpose GatherND", three},
		{3, classes, "classify", "Softmax Unsqueeze Squeeze", three},
		{3, classes, "classify", "Softmax Transpose Transpose", three},
		{1, "9,2\n-1\n", "classify", "Sigmoid", []string{"1,1,0.8807", "2,0,0.7310"}},
		{1, "9,2\n-1\n", "classify", "Sigmoid Slice Squeeze Squeeze", []string{"1,1,0.8807", "2,0,0.7310"}},
		{1, "9,2\n-1\n", "classify", "HardSigmoid Identity", []string{"1,1,0.9", "2,0,0.7"}},
		{1, "0\n1\n2\n", "forecast", "Sigmoid", []string{"1,0,", "2,1,0.5", "3,2,0.7310", "4,,0.8807"}},
		{3, classes, "classify", "Sigmoid Identity", []string{`output "y" answers with numbers that lay between 0 and 1`}},
		{1, "9,2\n-1\n", "classify", "Softmax", []string{`output "y" has an answer at each step`}},
	} {
		path := writeChain(t, test.features, strings.Fields(test.nodes)...)
		status, got, errOut := runMain(test.data, "infer", path, "--task", test.task, "--layout", "x=btf", "--window", "1", "--engine", "native")
		_, got, _ = strings.Cut(got, "\n")
		if status != 0 {
			_, got, _ = strings.Cut(errOut, path+": ")
		}
		lines := strings.Split(strings.TrimSpace(got), "\n")
		if !slices.EqualFunc(lines, test.want, strings.HasPrefix) {
			t.Errorf("%s %s: status %d: %q, where lines must begin as %q", test.task, test.nodes, status, lines, test.want)
		}
	}
}

// TestFieldClassifiers has the answers of ONNX Runtime 1.32 by truth.py of the folder,
// from which p is the probability of the label that is printed.
func TestFieldClassifiers(t *testing.T) {
	folder := testenv.Shared(t, "field/f11-foreign-probabilities-taken-for-logits")
	rows, err := os.ReadFile(filepath.Join(folder, "rows.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"argmax_f":                  {"1,0,", "2,0,", "3,0,", "4,0,"},
		"k_hard_sigmoid":            {"1,0,0.66566", "2,0,0.67298", "3,0,0.66128", "4,0,0.67567"},
		"percent":                   {"1,0,0.7053270", "2,0,0.7070300", "3,0,0.7133799", "4,0,0.7064985"},
		"real_one_minus_sigmoid_ts": {"1,1,0.54399", "2,1,0.52028", "3,1,0.53317", "4,1,0.52483"},
		"real_sigmoid_clamped_ts":   {"1,0,0.93086", "2,0,0.93667", "3,0,0.92799", "4,0,0.93722"},
		"real_softmax_clamped_ts":   {"1,0,0.36873", "2,0,0.40063", "3,0,0.39358", "4,0,0.39021"},
		"real_tanh_to_prob_ts":      {"1,0,0.96138", "2,0,0.97075", "3,0,0.95770", "4,0,0.97139"},
		"sigmoid_manual":            {"1,1,0.63386", "2,1,0.63618", "3,1,0.63910", "4,1,0.63645"},
		"softmax_manual":            {"1,0,0.70533", "2,0,0.70703", "3,0,0.71338", "4,0,0.70650"},
	} {
		status, out, errOut := runMain(string(rows), "infer", filepath.Join(folder, name+".onnx"), "--task", "classify", "--engine", "native")
		if got := strings.Split(strings.TrimSpace(out), "\n"); status != 0 || !sameRecords(got[1:], want) || !strings.Contains(errOut, "output") {
			t.Errorf("%s: status %d: %s%q, not %q", name, status, errOut, got, want)
		}
	}
	status, out, errOut := runMain(string(rows), "infer", filepath.Join(folder, "max_prob.onnx"), "--task", "classify", "--engine", "native")
	if status != 1 || out != "" || !strings.Contains(errOut, "nothing tells of which class it speaks: say what they are with --answers") {
		t.Errorf("max_prob: status %d: %s%s", status, out, errOut)
	}
}

// sameRecords compares CSV whose last field is a number within 1e-5.
func sameRecords(got, want []string) bool {
	return slices.EqualFunc(got, want, func(a, b string) bool {
		i, j := strings.LastIndex(a, ","), strings.LastIndex(b, ",")
		p, errP := strconv.ParseFloat(a[i+1:], 64)
		q, errQ := strconv.ParseFloat(b[j+1:], 64)
		if errP != nil || errQ != nil {
			return a == b
		}
		return a[:i] == b[:j] && math.Abs(p-q) <= 1e-5
	})
}

// TestFieldForecasters: the five values after the end, by Keras and ONNX Runtime.
func TestFieldForecasters(t *testing.T) {
	folder := testenv.Shared(t, "field/f12-horizon-output-read-as-steps")
	series, err := os.ReadFile(filepath.Join(folder, "s.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"repeatvector": {"13,,0.050842", "14,,0.074455", "15,,0.081159", "16,,0.078484", "17,,0.071246"},
		"hor5_3d":      {"13,,-0.385838", "14,,-0.170094", "15,,-0.358482", "16,,0.131325", "17,,-0.298350"},
	} {
		args := []string{"infer", filepath.Join(folder, name+".onnx"), "--task", "forecast", "--window", "4", "--engine", "native"}
		status, out, errOut := runMain(string(series), args...)
		got := strings.Split(strings.TrimSpace(out), "\n")
		if status != 0 || len(got) != 18 || !sameRecords(got[13:], want) || !strings.Contains(errOut, "the next 5 values") {
			t.Errorf("%s: status %d: %s%q, not %q", name, status, errOut, got, want)
		}
		if _, out, _ := runMain(string(series), append(args, "--steps", "5")...); !sameRecords(strings.Split(strings.TrimSpace(out), "\n")[1:], want) {
			t.Errorf("%s: %q, not %q", name, out, want)
		}
	}
}

// TestFieldLayouts: several columns, and channels before the time, from tensors whose
// answers ONNX Runtime gave.
func TestFieldLayouts(t *testing.T) {
	folder := testenv.Shared(t, "field/engine")
	for _, test := range []struct {
		name, task string
		line       func(x tensor.Tensor) string
	}{
		{"forecast_many_columns", "forecast", func(x tensor.Tensor) string { return table(x, 10, 3, 3, 1, "\n") }},
		{"classify_channels_first", "classify", func(x tensor.Tensor) string { return table(x, 40, 3, 1, 40, ",") }},
	} {
		dir := filepath.Join(folder, test.name)
		sets, err := onnxtest.Sets(dir)
		if err != nil {
			t.Fatal(err)
		}
		x, y := sets[0].Inputs[0], sets[0].Outputs[0].Data.([]float32)
		status, out, errOut := runMain(test.line(x), "infer", filepath.Join(dir, "model.onnx"), "--task", test.task, "--engine", "native")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		want := fmt.Sprint("11,", y[0])
		if test.task == "classify" {
			want = fmt.Sprint("1,0,", y[0])
		}
		if status != 0 || !sameRecords(lines[len(lines)-1:], []string{want}) {
			t.Errorf("%s: status %d: %s%q, not %s", test.name, status, errOut, lines, want)
		}
	}
}

// table writes the first sequence of x, whose steps and features are so many
// elements apart, with an end after each step.
func table(x tensor.Tensor, steps, features, step, feature int, end string) string {
	var text strings.Builder
	for i := range steps {
		for k := range features {
			fmt.Fprint(&text, x.Data.([]float32)[i*step+k*feature])
			if k < features-1 {
				text.WriteString(",")
			}
		}
		if i < steps-1 {
			text.WriteString(end)
		}
	}
	return text.String()
}

// writeChain writes a model that has x [batch, time, features] go through those
// operators, and returns its path.
func writeChain(t *testing.T, features int, operators ...string) string {
	t.Helper()
	x := onnxgraph.Value{Name: "x", Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Symbol: "batch"}, {Symbol: "time"}, {Size: features}}}
	ints := func(name string, values ...int64) onnxgraph.Tensor {
		return onnxgraph.Tensor{Name: name, Tensor: tensor.Tensor{Shape: []int{len(values)}, Data: values}}
	}
	constants := map[string][]string{
		"Gather": {"last"}, "GatherND": {"start"}, "Reshape": {"shape"}, "Slice": {"start", "end", "axis"},
		"Squeeze": {"axis"}, "Unsqueeze": {"axis"},
	}
	attributes := map[string][]onnxgraph.Attribute{
		"Cast":      {{Name: "to", Value: onnxgraph.Number(onnxgraph.Float32)}},
		"Gather":    {{Name: "axis", Value: int64(1)}},
		"Transpose": {{Name: "perm", Value: []int64{1, 0, 2}}},
	}
	g := onnxgraph.Graph{
		Name: "g", Inputs: []onnxgraph.Value{x}, Outputs: []onnxgraph.Value{{Name: "y", Type: onnxgraph.Float32}},
		Initializers: []onnxgraph.Tensor{
			ints("axis", 1), ints("start", -1), ints("end", math.MaxInt64), ints("shape", 0, -1, int64(features)),
			{Name: "last", Tensor: tensor.Of([]int64{-1})},
		},
	}
	value := "x"
	for i, op := range operators {
		next := fmt.Sprint("v", i)
		if i == len(operators)-1 {
			next = "y"
		}
		g.Nodes = append(g.Nodes, onnxgraph.Node{
			Name: next, OpType: op, Inputs: append([]string{value}, constants[op]...), Outputs: []string{next}, Attributes: attributes[op],
		})
		value = next
	}
	data, err := onnxgraph.Marshal(&onnxgraph.Model{IRVersion: 8, Opsets: []onnxgraph.Opset{{Version: 17}}, Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
