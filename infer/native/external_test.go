package native

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
)

// TestExternalData opens a model whose weights are the last 12 bytes of a file of
// 16, and some that ask for others.
func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "model")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	weights := []byte("\x00\x00\x10\x41\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40") // 9, 1, 2 and 3
	for _, path := range []string{filepath.Join(folder, "w.bin"), filepath.Join(dir, "w.bin")} {
		if err := os.WriteFile(path, weights, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../w.bin", filepath.Join(folder, "link.bin")); err != nil {
		t.Fatal(err)
	}
	allowed := []Option{ExternalData(folder)}
	for _, test := range []struct {
		name   string
		fields []string // keys and values
		opts   []Option
		want   string // part of the error, "" for none
	}{
		{"part", []string{"location", "w.bin", "offset", "4", "length", "12"}, allowed, ""},
		{"rest", []string{"location", "w.bin", "offset", "4"}, allowed, ""},
		{"not allowed", []string{"location", "w.bin", "offset", "4"}, nil, "open the model with native.ExternalData"},
		{"up", []string{"location", "../w.bin", "offset", "4"}, allowed, "escapes"},
		{"absolute", []string{"location", filepath.Join(folder, "w.bin"), "offset", "4"}, allowed, "escapes"},
		{"link", []string{"location", "link.bin", "offset", "4"}, allowed, "escapes"},
		{"folder", []string{"location", "."}, allowed, "no file"},
		{"no file", []string{"location", "v.bin"}, allowed, "v.bin"},
		{"negative", []string{"location", "w.bin", "offset", "-4"}, allowed, "offset"},
		{"negative length", []string{"location", "w.bin", "offset", "4", "length", "-1"}, allowed, `"length" is "-1"`},
		{"offset behind the end", []string{"location", "w.bin", "offset", "17"}, allowed, "has 16 bytes, and ends before the offset 17"},
		{"offset far behind the end", []string{"location", "w.bin", "offset", "9223372036854775807"}, allowed, "ends before the offset"},
		{"behind the end", []string{"location", "w.bin", "offset", "4", "length", "16"}, allowed, "has 16 bytes"},
		{"overflow", []string{"location", "w.bin", "offset", "9223372036854775807", "length", "9223372036854775807"}, allowed, "has 16 bytes"},
		{"other size", []string{"location", "w.bin"}, allowed, "3 elements"},
		{"too large", []string{"location", "w.bin", "offset", "4"}, []Option{ExternalData(folder), MaxMemory(8)}, "allow more memory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			session, err := New(test.opts...).Open(external(t, test.fields))
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `tensor "b"`) {
					t.Errorf("the error is %v, not %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			y := run(t, session, tensors{"x": x23})["y"]
			if err := onnxtest.Compare(y, tensor.Of([]float32{2, 4, 6, 5, 7, 9}, 2, 3), 0, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// external returns a model that adds an external tensor of 3 elements to x.
func external(t *testing.T, fields []string) []byte {
	p := new(onnxpb.ModelProto)
	if err := proto.Unmarshal(marshal(t, oneNode("Add", []onnxgraph.Tensor{floats("b", 3)})), p); err != nil {
		t.Fatal(err)
	}
	w := p.Graph.Initializer[0]
	w.RawData, w.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
	for i := 0; i < len(fields); i += 2 {
		entry, err := proto.Marshal(&onnxpb.StringStringEntryProto{Key: &fields[i], Value: &fields[i+1]})
		if err != nil {
			t.Fatal(err)
		}
		w.ExternalData = append(w.ExternalData, entry)
	}
	data, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
