package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/npy"
)

// readTensor reads a tensor of that type from a .npy or .json file, or from
// value itself as JSON.
func readTensor(value string, want tensor.Type) (tensor.Tensor, error) {
	switch filepath.Ext(value) {
	case ".npy":
		file, err := os.Open(value)
		if err != nil {
			return tensor.Tensor{}, err
		}
		defer file.Close()
		t, err := npy.Read(file)
		if err != nil {
			return tensor.Tensor{}, fmt.Errorf("%s: %w", value, err)
		}
		return convertTensor(t, want)
	case ".json":
		data, err := os.ReadFile(value)
		if err != nil {
			return tensor.Tensor{}, err
		}
		t, err := parseTensor(data, want)
		if err != nil {
			return tensor.Tensor{}, fmt.Errorf("%s: %w", value, err)
		}
		return t, nil
	}
	return parseTensor([]byte(value), want)
}

// convertTensor makes NumPy's default types, float64 and int64, the one that a
// model reads, where no integer is lost.
func convertTensor(t tensor.Tensor, want tensor.Type) (tensor.Tensor, error) {
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

// overflows tells whether a finite number is infinite as float32.
func overflows(v float64) bool {
	return math.IsInf(float64(float32(v)), 0) && !math.IsInf(v, 0)
}

// parseTensor reads nested lists as a tensor of that type. What JSON has no
// numbers for are the strings "NaN", "+Inf" and "-Inf".
func parseTensor(data []byte, want tensor.Type) (tensor.Tensor, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return tensor.Tensor{}, fmt.Errorf("not JSON: %w: give nested lists of numbers, or a .npy or .json file", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return tensor.Tensor{}, errors.New("there is more after the JSON: give one list")
	}
	return tensorOf(document, want)
}

// tensorOf makes nested lists a tensor.
func tensorOf(document any, want tensor.Type) (tensor.Tensor, error) {
	shape := []int{}
	for inner := document; ; {
		list, ok := inner.([]any)
		if !ok {
			break
		}
		shape = append(shape, len(list))
		if len(list) == 0 {
			break
		}
		inner = list[0]
	}
	var leaves []any
	if err := flatten(document, shape, &leaves); err != nil {
		return tensor.Tensor{}, err
	}
	switch want {
	case tensor.Float16:
		return parseAll(leaves, shape, func(s string) (tensor.Half, error) {
			v, err := strconv.ParseFloat(s, 32)
			return tensor.HalfOf(float32(v)), err
		})
	case tensor.Float32:
		return parseAll(leaves, shape, func(s string) (float32, error) {
			v, err := strconv.ParseFloat(s, 32)
			return float32(v), err
		})
	case tensor.Float64:
		return parseAll(leaves, shape, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	case tensor.Int32:
		return parseAll(leaves, shape, func(s string) (int32, error) {
			v, err := strconv.ParseInt(s, 10, 32)
			return int32(v), err
		})
	case tensor.Int64:
		return parseAll(leaves, shape, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case tensor.Uint8:
		return parseAll(leaves, shape, func(s string) (uint8, error) {
			v, err := strconv.ParseUint(s, 10, 8)
			return uint8(v), err
		})
	}
	return parseAll(leaves, shape, strconv.ParseBool)
}

// flatten appends the leaves of nested lists of that shape.
func flatten(document any, shape []int, leaves *[]any) error {
	list, ok := document.([]any)
	switch {
	case ok != (len(shape) > 0) || ok && len(list) != shape[0]:
		return errors.New("the lists are not of the same length: give a row of numbers for each row")
	case !ok:
		*leaves = append(*leaves, document)
		return nil
	}
	for _, inner := range list {
		if err := flatten(inner, shape[1:], leaves); err != nil {
			return err
		}
	}
	return nil
}

func parseAll[T tensor.Element](leaves []any, shape []int, parse func(string) (T, error)) (tensor.Tensor, error) {
	data := make([]T, len(leaves))
	for i, leaf := range leaves {
		v, err := parse(fmt.Sprint(leaf))
		if err != nil {
			return tensor.Tensor{}, fmt.Errorf("element %d is %v, not a %s: give nested lists of such", i, leaf, tensor.Tensor{Data: data}.Type())
		}
		data[i] = v
	}
	return tensor.Of(data, shape...), nil
}

// writeTensor writes t to a .npy file, or any other as JSON.
func writeTensor(path string, t tensor.Tensor) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if filepath.Ext(path) == ".npy" {
		err = npy.Write(f, t)
	} else {
		err = writeList(f, t, "\n")
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return f.Commit()
}

// writeList writes t as nested lists in JSON, and end. It takes no memory for the text,
// which is many times as large as t.
func writeList(out io.Writer, t tensor.Tensor, end string) error {
	if err := printableList(t); err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	next := 0
	writeRows(w, t, t.Shape, &next)
	w.WriteString(end)
	return w.Flush() // which has the error of every write before
}

// maxEmpty is how many lists are written that hold nothing: their number is bounded
// by no memory.
const maxEmpty = 1 << 20

// printableList returns an error for a tensor that is no list in JSON.
func printableList(t tensor.Tensor) error {
	if t.Data == nil {
		return errors.New("the tensor has no type that can be written")
	}
	if t.Len() > 0 {
		return nil
	}
	lists := 1
	for _, d := range t.Shape {
		if d > maxEmpty/max(lists, 1) {
			return fmt.Errorf("shape %v has no elements, and too many lists to write: write it to a .npy file", t.Shape)
		}
		if lists *= d; d == 0 {
			break
		}
	}
	return nil
}

// writeRows writes what of t has that shape from element next on, and goes beyond it.
func writeRows(w *bufio.Writer, t tensor.Tensor, shape []int, next *int) {
	if len(shape) == 0 {
		w.Write(appendElement(w.AvailableBuffer(), t, *next))
		*next++
		return
	}
	w.WriteByte('[')
	for i := range shape[0] {
		if i > 0 {
			w.WriteByte(',')
		}
		writeRows(w, t, shape[1:], next)
	}
	w.WriteByte(']')
}

// appendElement appends element i of t in JSON.
func appendElement(text []byte, t tensor.Tensor, i int) []byte {
	switch data := t.Data.(type) {
	case []tensor.Half:
		return appendFloat(text, float64(data[i].Float32()), 32)
	case []float32:
		return appendFloat(text, float64(data[i]), 32)
	case []float64:
		return appendFloat(text, data[i], 64)
	case []int32:
		return strconv.AppendInt(text, int64(data[i]), 10)
	case []int64:
		return strconv.AppendInt(text, data[i], 10)
	case []uint8:
		return strconv.AppendUint(text, uint64(data[i]), 10)
	case []bool:
		return strconv.AppendBool(text, data[i])
	}
	return text
}

// appendFloat appends v, and what JSON has no number for as a string.
func appendFloat(text []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(text, strconv.FormatFloat(v, 'g', -1, bits))
	}
	return strconv.AppendFloat(text, v, 'g', -1, bits)
}
