// Package npy reads and writes .npy files, in which NumPy stores one array:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

const (
	magic     = "\x93NUMPY"
	maxHeader = 1 << 16
	maxRank   = 32 // NumPy's
)

// The header of a file is a Python dictionary. NumPy writes its entries in this order;
// in any other order they are found by their keys.
var (
	descrEntry   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	fortranEntry = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shapeEntry   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9,\s]*)\)`)
)

// Read reads an array whose elements have one of the types of a tensor. It reads
// either byte order, and row-major or column-major order. It takes memory in proportion
// to what r holds, whatever the header says.
func Read(r io.Reader) (tensor.Tensor, error) {
	text, err := readHeader(r)
	if err != nil {
		return tensor.Tensor{}, err
	}
	descr, fortran, dims := descrEntry.FindStringSubmatch(text), fortranEntry.FindStringSubmatch(text), shapeEntry.FindStringSubmatch(text)
	if descr == nil || fortran == nil || dims == nil {
		return tensor.Tensor{}, fmt.Errorf("the header of the .npy file is damaged, or of a structured array: %q: save a plain array with numpy.save", text)
	}
	shape := []int{}
	for _, word := range strings.FieldsFunc(dims[1], func(c rune) bool { return c == ',' || c == ' ' }) {
		d, err := strconv.Atoi(word)
		if err != nil || len(shape) == maxRank {
			return tensor.Tensor{}, fmt.Errorf("the .npy file has the shape %q, which is not one: save it again", dims[1])
		}
		shape = append(shape, d)
	}
	size, err := tensor.Size(shape)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("the .npy file is damaged: %w: save it again", err)
	}
	t, err := readElements(r, descr[1], size)
	if err != nil {
		return tensor.Tensor{}, err
	}
	t.Shape = shape
	if fortran[1] == "True" {
		t = rowMajor(t)
	}
	return t, nil
}

func readHeader(r io.Reader) (string, error) {
	start := make([]byte, len(magic)+2)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(magic)]) != magic {
		return "", errors.New("not a .npy file: it does not begin as one: save the array with numpy.save")
	}
	length := 0
	switch major := start[len(magic)]; major {
	case 1:
		var n uint16
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return "", errShort
		}
		length = int(n)
	case 2, 3:
		var n uint32
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return "", errShort
		}
		if n > maxHeader {
			return "", fmt.Errorf("the header of the .npy file has %d bytes: it may be damaged: save it again", n)
		}
		length = int(n)
	default:
		return "", fmt.Errorf("the .npy file has format %d, not 1 to 3: save it with another version of NumPy", major)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", errShort
	}
	return string(header), nil
}

var errShort = errors.New("the .npy file breaks off: it may be truncated: save it again")

// codes has NumPy's codes of the element types: a letter for the kind, and the bytes of
// an element.
var codes = map[tensor.Type]string{
	tensor.Float16: "f2", tensor.Float32: "f4", tensor.Float64: "f8",
	tensor.Int32: "i4", tensor.Int64: "i8", tensor.Uint8: "u1", tensor.Bool: "b1",
}

// readElements reads size elements of NumPy's type descr, which is a code behind the
// order of bytes.
func readElements(r io.Reader, descr string, size int) (tensor.Tensor, error) {
	order := binary.ByteOrder(binary.LittleEndian)
	if strings.HasPrefix(descr, ">") {
		order = binary.BigEndian
	}
	for typ, code := range codes {
		if code == strings.TrimLeft(descr, "<>|=") {
			return read(r, order, typ, size, int(code[1]-'0'))
		}
	}
	return tensor.Tensor{}, fmt.Errorf("the .npy file holds elements of type %q, which is not supported: save it with .astype(numpy.float32), or int64", descr)
}

// read reads size elements of so many bytes each.
func read(r io.Reader, order binary.ByteOrder, typ tensor.Type, size, width int) (tensor.Tensor, error) {
	if size > int(^uint(0)>>1)/width {
		return tensor.Tensor{}, errShort
	}
	// ReadAll grows with the data, so that a wrong header takes no memory.
	data, err := io.ReadAll(io.LimitReader(r, int64(size*width)))
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("cannot read the .npy file: %w", err)
	}
	if len(data) < size*width {
		return tensor.Tensor{}, errShort
	}
	t := tensor.Zeros(typ, size)
	_, err = binary.Decode(data, order, t.Data)
	return t, err
}

// rowMajor returns t, whose elements are in column-major order, with its elements in
// row-major order.
func rowMajor(t tensor.Tensor) tensor.Tensor {
	places := make([]int, t.Len())
	index := make([]int, len(t.Shape))
	for at := range places {
		stride := 1
		for k, i := range index {
			places[at] += i * stride
			stride *= t.Shape[k]
		}
		for k := len(index) - 1; k >= 0; k-- {
			if index[k]++; index[k] < t.Shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return t.Pick(places, t.Shape...)
}

// byteOrder returns NumPy's sign for little-endian, or for elements of one byte.
func byteOrder(code string) string {
	if code[1] == '1' {
		return "|"
	}
	return "<"
}

// Write writes t in row-major order, little-endian. It fails if t has no element type.
func Write(w io.Writer, t tensor.Tensor) error {
	code, ok := codes[t.Type()]
	if !ok {
		return errors.New("the tensor is empty: there is nothing to write")
	}
	var shape strings.Builder
	for _, d := range t.Shape {
		fmt.Fprintf(&shape, "%d, ", d)
	}
	dims := strings.TrimSuffix(shape.String(), " ")
	if len(t.Shape) > 1 {
		dims = strings.TrimSuffix(dims, ",")
	}
	header := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", byteOrder(code), code, dims)
	const align = 64
	start := len(magic) + 4
	header += strings.Repeat(" ", align-1-(start+len(header))%align) + "\n"
	var b bytes.Buffer
	b.WriteString(magic + "\x01\x00")
	binary.Write(&b, binary.LittleEndian, uint16(len(header)))
	b.WriteString(header)
	if err := binary.Write(&b, binary.LittleEndian, t.Data); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}
