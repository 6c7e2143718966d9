package npy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// TestNumPy reads what NumPy wrote, and writes the same bytes.
func TestNumPy(t *testing.T) {
	half := []tensor.Half{0xbe00, 0xb800, 0x3800, 0x3e00, 0x4100, 0x4300} // -1.5, -0.5, 0.5, 1.5, 2.5, 3.5
	f4 := []float32{-1.5, -0.5, 0.5, 1.5, 2.5, 3.5}
	i8 := []int64{-1, 0, 0, 1, 2, 3}
	inOrder := make([]float32, 24)
	for i := range inOrder {
		inOrder[i] = float32(i)
	}
	for name, want := range map[string]tensor.Tensor{
		"little_f2": tensor.Of(half, 2, 3),
		"little_f4": tensor.Of(f4, 2, 3),
		"big_f4":    tensor.Of(f4, 2, 3),
		"little_f8": tensor.Of([]float64{-1.5, -0.5, 0.5, 1.5, 2.5, 3.5}, 2, 3),
		"little_i4": tensor.Of([]int32{-1, 0, 0, 1, 2, 3}, 2, 3),
		"little_i8": tensor.Of(i8, 2, 3),
		"big_i8":    tensor.Of(i8, 2, 3),
		"u1":        tensor.Of([]uint8{1, 0, 0, 1, 2, 3}, 2, 3),
		"b1":        tensor.Of([]bool{true, true, true, true, true, true}, 2, 3),
		"fortran":   tensor.Of(inOrder, 2, 3, 4),
		"scalar":    tensor.Of([]float32{7}),
		"vector":    tensor.Of([]int64{0, 1, 2}, 3),
		"version2":  tensor.Of([]int64{0, 1, 2}, 3),
		"empty":     tensor.Of([]float32{}, 0, 3),
	} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(bytes.NewReader(data))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || got.Type() != want.Type() {
			t.Errorf("%s: %v, not %v (%v)", name, got, want, err)
		}
		if strings.HasPrefix(name, "big") || name == "fortran" || name == "version2" {
			continue
		}
		var b bytes.Buffer
		if err := Write(&b, want); err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Errorf("%s: wrote\n%q, not\n%q (%v)", name, b.Bytes(), data, err)
		}
	}
}

// file is a .npy file of that header and those elements.
func file(header, elements string) string {
	return magic + "\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + elements
}

func TestReadRefuses(t *testing.T) {
	for data, want := range map[string]string{
		"":                                 "not a .npy file",
		"PK\x03\x04 and more":              "not a .npy file",
		magic + "\x04\x00":                 "has format 4",
		magic + "\x01\x00":                 "breaks off",
		magic + "\x01\x00\xff\xff{'descr'": "breaks off",
		magic + "\x02\x00\xff\xff\xff\xff": "has 4294967295 bytes",
		file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", ""):                       "structured array",
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234567"):                         "breaks off",
		file("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "1234567"):                          `type "|O"`,
		file("{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", "1234567"):                         `type "<c8"`,
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "1234567"):                        "damaged",
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,), }", ""):              "not one",
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807,), }", ""):              "breaks off",
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", ""):            "too large",
		file("{'descr': '<f4', 'fortran_order': False, 'shape': ("+strings.Repeat("1,", 33)+"), }", "12345"): "not one",
	} {
		if _, err := Read(strings.NewReader(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
	if err := Write(new(bytes.Buffer), tensor.Tensor{}); err == nil {
		t.Error("a tensor without a type is written")
	}
}

// FuzzRead reads any bytes; what is read comes back after writing.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.npy")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := Write(&first, x); err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(first.Bytes()))
		if err != nil || !reflect.DeepEqual(again.Shape, x.Shape) {
			t.Fatal(again.Shape, x.Shape, err)
		}
		if err := Write(&second, again); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("%q, then %q (%v)", first.Bytes(), second.Bytes(), err)
		}
	})
}

func Example() {
	var file bytes.Buffer
	if err := Write(&file, tensor.Of([]float32{1, 2, 3, 4}, 2, 2)); err != nil {
		panic(err)
	}
	x, err := Read(&file)
	fmt.Println(x.Shape, x.Data, err)
	// Output: [2 2] [1 2 3 4] <nil>
}
