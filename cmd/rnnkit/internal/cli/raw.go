package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tensorfile"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/npy"
)

// runRaw feeds tensors to the model and prints or writes those that come out.
func (o *inferOptions) runRaw(ctx context.Context, model *infer.Model) error {
	given, asNPY, err := o.rawInputs(model)
	if err != nil {
		return err
	}
	files, names, err := o.rawOutputs(model)
	if err != nil {
		return err
	}
	if asNPY && (len(names) != 1 || len(files) > 0) && len(names) != len(files) {
		return usagef("a .npy file in gives one out, and the model has %d outputs: choose with --output NAME, or --output NAME=FILE for each", len(names))
	}
	results, err := model.Run(ctx, given, names...)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	var printed []string
	for _, name := range names {
		switch file := files[name]; {
		case file != "":
			if err := tensorfile.Write(file, results[name]); err != nil {
				return err
			}
		case asNPY:
			return npy.Write(o.Out, results[name])
		default:
			printed = append(printed, name)
		}
	}
	return o.printRaw(results, printed)
}

// rawInputs returns the tensors of --input, and from standard input those that the
// model needs beside them. asNPY says that this was a .npy file.
func (o *inferOptions) rawInputs(model *infer.Model) (given map[string]tensor.Tensor, asNPY bool, err error) {
	given = map[string]tensor.Tensor{}
	for _, text := range o.inputs {
		in, value, err := nameOf("--input", text, model.Inputs())
		if err != nil {
			return nil, false, err
		}
		if given[in.Name], err = tensorfile.Read(value, in.Type); err != nil {
			return nil, false, fmt.Errorf("--input %s: %w", in.Name, err)
		}
	}
	var missing []tensor.Info
	for _, in := range model.Inputs() {
		if _, ok := given[in.Name]; !ok && !in.Optional {
			missing = append(missing, in)
		}
	}
	if len(missing) > 0 {
		asNPY, err = o.readRaw(missing, model.Inputs(), given)
	}
	return given, asNPY, err
}

// printRaw prints the results of these names, if any, as one JSON object.
func (o *inferOptions) printRaw(results map[string]tensor.Tensor, names []string) error {
	for _, name := range names {
		if err := tensorfile.CheckJSON(results[name]); err != nil {
			return fmt.Errorf("output %q: %w", name, err)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	before := "{"
	for _, name := range slices.Compact(names) {
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(o.Out, "%s%s:", before, key); err != nil {
			return err
		}
		if err := tensorfile.WriteJSON(o.Out, results[name]); err != nil {
			return err
		}
		before = ","
	}
	_, err := fmt.Fprintln(o.Out, "}")
	return err
}

// readRaw reads inputs from standard input, and reports whether it was a .npy file.
func (o *inferOptions) readRaw(missing, all []tensor.Info, given map[string]tensor.Tensor) (asNPY bool, err error) {
	o.greet()
	data, err := io.ReadAll(o.In)
	if err != nil {
		return false, fmt.Errorf("cannot read standard input: %w", err)
	}
	first := missing[0]
	switch text := bytes.TrimSpace(data); {
	case bytes.HasPrefix(data, []byte("\x93NUMPY")) && len(missing) == 1:
		t, err := npy.Read(bytes.NewReader(data))
		if err == nil {
			given[first.Name], err = tensorfile.Convert(t, first.Type)
		}
		return true, wrapInput(first.Name, err)
	case bytes.HasPrefix(text, []byte("[")) && len(missing) == 1:
		given[first.Name], err = tensorfile.ParseJSON(data, first.Type)
		return false, wrapInput(first.Name, err)
	case bytes.HasPrefix(text, []byte("{")):
		return false, readObject(data, all, given)
	}
	return false, fmt.Errorf("standard input has no tensors: feed %v as a JSON object of nested lists by name, or with --input NAME=FILE", missing)
}

// readObject reads inputs from a JSON object of nested lists by name.
func readObject(data []byte, inputs []tensor.Info, given map[string]tensor.Tensor) error {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("standard input is not JSON: %w: give an object of nested lists by name", err)
	}
	for _, in := range inputs {
		value, ok := document[in.Name]
		if !ok {
			continue
		}
		t, err := tensorfile.ParseJSON(value, in.Type)
		if err != nil {
			return wrapInput(in.Name, err)
		}
		given[in.Name] = t
		delete(document, in.Name)
	}
	for name := range document {
		return fmt.Errorf("standard input has %q, which is no input: the model reads %v", name, inputs)
	}
	return nil
}

func wrapInput(name string, err error) error {
	if err != nil {
		return fmt.Errorf("input %q: %w", name, err)
	}
	return nil
}

// rawOutputs returns the outputs that are asked for, all by default, and the
// files of those that are written to one.
func (o *inferOptions) rawOutputs(model *infer.Model) (files map[string]string, names []string, err error) {
	files = map[string]string{}
	for _, text := range o.outputs {
		out, file, err := nameOf("--output", text, model.Outputs())
		if err != nil && strings.Contains(text, "=") {
			return nil, nil, err
		}
		if err != nil {
			out.Name = text
		} else {
			files[out.Name] = file
		}
		names = append(names, out.Name)
	}
	if len(names) == 0 {
		for _, out := range model.Outputs() {
			names = append(names, out.Name)
		}
	}
	return files, names, nil
}

// nameOf splits NAME=VALUE, where names may have a = in them.
func nameOf(flag, text string, infos []tensor.Info) (tensor.Info, string, error) {
	for _, info := range infos {
		if value, ok := strings.CutPrefix(text, info.Name+"="); ok && value != "" {
			return info, value, nil
		}
	}
	return tensor.Info{}, "", usagef("%s %s: it must be NAME=VALUE, where the model has %v", flag, text, infos)
}
