package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/verify"
	"github.com/rnnkit/rnnkit/models"
)

type exportOptions struct {
	*streams
	output string
	state  string
}

const exportLong = `Write a model that rnnkit exported again, in the form of today's files, with its
parameters and all that its metadata say. With --state input the file takes the
state as required inputs h0 (and c0 for an LSTM) and gives it back as hn (and cn):
zeros begin a sequence, and any runtime can go on step by step. With none every run
begins with zeros. In Go both forms run and stream alike.

Before it is written the new file must give the old one's answers to random inputs.`

const exportExample = `  rnnkit export old.onnx -o new.onnx --state input
  rnnkit export rhyme.onnx -o whole.onnx --state none`

func newExportCmd(s *streams) *cobra.Command {
	return newVerbCmd(&exportOptions{streams: s}, &cobra.Command{
		Use:     "export MODEL.onnx -o NEW.onnx",
		Short:   "Write a model of ours again, with its state or without",
		Long:    exportLong,
		Example: exportExample,
		Args:    oneModel("rnnkit export MODEL.onnx -o NEW.onnx"),
	})
}

func (o *exportOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.output, "output", "o", "", "the ONNX file to write")
	flags.StringVar(&o.state, "state", "", "input or none (default input for a model that generates, else none)")
}

func (o *exportOptions) validate() error {
	switch {
	case o.output == "":
		return usagef("say where to write the model: -o FILE.onnx")
	case o.state != "" && o.state != stateInput && o.state != stateNone:
		return usagef("--state is %q: it must be %s or %s", o.state, stateInput, stateNone)
	}
	return nil
}

func (o *exportOptions) run(ctx context.Context, args []string) error {
	path := args[0]
	old, err := readModel(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	meta, data, err := o.rewrite(old)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	d, err := exportDifference(ctx, meta, old, data)
	if err != nil {
		return fmt.Errorf("%s: written again it answers something else, so it is not as rnnkit exported it: %w", path, err)
	}
	if err := atomicfile.Write(o.output, data); err != nil {
		return err
	}
	fmt.Fprintf(o.Err, "verified: it differs from %s by at most %.1e\nwrote %s: %d bytes\n", path, d, o.output, len(data))
	return nil
}

// rewrite returns the model of a file with the state that is asked for, as a file.
func (o *exportOptions) rewrite(old []byte) (*models.Metadata, []byte, error) {
	m, err := export.Unmarshal(old)
	if err != nil {
		return nil, nil, err
	}
	m.State = nil
	if o.state == stateInput || o.state == "" && m.Task == models.Generate {
		m.State = m.Spec.State()
	}
	data, err := export.Marshal(m)
	if err != nil {
		return nil, nil, err
	}
	data, err = withProperties(data, old)
	return &m.Metadata, data, err
}

// withProperties adds to the model in data the metadata of old that are not ours.
func withProperties(data, old []byte) ([]byte, error) {
	from, err := onnxgraph.Unmarshal(old)
	if err != nil || len(from.Metadata) == 1 {
		return data, err
	}
	to, err := onnxgraph.Unmarshal(data)
	if err != nil {
		return nil, err
	}
	for _, p := range from.Metadata {
		if p.Key != models.MetadataKey {
			to.Metadata = append(to.Metadata, p)
		}
	}
	return onnxgraph.Marshal(to)
}

// maxCompare is how long the comparison of the old file and the new one may take.
const maxCompare = time.Minute

// exportDifference opens two files of a model and compares their answers.
func exportDifference(ctx context.Context, meta *models.Metadata, old, data []byte) (float64, error) {
	ctx, cancel := withTimeout(ctx, maxCompare)
	defer cancel()
	var opened [2]*infer.Model
	for i, file := range [][]byte{old, data} {
		var err error
		if opened[i], err = tryOpen(ctx, modelFile{data: file}, "native", "", maxCompare); err != nil {
			return 0, err
		}
		defer opened[i].Close()
	}
	return verify.Models(ctx, meta, opened[0], opened[1], sequenceLength(meta))
}
