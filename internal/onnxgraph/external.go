package onnxgraph

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

// External says where tensors may store data outside the model's file. The zero
// External allows no such data.
type External struct {
	Dir   string // the model's folder, which no path may leave
	Limit int64  // the most bytes that all of them may take
}

// location is a key of every external tensor.
var location = []byte("location")

// InOtherFiles reports whether any tensor of a serialized model, at any depth, stores
// its data in another file.
func InOtherFiles(model []byte) bool {
	if !bytes.Contains(model, location) {
		return false
	}
	p, err := decode(model, known)
	if err != nil {
		return false
	}
	return graphOutside(p.Graph) || slices.ContainsFunc(p.Functions, func(f *onnxpb.FunctionProto) bool {
		return slices.ContainsFunc(f.Node, nodeOutside) || slices.ContainsFunc(f.AttributeProto, attributeOutside)
	})
}

func graphOutside(g *onnxpb.GraphProto) bool {
	return slices.ContainsFunc(g.GetInitializer(), tensorOutside) || slices.ContainsFunc(g.GetNode(), nodeOutside) || slices.ContainsFunc(g.GetSparseInitializer(), mayBeOutside)
}

func nodeOutside(n *onnxpb.NodeProto) bool { return slices.ContainsFunc(n.Attribute, attributeOutside) }

func attributeOutside(a *onnxpb.AttributeProto) bool {
	return tensorOutside(a.T) || graphOutside(a.G) || mayBeOutside(a.SparseTensor) ||
		slices.ContainsFunc(slices.Concat(a.Tensors, a.Graphs, a.SparseTensors), mayBeOutside)
}

func tensorOutside(t *onnxpb.TensorProto) bool {
	return len(t.GetExternalData()) > 0 || t.GetDataLocation() != onnxpb.TensorProto_DEFAULT
}

// mayBeOutside reports whether a message that this package does not decode may refer
// to another file.
func mayBeOutside(message []byte) bool { return bytes.Contains(message, location) }

// Whole returns a serialized model with the data of its external tensors copied into
// it.
func Whole(model []byte, external External) ([]byte, error) {
	if !bytes.Contains(model, location) {
		return model, nil
	}
	p, err := decode(model, proto.UnmarshalOptions{})
	if err != nil || p.Graph == nil {
		return model, nil // the next reader of the file reports the error
	}
	if err := external.load(p.Graph, 1); err != nil {
		return nil, err
	}
	return proto.Marshal(p)
}

// load copies the data of the external tensors into a graph.
func (e *External) load(g *onnxpb.GraphProto, depth int) error {
	if e.Dir == "" || depth > maxDepth {
		return nil // reader.graph reports the error
	}
	for _, t := range g.Initializer {
		if err := e.loadTensor(t); err != nil {
			return fmt.Errorf("tensor %q: %w", t.GetName(), err)
		}
	}
	for i, n := range g.Node {
		for _, a := range n.Attribute {
			err := e.loadTensor(a.T)
			if err == nil && a.G != nil {
				err = e.load(a.G, depth+1)
			}
			if err != nil {
				return fmt.Errorf("node %d (op %q, name %q): attribute %q: %w", i, n.GetOpType(), n.GetName(), a.GetName(), err)
			}
		}
	}
	return nil
}

func (e *External) loadTensor(t *onnxpb.TensorProto) error {
	if t.GetDataLocation() != onnxpb.TensorProto_EXTERNAL {
		return nil
	}
	raw, err := e.open(t)
	if err != nil {
		return err
	}
	defer raw.Close()
	data := make([]byte, raw.size)
	if _, err := io.ReadFull(raw, data); err != nil {
		return fmt.Errorf("external data: %w", err)
	}
	t.RawData, t.ExternalData, t.DataLocation = data, nil, nil
	return nil
}

// open returns the data of an external tensor.
func (e *External) open(t *onnxpb.TensorProto) (rawData, error) {
	var location string
	offset, length := int64(0), int64(-1)
	for _, entry := range t.ExternalData {
		kv := new(onnxpb.StringStringEntryProto)
		err := proto.Unmarshal(entry, kv)
		switch kv.GetKey() {
		case "location":
			location = kv.GetValue()
		case "offset":
			offset, err = strconv.ParseInt(kv.GetValue(), 10, 64)
		case "length":
			if length, err = strconv.ParseInt(kv.GetValue(), 10, 64); length < 0 {
				err = strconv.ErrRange
			}
		}
		if err != nil || offset < 0 {
			return rawData{}, fmt.Errorf("external data: %q is %q, and must be readable and from 0 on", kv.GetKey(), kv.GetValue())
		}
	}
	raw, err := e.section(location, offset, length)
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%q: %w", location, failed.Err)
	}
	if err == nil {
		if err = e.take(raw.size, typeOf(t)); err != nil {
			raw.Close()
		}
	}
	if err != nil {
		return rawData{}, fmt.Errorf("external data: %w", err)
	}
	return raw, nil
}

// section returns length bytes of a file in the folder, starting at offset. A length
// of -1 means all that follow.
func (e *External) section(location string, offset, length int64) (rawData, error) {
	root, err := os.OpenRoot(e.Dir)
	if err != nil {
		return rawData{}, err
	}
	defer root.Close()
	info, err := root.Stat(location)
	switch {
	case err != nil:
		return rawData{}, err
	case !info.Mode().IsRegular():
		return rawData{}, fmt.Errorf("%q is no file", location)
	case offset > info.Size():
		return rawData{}, fmt.Errorf("%q has %d bytes, and ends before the offset %d", location, info.Size(), offset)
	case length < 0:
		length = info.Size() - offset
	}
	if length > info.Size()-offset {
		return rawData{}, fmt.Errorf("%q has %d bytes, and not %d from %d on", location, info.Size(), length, offset)
	}
	file, err := root.Open(location)
	return rawData{io.NewSectionReader(file, offset, length), length, file}, err
}

// take deducts the bytes of a tensor from the limit. A float16 counts three times,
// for itself and its float32 copy.
func (e *External) take(bytes int64, t DataType) error {
	if t == Float16 {
		bytes = 3 * min(bytes, math.MaxInt64/3)
	}
	if bytes > e.Limit {
		return errors.New("the tensors outside of the model's file are too large: allow more memory")
	}
	e.Limit -= bytes
	return nil
}
