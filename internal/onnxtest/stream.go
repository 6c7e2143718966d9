package onnxtest

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/npy"
)

// Stream is a sequence of frames for a model with a state, and the expected outputs.
// It reads stream_ortref.json and stream_ortref.npz in the model's folder.
type Stream struct {
	States [][2]string // pairs of an input and the output that feeds it

	frame  string                   // the input that receives the frames
	consts map[string]tensor.Tensor // the other inputs

	arrays map[string]tensor.Tensor // frames, out_NAME and final_NAME
	first  map[string]tensor.Tensor // the initial states, all zeros
}

// ReadStream reads the stream in a model's folder.
func ReadStream(dir string) (*Stream, error) {
	data, err := os.ReadFile(filepath.Join(dir, "stream_ortref.json"))
	if err != nil {
		return nil, err
	}
	var doc struct {
		FrameInput string              `json:"frame_input"`
		States     [][]json.RawMessage `json:"states"`
		Consts     []struct {
			Name   string
			Dims   []int
			Values []int64
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	s := &Stream{frame: doc.FrameInput, consts: make(map[string]tensor.Tensor), first: make(map[string]tensor.Tensor)}
	for _, state := range doc.States {
		var in, out string
		var shape []int
		if len(state) != 3 {
			return nil, fmt.Errorf("a state has %d parts, want an input, an output and a shape", len(state))
		}
		for i, part := range []any{&in, &out, &shape} {
			if err := json.Unmarshal(state[i], part); err != nil {
				return nil, err
			}
		}
		size, err := tensor.Size(shape)
		if err != nil {
			return nil, err
		}
		s.States = append(s.States, [2]string{in, out})
		s.first[in] = tensor.Of(make([]float32, size), shape...)
	}
	for _, c := range doc.Consts {
		s.consts[c.Name] = tensor.Of(c.Values, c.Dims...)
	}
	s.arrays, err = readNPZ(filepath.Join(dir, "stream_ortref.npz"))
	return s, err
}

// Run feeds the frames and the returned states to a session. It compares every output
// of every frame and the final states with the stream's, as [Compare] does.
func (s *Stream) Run(ctx context.Context, session engine.Session, rtol, atol float64) error {
	inputs := make(map[string]tensor.Tensor)
	for _, more := range []map[string]tensor.Tensor{s.consts, s.first} {
		for name, t := range more {
			inputs[name] = t
		}
	}
	var outputs []string
	for _, v := range session.Outputs() {
		outputs = append(outputs, v.Name)
	}
	for i := range s.arrays["frames"].Shape[0] {
		inputs[s.frame] = slice(s.arrays["frames"], i)
		results, err := session.Run(ctx, inputs, outputs...)
		if err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
		for name, t := range results {
			want, ok := s.arrays["out_"+name]
			if !ok {
				continue
			}
			if err := Compare(t, slice(want, i), rtol, atol); err != nil {
				return fmt.Errorf("frame %d, output %q: %w", i, name, err)
			}
		}
		for _, state := range s.States {
			inputs[state[0]] = results[state[1]]
		}
	}
	for _, state := range s.States {
		if err := Compare(inputs[state[0]], s.arrays["final_"+state[0]], rtol, atol); err != nil {
			return fmt.Errorf("the last state %q: %w", state[1], err)
		}
	}
	return nil
}

// slice returns element i of the first dimension of a float32 tensor.
func slice(t tensor.Tensor, i int) tensor.Tensor {
	n := t.Len() / t.Shape[0]
	return tensor.Of(t.Data.([]float32)[i*n:(i+1)*n], t.Shape[1:]...)
}

// readNPZ reads the float32 arrays of a NumPy archive.
func readNPZ(path string) (map[string]tensor.Tensor, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	arrays := make(map[string]tensor.Tensor)
	for _, file := range archive.File {
		r, err := file.Open()
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(file.Name, ".npy")
		arrays[name], err = npy.Read(r)
		r.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	return arrays, nil
}
