package ort

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

// Placement says where an operator of a model runs.
type Placement struct {
	Node     string // its name; nodes that ONNX Runtime inserts have names of their own
	Op       string
	Provider string // "CPUExecutionProvider", "CUDAExecutionProvider"
	Shapes   bool   // it only computes shapes and indices, in integers
}

// String shows p as "Op node (provider)".
func (p Placement) String() string { return fmt.Sprintf("%s %q (%s)", p.Op, p.Node, p.Provider) }

// Placements opens a model on an engine of this package and lists where each of its
// operators runs, in order of execution. It reads the list from the profile of a run
// on zeros, with open dimensions of size 1, because the binding does not expose the
// session's own list. Branches not taken are missing.
func Placements(e engine.Engine, model []byte) ([]Placement, error) {
	o, ok := e.(*ortEngine)
	if !ok {
		return nil, fmt.Errorf("%s is no engine of ONNX Runtime: give one of ort.CPU or ort.CUDA", e)
	}
	placements, err := o.placements(model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e, err)
	}
	return placements, nil
}

// checkPlacements returns an error that lists the operators that fell back to the CPU.
func (e *ortEngine) checkPlacements(model []byte) error {
	placements, err := e.placements(model)
	if err != nil {
		return err
	}
	if list := fallen(placements); len(list) > 0 {
		return fmt.Errorf("%d operators fell back to the CPU: %s: run without RequireProvider, or on the CPU", len(list), strings.Join(list, ", "))
	}
	return nil
}

// fallen names the operators that the CPU computes, except those that only compute
// shapes.
func fallen(placements []Placement) (list []string) {
	for _, p := range placements {
		if p.Provider == "CPUExecutionProvider" && !p.Shapes {
			list = append(list, fmt.Sprintf("%s %q", p.Op, p.Node))
		}
	}
	return list
}

func (e ortEngine) placements(model []byte) ([]Placement, error) {
	dir, err := os.MkdirTemp("", "rnnkit-profile")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	e.profile, e.required = filepath.Join(dir, "profile"), false
	s, err := e.load(model)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	inputs, err := zeros(s.Inputs())
	if err != nil {
		return nil, err
	}
	if _, err := s.Run(context.Background(), inputs); err != nil {
		return nil, fmt.Errorf("a run on zeros, to see where operators run: %w", err)
	}
	if err := s.Close(); err != nil { // writes the profile
		return nil, err
	}
	files, err := filepath.Glob(e.profile + "*")
	if err != nil || len(files) != 1 {
		return nil, errors.Join(err, fmt.Errorf("ONNX Runtime wrote %d profiles", len(files)))
	}
	profile, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	return placementsOf(profile)
}

// zeros returns tensors of zeros for the inputs without a default.
func zeros(infos []tensor.Info) (map[string]tensor.Tensor, error) {
	inputs := make(map[string]tensor.Tensor)
	for _, info := range infos {
		if info.Optional {
			continue
		}
		shape := make([]int, len(info.Shape))
		for i, d := range info.Shape {
			shape[i] = max(d.Size, 1)
		}
		const most = 1 << 26
		if size, err := tensor.Size(shape); err != nil || size > most {
			return nil, fmt.Errorf("input %s is too large for a run on zeros", info)
		}
		inputs[info.Name] = tensor.Zeros(info.Type, shape...)
	}
	return inputs, nil
}

// placementsOf reads the profile of one run.
func placementsOf(profile []byte) ([]Placement, error) {
	var events []struct {
		Cat, Name string
		Args      struct {
			Provider string
			Op       string           `json:"op_name"`
			Outputs  []map[string]any `json:"output_type_shape"`
		}
	}
	if err := json.Unmarshal(profile, &events); err != nil {
		return nil, fmt.Errorf("the profile cannot be read: %w", err)
	}
	var placements []Placement
	for _, event := range events {
		name, ok := strings.CutSuffix(event.Name, "_kernel_time")
		if event.Cat != "Node" || !ok {
			continue
		}
		p := Placement{Node: name, Op: event.Args.Op, Provider: event.Args.Provider, Shapes: len(event.Args.Outputs) > 0}
		for _, output := range event.Args.Outputs {
			for typ := range output {
				p.Shapes = p.Shapes && (typ == "int64" || typ == "int32" || typ == "bool")
			}
		}
		placements = append(placements, p)
	}
	return placements, nil
}
