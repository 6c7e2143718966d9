// Package tensorfile reads and writes single tensors as NumPy's .npy files and as
// nested lists in JSON.
package tensorfile

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/npy"
)

// Read returns a tensor of the type want, which the shape of the file gives: from the
// .npy or .json file that value names, or from value itself as JSON.
func Read(value string, want tensor.Type) (tensor.Tensor, error) {
	var t tensor.Tensor
	var err error
	switch filepath.Ext(value) {
	case ".npy":
		t, err = readNPY(value, want)
	case ".json":
		var data []byte
		if data, err = os.ReadFile(value); err != nil {
			return t, err
		}
		t, err = ParseJSON(data, want)
	default:
		return ParseJSON([]byte(value), want)
	}
	if err != nil {
		return t, fmt.Errorf("%s: %w", value, err)
	}
	return t, nil
}

func readNPY(path string, want tensor.Type) (tensor.Tensor, error) {
	file, err := os.Open(path)
	if err != nil {
		return tensor.Tensor{}, err
	}
	defer file.Close()
	t, err := npy.Read(file)
	if err != nil {
		return t, err
	}
	return Convert(t, want)
}

// Write writes t to a .npy file, or to a file of any other name as JSON. A file that
// is there stays as it is if that fails.
func Write(path string, t tensor.Tensor) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if filepath.Ext(path) == ".npy" {
		err = npy.Write(f, t)
	} else if err = WriteJSON(f, t); err == nil {
		_, err = f.Write([]byte{'\n'})
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return f.Commit()
}

// Convert converts NumPy's default types, float64 and int64, and int32 to the type that
// a model reads, if the type is near and holds every value. It is an error if t then
// has another type.
func Convert(t tensor.Tensor, want tensor.Type) (tensor.Tensor, error) {
	switch data := t.Data.(type) {
	case []float64:
		if want == tensor.Float32 {
			if i := slices.IndexFunc(data, overflows); i >= 0 {
				return t, fmt.Errorf("element %d is %g, too large for float32, which ends at 3.4e38: use a larger unit", i, data[i])
			}
			t.Data = narrow[float32](data)
		}
	case []int64:
		switch {
		case want == tensor.Int32 && within(data, math.MinInt32, math.MaxInt32):
			t.Data = narrow[int32](data)
		case want == tensor.Uint8 && within(data, 0, math.MaxUint8):
			t.Data = narrow[uint8](data)
		}
	case []int32:
		if want == tensor.Int64 {
			t.Data = narrow[int64](data)
		}
	}
	if t.Type() != want {
		return t, fmt.Errorf("it holds %s, and the model reads %s: convert it with .astype(numpy.%s)", t.Type(), want, want)
	}
	return t, nil
}

type number interface {
	float32 | float64 | int32 | int64 | uint8
}

func narrow[To, From number](data []From) []To {
	out := make([]To, len(data))
	for i, v := range data {
		out[i] = To(v)
	}
	return out
}

func within(data []int64, low, high int64) bool {
	return !slices.ContainsFunc(data, func(v int64) bool { return v < low || v > high })
}

// overflows reports whether a finite number is infinite as float32.
func overflows(v float64) bool {
	return math.IsInf(float64(float32(v)), 0) && !math.IsInf(v, 0)
}
