package infer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// An encoded state has this header, the number of its tensors, and for each its name,
// shape and values. Numbers and lengths are varints, values little-endian float32.
const stateHeader = "rnnkit state 1\n"

// maxRank is the most dimensions that a tensor of an encoded state may have.
const maxRank = 8

// MarshalBinary returns s as bytes that [State.UnmarshalBinary] reads. Equal states give
// equal bytes. They fit the model that s belongs to, on any engine.
func (s *State) MarshalBinary() ([]byte, error) {
	data := []byte(stateHeader)
	data = binary.AppendUvarint(data, uint64(len(s.tensors)))
	order := make([]int, len(s.tensors))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(s.names[a], s.names[b]) })
	for _, i := range order {
		name, t := s.names[i], s.tensors[i]
		values, err := tensor.Values[float32](t)
		if err != nil {
			return nil, fmt.Errorf("state %q: %w", name, err)
		}
		data = binary.AppendUvarint(data, uint64(len(name)))
		data = append(data, name...)
		data = binary.AppendUvarint(data, uint64(len(t.Shape)))
		for _, d := range t.Shape {
			data = binary.AppendUvarint(data, uint64(d))
		}
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
	}
	return data, nil
}

// UnmarshalBinary sets s to the state that [State.MarshalBinary] wrote. If data is anything
// else it returns an error and leaves s as it is. The next step returns an error if the
// names, types or shapes are not those of its model. It cannot notice a state of another
// model with the same ones: see [State].
func (s *State) UnmarshalBinary(data []byte) error {
	rest, ok := bytes.CutPrefix(data, []byte(stateHeader))
	if !ok {
		return fmt.Errorf("not a state: it does not begin with %q: give what MarshalBinary returned", stateHeader)
	}
	d := decoder{rest: rest}
	var names []string
	var tensors []tensor.Tensor
	seen := make(map[string]bool)
	for range d.length() {
		name, t := string(d.bytes(d.length())), d.tensor()
		if d.damaged = d.damaged || seen[name]; d.damaged {
			break
		}
		seen[name] = true
		names, tensors = append(names, name), append(tensors, t)
	}
	if d.damaged || len(d.rest) > 0 {
		return errors.New("the state is damaged: give all that MarshalBinary returned, and nothing else")
	}
	*s = State{names: names, tensors: tensors}
	return nil
}

// decoder reads what is left of an encoded state.
type decoder struct {
	rest    []byte
	damaged bool
}

// number returns the next number.
func (d *decoder) number() int {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > math.MaxInt {
		d.damaged = true
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

// length returns a number of items, each of which takes at least a byte of the rest.
func (d *decoder) length() int {
	n := d.number()
	if n > len(d.rest) {
		d.damaged = true
		return 0
	}
	return n
}

// bytes returns the next n bytes of the rest, or none if it has fewer.
func (d *decoder) bytes(n int) []byte {
	if n > len(d.rest) {
		d.damaged = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) tensor() tensor.Tensor {
	rank := d.length()
	if rank > maxRank {
		d.damaged = true
		return tensor.Tensor{}
	}
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = d.number()
	}
	size, err := tensor.Size(shape)
	if err != nil || size > len(d.rest)/4 {
		d.damaged = true
		return tensor.Tensor{}
	}
	values := make([]float32, size)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(d.bytes(4)))
	}
	return tensor.Of(values, shape...)
}
