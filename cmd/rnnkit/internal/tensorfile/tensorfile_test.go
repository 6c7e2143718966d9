package tensorfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/npy"
)

func TestParseJSON(t *testing.T) {
	for text, want := range map[string]tensor.Tensor{
		`[[1, 2.5], ["NaN", "-Inf"]]`: tensor.Of([]float32{1, 2.5, 0, 0}, 2, 2),
		`7`:                           tensor.Of([]float32{7}),
		`[]`:                          tensor.Of([]float32{}, 0),
		`[[[1]],[[2]]]`:               tensor.Of([]float32{1, 2}, 2, 1, 1),
	} {
		got, err := ParseJSON([]byte(text), tensor.Float32)
		if err != nil || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
			t.Errorf("%s: %v, not %v (%v)", text, got, want, err)
			continue
		}
		if back, err := written(got); err != nil || back != compact(t, text) {
			t.Errorf("%s comes back as %s (%v)", text, back, err)
		}
	}
	for _, test := range []struct {
		text string
		want tensor.Type
	}{
		{`[9007199254740993]`, tensor.Int64}, {`[-3]`, tensor.Int32}, {`[255]`, tensor.Uint8}, {`[true,false]`, tensor.Bool},
		{`[0.5]`, tensor.Float16}, {`[0.1]`, tensor.Float64},
	} {
		got, err := ParseJSON([]byte(test.text), test.want)
		if err != nil || got.Type() != test.want {
			t.Errorf("%s: %v (%v)", test.text, got, err)
			continue
		}
		if back, err := written(got); err != nil || back != test.text {
			t.Errorf("%s comes back as %s (%v)", test.text, back, err)
		}
	}
	for text, want := range map[string]string{
		`[1,`: "not JSON", `[1] [2]`: "more after the JSON", `[[1],[2,3]]`: "not of the same length", `[[1],2]`: "not of the same length",
		`["a"]`: "element 0 is a", `[null]`: "element 0 is", `{"a":1}`: "element 0", `[1e99]`: "element 0",
	} {
		if _, err := ParseJSON([]byte(text), tensor.Float32); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for text, typ := range map[string]tensor.Type{
		`[1.5]`: tensor.Int64, `[256]`: tensor.Uint8, `[3000000000]`: tensor.Int32, `[2]`: tensor.Bool,
	} {
		if got, err := ParseJSON([]byte(text), typ); err == nil {
			t.Errorf("%s as %s: %v", text, typ, got)
		}
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRead reads NumPy's default types as what a model reads, but no
// number that does not fit.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	for _, test := range []struct {
		x    tensor.Tensor
		want tensor.Type
		err  string
	}{
		{tensor.Of([]float64{1, 2}, 2), tensor.Float32, ""},
		{tensor.Of([]float64{math.Inf(-1), math.NaN()}, 2), tensor.Float32, ""},
		{tensor.Of([]int64{1, 2}, 2), tensor.Int32, ""},
		{tensor.Of([]int64{1, 255}, 2), tensor.Uint8, ""},
		{tensor.Of([]int32{1, 2}, 2), tensor.Int64, ""},
		{tensor.Of([]float64{1e38, -1e300}, 2), tensor.Float32, "element 1 is -1e+300, too large for float32"},
		{tensor.Of([]int64{1 << 40}, 1), tensor.Int32, "convert it with"},
		{tensor.Of([]int64{-1}, 1), tensor.Uint8, "convert it with"},
		{tensor.Of([]int64{1}, 1), tensor.Float32, "convert it with"},
		{tensor.Of([]float32{1}, 1), tensor.Int64, "convert it with"},
	} {
		var b bytes.Buffer
		if err := npy.Write(&b, test.x); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, test.want)
		switch {
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%v as %s: %v (%v)", test.x, test.want, got, err)
		case test.err == "" && (err != nil || got.Type() != test.want || fmt.Sprint(got.Data) != fmt.Sprint(test.x.Data)):
			t.Errorf("%v as %s: %v (%v)", test.x, test.want, got, err)
		}
	}
}

// FuzzParseJSON reads any text; what is read comes back.
func FuzzParseJSON(f *testing.F) {
	for _, text := range []string{`[[1,2],[3,4]]`, `[]`, `7`, `["NaN"]`, `[[],[]]`, strings.Repeat("[", 100) + strings.Repeat("]", 100)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := ParseJSON(data, tensor.Float32)
		if err != nil || x.Len() == 0 {
			return
		}
		text, err := written(x)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseJSON([]byte(text), tensor.Float32)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(x) {
			t.Fatalf("%v, then %v (%v)", x, again, err)
		}
	})
}

// written returns what WriteJSON writes of t.
func written(t tensor.Tensor) (string, error) {
	var b strings.Builder
	err := WriteJSON(&b, t)
	return b.String(), err
}

// TestListsOfNothing writes tensors without elements, whose lists no memory bounds.
func TestListsOfNothing(t *testing.T) {
	for _, test := range []struct {
		shape []int
		text  string // "" for one that is refused
	}{
		{[]int{2, 0, 1 << 60}, "[[],[]]"},
		{[]int{0, 1 << 60}, "[]"},
		{[]int{1 << 60, 0}, ""},
		{[]int{1 << 11, 1 << 11, 0}, ""},
	} {
		text, err := written(tensor.Of([]float32{}, test.shape...))
		if text != test.text || (err != nil) != (test.text == "") {
			t.Errorf("%v is written as %.40q (%v)", test.shape, text, err)
		}
	}
}

// TestListsTakeNoMemory writes many elements, which takes no more than a buffer.
func TestListsTakeNoMemory(t *testing.T) {
	x := tensor.Of(make([]float32, 1<<16), 1<<8, 1<<8)
	if n := testing.AllocsPerRun(1, func() {
		if err := WriteJSON(io.Discard, x); err != nil {
			t.Error(err)
		}
	}); n > 100 {
		t.Errorf("%v allocations for %d elements", n, x.Len())
	}
}
