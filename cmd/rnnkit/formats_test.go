package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// field is a row of a table of docs/formats.md.
type field struct {
	name, kind string // such as "format" and "integer, optional"
}

// documented returns the fields that docs/formats.md lists for the given type.
func documented(t *testing.T, name string) (fields []field) {
	t.Helper()
	text, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- fields of "+name+" -->\n")
	table, _, _ := strings.Cut(rest, "\n\n")
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+?) \\|").FindAllStringSubmatch(table, -1) {
		fields = append(fields, field{row[1], row[2]})
	}
	if !found || len(fields) == 0 {
		t.Fatalf("docs/formats.md lists no fields of %s", name)
	}
	return fields
}

// TestFormatsOfJSON compares the tables of docs/formats.md with the types that are
// written as JSON.
func TestFormatsOfJSON(t *testing.T) {
	for name, value := range map[string]any{
		"models.Metadata":       models.Metadata{},
		"models.Spec":           models.Spec{},
		"models.Direct":         models.Direct{},
		"models.Category":       models.Category{},
		"models.Component":      models.Component{},
		"models.Forecasting":    models.Forecasting{},
		"models.Detection":      models.Detection{},
		"models.Spread":         models.Spread{},
		"models.CategoryValues": models.CategoryValues{},
		"models.Scale":          models.Scale{},
		"models.StatePair":      models.StatePair{},
		"models.Training":       models.Training{},
		"trainer.Epoch":         trainer.Epoch{},
	} {
		if got, want := documented(t, name), fieldsOf(reflect.TypeOf(value)); !slices.Equal(got, want) {
			t.Errorf("docs/formats.md lists of %s\n%v\nbut the code has\n%v", name, got, want)
		}
	}
}

// fieldsOf returns the JSON fields of a struct.
func fieldsOf(typ reflect.Type) (fields []field) {
	for _, f := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		kind := jsonKind(f.Type)
		if options == "omitempty" {
			kind += ", optional"
		}
		fields = append(fields, field{name, kind})
	}
	return fields
}

// jsonKind returns the kind of value that a type becomes in JSON.
func jsonKind(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.String:
		return "string"
	case reflect.Slice:
		return "array of " + jsonKind(typ.Elem()) + "s"
	case reflect.Pointer:
		return jsonKind(typ.Elem())
	case reflect.Struct:
		return "object"
	}
	return "unknown"
}

// TestFormatOfCheckpoint reads a checkpoint as docs/formats.md describes it.
func TestFormatOfCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	model, examples := fitted(t, trainer.Options{Epochs: 2, Patience: 5, Checkpoint: path})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		t.Error("the last 32 bytes are not the SHA-256 of the others")
	}
	line, body, _ := bytes.Cut(body, []byte("\n"))
	if string(line) != "rnnkit checkpoint 4" {
		t.Errorf("the first line is %q", line)
	}
	head, body, _ := bytes.Cut(body, []byte("\n"))
	checkHeader(t, head)
	params := model.Params.Data
	if want := 4*4*len(params) + 8*examples; len(body) != want { // parameters, two moments, the best
		t.Fatalf("the blocks and the order have %d bytes, want %d", len(body), want)
	}
	best := body[4*3*len(params):]
	for i, p := range params { // those of a fit with a Patience are the best
		if got := math.Float32frombits(binary.LittleEndian.Uint32(best[4*i:])); got != p {
			t.Fatalf("parameter %d is %g, want %g", i, got, p)
		}
	}
	seen := make([]bool, examples)
	for i := range examples {
		seen[binary.LittleEndian.Uint64(body[4*4*len(params)+8*i:])] = true
	}
	if slices.Contains(seen, false) {
		t.Error("the order lacks an example")
	}
}

// checkHeader compares the header of a checkpoint with its table.
func checkHeader(t *testing.T, line []byte) {
	t.Helper()
	var header map[string]any
	if err := json.Unmarshal(line, &header); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]reflect.Kind{
		"array of objects": reflect.Slice, "object": reflect.Map, "string": reflect.String,
		"number": reflect.Float64, "integer": reflect.Float64,
	}
	fields := documented(t, "checkpoint")
	for _, f := range fields {
		if got := reflect.ValueOf(header[f.name]).Kind(); got != kinds[f.kind] {
			t.Errorf("%s is %v, want %s", f.name, header[f.name], f.kind)
		}
	}
	if len(header) != len(fields) {
		t.Errorf("the header has %d fields, and docs/formats.md lists %d: %s", len(header), len(fields), line)
	}
}

// fitted returns a model after a short training, and the number of its examples.
func fitted(t *testing.T, options trainer.Options) (*models.Model, int) {
	t.Helper()
	var series []float32
	for _, y := range datasets.Sine(60, 0.1, 0) {
		series = append(series, float32(y))
	}
	model, err := models.New(models.Forecaster("y", 5), 0)
	if err != nil {
		t.Fatal(err)
	}
	windows, err := datasets.NewWindows(series, model.Window)
	if err != nil {
		t.Fatal(err)
	}
	train, test, err := windows.Split(0.8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.Fit(context.Background(), model, train, test, options); err != nil {
		t.Fatal(err)
	}
	return model, train.Len()
}

// TestFormatOfState reads an encoded state as docs/formats.md describes it.
func TestFormatOfState(t *testing.T) {
	model, err := infer.Open("../../infer/testdata/sine.onnx")
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	state := model.NewState()
	if _, err := model.Step(context.Background(), state, []float32{0.5}); err != nil {
		t.Fatal(err)
	}
	data, err := state.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	line, data, _ := bytes.Cut(data, []byte("\n"))
	if string(line) != "rnnkit state 1" {
		t.Errorf("the first line is %q", line)
	}
	r := bytes.NewReader(data)
	if n := number(t, r); n != 2 {
		t.Fatalf("the state has %d tensors, want 2", n)
	}
	for _, want := range []string{"c0", "h0"} {
		name := make([]byte, number(t, r))
		r.Read(name)
		if string(name) != want {
			t.Fatalf("the tensor is %q, want %q", name, want)
		}
		shape := make([]int, number(t, r))
		for i := range shape {
			shape[i] = number(t, r)
		}
		if !slices.Equal(shape, []int{1, 1, 32}) {
			t.Fatalf("%s has shape %v, want [1 1 32]", name, shape)
		}
		values := make([]float32, 32)
		if err := binary.Read(r, binary.LittleEndian, values); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if !(math.Abs(float64(v)) < 1) || v == 0 {
				t.Errorf("%s has the value %g after a step, want one between -1 and 1 other than 0", name, v)
			}
		}
	}
	if r.Len() > 0 {
		t.Errorf("%d bytes are left", r.Len())
	}
}

// number reads an unsigned varint.
func number(t *testing.T, r *bytes.Reader) int {
	t.Helper()
	n, err := binary.ReadUvarint(r)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}
