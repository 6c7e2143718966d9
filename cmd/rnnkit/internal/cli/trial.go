package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/ortlib"
	"github.com/rnnkit/rnnkit/models"
)

// trial opens a model on ONNX Runtime in a process of its own, since a file can keep
// ONNX Runtime busy for hours, make it take all memory, or crash it.
type trial struct {
	engine  string // onnxruntime or cuda
	library string
	memory  int // bytes, beside what the file itself takes
}

// outcome is what the process prints.
type outcome struct {
	Refusal string             `json:"refusal"` // "" if ONNX Runtime opened the model
	State   []models.StatePair `json:"state"`
}

// tryVerb is the hidden verb that the process runs.
const tryVerb = "try-engine"

func (t trial) name() string { return engineOf(t.engine, t.library).String() }

// run returns the state of the model, or the error with which it could not be opened.
func (t trial) run(ctx context.Context, data []byte) ([]models.StatePair, error) {
	name := t.name()
	if !ort.Cgo {
		_, err := engineOf(t.engine, t.library).Open(data) // which says so
		return nil, err
	}
	if _, err := ortlib.Find(t.library); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	limit := t.memory + 4*len(data) // ONNX Runtime keeps some copies
	cmd := exec.CommandContext(ctx, self, tryVerb, "--engine", t.engine, "--ort-lib", t.library, "--max-memory", strconv.Itoa(limit))
	cmd.Args[0] = os.Args[0]
	cmd.WaitDelay = time.Second
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out, &errOut
	err = cmd.Run()
	var answer outcome
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: opening the model is broken off: %w", name, context.Cause(ctx))
	case err != nil || json.Unmarshal(out.Bytes(), &answer) != nil:
		line, _, _ := bytes.Cut(errOut.Bytes(), []byte("\n"))
		return nil, fmt.Errorf("%s: opening the model within %d MiB ended the process (%w): %s", name, limit>>20, err, line)
	case answer.Refusal != "":
		return nil, errors.New(answer.Refusal)
	}
	return answer.State, nil
}

// tryOptions are those of the verb that trial.run starts.
type tryOptions struct {
	*streams
	trial
}

func newTryCmd(s *streams) *cobra.Command {
	return newVerbCmd(&tryOptions{streams: s}, &cobra.Command{
		Use:    tryVerb,
		Short:  "Open the model on standard input on ONNX Runtime, and say whether that succeeds",
		Hidden: true,
		Args:   cobra.NoArgs,
	})
}

func (o *tryOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.engine, "engine", "onnxruntime", "onnxruntime or cuda")
	flags.IntVar(&o.memory, "max-memory", 0, "bytes that the process may take")
	addOrtLib(flags, &o.library)
}

func (o *tryOptions) validate() error { return nil }

func (o *tryOptions) run(context.Context, []string) error {
	if err := o.limit(); err != nil {
		return err
	}
	data, err := io.ReadAll(o.In)
	if err != nil {
		return err
	}
	var answer outcome
	m, err := infer.OpenBytes(data, infer.With(engineOf(o.engine, o.library)))
	if err != nil {
		answer.Refusal = err.Error()
	} else {
		answer.State = m.State()
	}
	return json.NewEncoder(o.Out).Encode(answer)
}

// limit limits the memory of this process to t.memory and what ONNX Runtime takes for
// itself. With CUDA there is no limit, since the driver takes far more.
func (t trial) limit() error {
	if t.engine == "cuda" {
		return nil
	}
	const base = 256 << 20
	return limitMemory(uint64(t.memory) + base)
}
