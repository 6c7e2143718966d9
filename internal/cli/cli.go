// Package cli is the command rnnkit, a file for each verb.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
)

// streams is what a verb reads and writes.
type streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command with the given arguments and returns its exit status:
// 0, 2 for a wrong command line, 1 for everything else that fails.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// After the first Ctrl-C the next one ends the process at once.
	context.AfterFunc(ctx, stop)

	running := false
	root := newRootCmd(&streams{in, out, errOut})
	root.PersistentPreRun = func(*cobra.Command, []string) { running = true }
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(errOut, "rnnkit: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	var usage usageError
	if running && !errors.As(err, &usage) {
		return 1
	}
	fmt.Fprintf(errOut, "See '%s --help'.\n", cmd.CommandPath())
	return 2
}

// usageError is a wrong command line that cobra cannot notice.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func newRootCmd(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "rnnkit",
		Short:         "Train recurrent models, export them as ONNX, run them anywhere",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	cmd.SetIn(s.In)
	cmd.SetOut(s.Out)
	cmd.SetErr(s.Err)
	cmd.AddCommand(
		newTrainCmd(s),
		newInferCmd(s),
		newVerifyCmd(s),
		newInspectCmd(s),
		newDataCmd(s),
		newRuntimeCmd(s),
	)
	return cmd
}
