package onnxgraph

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// decode makes messages of the bytes of a model, if these do not take many times the
// memory of the bytes: an empty message takes two of them.
func decode(data []byte, options proto.UnmarshalOptions) (*onnxpb.ModelProto, error) {
	p := new(onnxpb.ModelProto)
	c := counter{left: 1<<26 + 8*len(data)}
	c.message(p.ProtoReflect().Descriptor(), data)
	if c.left < 0 {
		return nil, fmt.Errorf("the model has too many nodes, attributes or names for a file of %d bytes: it may be damaged", len(data))
	}
	if err := options.Unmarshal(data, p); err != nil {
		return nil, notParsed(data)
	}
	return p, nil
}

// known reads only what onnxpb has.
var known = proto.UnmarshalOptions{DiscardUnknown: true}

// notParsed says what is wrong with bytes that are not protobuf.
func notParsed(data []byte) error {
	if truncated(data) {
		return fmt.Errorf("the model breaks off after %d bytes: the file may be truncated: save or fetch it again", len(data))
	}
	return errors.New("not an ONNX model: the file cannot be parsed as protobuf")
}

// truncated reports whether data is a model that ends within a field. Writers
// put the fields in order, so a model starts with field 1, the ir_version.
func truncated(data []byte) bool {
	if num, typ, _ := protowire.ConsumeTag(data); num != 1 || typ != protowire.VarintType {
		return false
	}
	for len(data) > 0 {
		_, _, n := protowire.ConsumeField(data)
		if n < 0 {
			return errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF)
		}
		data = data[n:]
	}
	return false
}

// counter counts what the messages of a file take in memory, about.
type counter struct {
	left int // bytes
}

const (
	messageSize = 256 // of a message without what it refers to
	headerSize  = 32  // of a string or a list, in a list that grows
	scalarSize  = 16  // of a number, in a list that grows
)

// message counts the fields of a message. Bytes that are none are for the parser to
// refuse.
func (c *counter) message(d protoreflect.MessageDescriptor, data []byte) {
	for len(data) > 0 && c.left >= 0 {
		num, typ, n := protowire.ConsumeTag(data)
		if n < 0 {
			return
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(num, typ, data)
		if size < 0 {
			return
		}
		if f := d.Fields().ByNumber(num); f != nil {
			c.field(f, typ, data[:size])
		}
		data = data[size:]
	}
}

// field counts the value of a field.
func (c *counter) field(f protoreflect.FieldDescriptor, typ protowire.Type, value []byte) {
	if typ != protowire.BytesType {
		c.left -= scalarSize
		return
	}
	content, _ := protowire.ConsumeBytes(value)
	switch f.Kind() {
	case protoreflect.MessageKind:
		c.left -= messageSize
		c.message(f.Message(), content)
	case protoreflect.StringKind, protoreflect.BytesKind:
		c.left -= headerSize + len(content)
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		c.left -= len(content)
	default: // integers, of one byte each at least
		for _, b := range content {
			if b < 0x80 {
				c.left -= 8
			}
		}
	}
}
