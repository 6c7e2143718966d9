package cli

import (
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

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/npy"
)

// readTensor reads a tensor of that type from a .npy or .json file, or from
// value itself as JSON.
func readTensor(value string, want engine.Type) (engine.Tensor, error) {
	switch filepath.Ext(value) {
	case ".npy":
		file, err := os.Open(value)
		if err != nil {
			return engine.Tensor{}, err
		}
		defer file.Close()
		t, err := npy.Read(file)
		if err != nil {
			return engine.Tensor{}, fmt.Errorf("%s: %w", value, err)
		}
		return convertTensor(t, want)
	case ".json":
		data, err := os.ReadFile(value)
		if err != nil {
			return engine.Tensor{}, err
		}
		t, err := parseTensor(data, want)
		if err != nil {
			return engine.Tensor{}, fmt.Errorf("%s: %w", value, err)
		}
		return t, nil
	}
	return parseTensor([]byte(value), want)
}

// convertTensor makes NumPy's default types, float64 and int64, the one that a
// model reads, where no integer is lost.
func convertTensor(t engine.Tensor, want engine.Type) (engine.Tensor, error) {
	switch data := t.Data.(type) {
	case []float64:
		if want == engine.Float32 {
			if i := slices.IndexFunc(data, overflows); i >= 0 {
				return t, fmt.Errorf("element %d is %g, too large for float32, which ends at 3.4e38: use a larger unit", i, data[i])
			}
			t.Data = narrow[float32](data)
		}
	case []int64:
		switch {
		case want == engine.Int32 && within(data, math.MinInt32, math.MaxInt32):
			t.Data = narrow[int32](data)
		case want == engine.Uint8 && within(data, 0, math.MaxUint8):
			t.Data = narrow[uint8](data)
		}
	case []int32:
		if want == engine.Int64 {
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
func parseTensor(data []byte, want engine.Type) (engine.Tensor, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return engine.Tensor{}, fmt.Errorf("not JSON: %w: give nested lists of numbers, or a .npy or .json file", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return engine.Tensor{}, errors.New("there is more after the JSON: give one list")
	}
	return tensorOf(document, want)
}

// tensorOf makes nested lists a tensor.
func tensorOf(document any, want engine.Type) (engine.Tensor, error) {
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
		return engine.Tensor{}, err
	}
	switch want {
	case engine.Float16:
		return parseAll(leaves, shape, func(s string) (engine.Half, error) {
			v, err := strconv.ParseFloat(s, 32)
			return engine.HalfOf(float32(v)), err
		})
	case engine.Float32:
		return parseAll(leaves, shape, func(s string) (float32, error) {
			v, err := strconv.ParseFloat(s, 32)
			return float32(v), err
		})
	case engine.Float64:
		return parseAll(leaves, shape, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	case engine.Int32:
		return parseAll(leaves, shape, func(s string) (int32, error) {
			v, err := strconv.ParseInt(s, 10, 32)
			return int32(v), err
		})
	case engine.Int64:
		return parseAll(leaves, shape, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case engine.Uint8:
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

func parseAll[T engine.Element](leaves []any, shape []int, parse func(string) (T, error)) (engine.Tensor, error) {
	data := make([]T, len(leaves))
	for i, leaf := range leaves {
		v, err := parse(fmt.Sprint(leaf))
		if err != nil {
			return engine.Tensor{}, fmt.Errorf("element %d is %v, not a %s: give nested lists of such", i, leaf, engine.Tensor{Data: data}.Type())
		}
		data[i] = v
	}
	return engine.Of(data, shape...), nil
}

// writeTensor writes t to a .npy file, or any other as JSON.
func writeTensor(path string, t engine.Tensor) error {
	if filepath.Ext(path) == ".npy" {
		var b bytes.Buffer
		if err := npy.Write(&b, t); err != nil {
			return err
		}
		return atomicfile.Write(path, b.Bytes())
	}
	text, err := listOf(t)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, append(text, '\n'))
}

// listOf returns t as nested lists in JSON.
func listOf(t engine.Tensor) (json.RawMessage, error) {
	words := wordsOf(t)
	if words == nil && t.Len() > 0 {
		return nil, errors.New("the tensor has no type that can be written")
	}
	return appendList(nil, t.Shape, &words), nil
}

func appendList(text []byte, shape []int, words *[]string) []byte {
	if len(shape) == 0 {
		text = append(text, (*words)[0]...)
		*words = (*words)[1:]
		return text
	}
	text = append(text, '[')
	for i := range shape[0] {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendList(text, shape[1:], words)
	}
	return append(text, ']')
}

func wordsOf(t engine.Tensor) []string {
	switch data := t.Data.(type) {
	case []engine.Half:
		return wordsBy(data, func(v engine.Half) string { return floatWord(float64(v.Float32()), 32) })
	case []float32:
		return wordsBy(data, func(v float32) string { return floatWord(float64(v), 32) })
	case []float64:
		return wordsBy(data, func(v float64) string { return floatWord(v, 64) })
	case []int32:
		return wordsBy(data, func(v int32) string { return fmt.Sprint(v) })
	case []int64:
		return wordsBy(data, func(v int64) string { return fmt.Sprint(v) })
	case []uint8:
		return wordsBy(data, func(v uint8) string { return fmt.Sprint(v) })
	case []bool:
		return wordsBy(data, func(v bool) string { return fmt.Sprint(v) })
	}
	return nil
}

func wordsBy[T any](data []T, word func(T) string) []string {
	words := make([]string, len(data))
	for i, v := range data {
		words[i] = word(v)
	}
	return words
}

func floatWord(v float64, bits int) string {
	word := strconv.FormatFloat(v, 'g', -1, bits)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.Quote(word)
	}
	return word
}
