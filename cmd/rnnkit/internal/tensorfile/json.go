package tensorfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// ParseJSON reads nested lists as a tensor of the type want. The strings "NaN", "+Inf"
// and "-Inf" stand for the values that JSON has no numbers for.
func ParseJSON(data []byte, want tensor.Type) (tensor.Tensor, error) {
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

// shapeOf returns the lengths of the lists, as the first at each depth has them.
func shapeOf(document any) []int {
	shape := []int{}
	for {
		list, ok := document.([]any)
		if !ok {
			return shape
		}
		shape = append(shape, len(list))
		if len(list) == 0 {
			return shape
		}
		document = list[0]
	}
}

// tensorOf makes nested lists a tensor.
func tensorOf(document any, want tensor.Type) (tensor.Tensor, error) {
	shape := shapeOf(document)
	var leaves []any
	if err := flatten(document, shape, &leaves); err != nil {
		return tensor.Tensor{}, err
	}
	switch want {
	case tensor.Float16:
		return parseAll(leaves, shape, parseHalf)
	case tensor.Float32:
		return parseAll(leaves, shape, parseFloat[float32](32))
	case tensor.Float64:
		return parseAll(leaves, shape, parseFloat[float64](64))
	case tensor.Int32:
		return parseAll(leaves, shape, parseInt[int32](32))
	case tensor.Int64:
		return parseAll(leaves, shape, parseInt[int64](64))
	case tensor.Uint8:
		return parseAll(leaves, shape, parseByte)
	}
	return parseAll(leaves, shape, strconv.ParseBool)
}

func parseHalf(s string) (tensor.Half, error) {
	v, err := strconv.ParseFloat(s, 32)
	return tensor.HalfOf(float32(v)), err
}

func parseFloat[T float32 | float64](bits int) func(string) (T, error) {
	return func(s string) (T, error) {
		v, err := strconv.ParseFloat(s, bits)
		return T(v), err
	}
}

func parseInt[T int32 | int64](bits int) func(string) (T, error) {
	return func(s string) (T, error) {
		v, err := strconv.ParseInt(s, 10, bits)
		return T(v), err
	}
}

func parseByte(s string) (uint8, error) {
	v, err := strconv.ParseUint(s, 10, 8)
	return uint8(v), err
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

// WriteJSON writes t as nested lists in one line, without an end of line. It needs no
// memory for the text, which is many times as large as t.
func WriteJSON(out io.Writer, t tensor.Tensor) error {
	if err := CheckJSON(t); err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	next := 0
	writeRows(w, t, t.Shape, &next)
	return w.Flush() // which has the error of every write before
}

// maxEmpty is how many lists without elements are written: no memory limits their
// number.
const maxEmpty = 1 << 20

// CheckJSON returns an error for a tensor that WriteJSON cannot write.
func CheckJSON(t tensor.Tensor) error {
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

// writeRows writes the elements of t from next on as lists of that shape, and moves
// next behind them.
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

// appendFloat appends v as a number, or as a string if JSON has no number for it.
func appendFloat(text []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(text, strconv.FormatFloat(v, 'g', -1, bits))
	}
	return strconv.AppendFloat(text, v, 'g', -1, bits)
}
