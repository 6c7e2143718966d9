// Package cli is the command rnnkit, a file for each verb.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// streams is what a verb reads and writes.
type streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command with the given arguments and returns its exit status:
// 0, 2 for a wrong command line, 128 and its number after a signal, 1 for
// everything else that fails.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	running := false
	root := newRootCmd(&streams{in, out, errOut})
	root.PersistentPreRun = func(*cobra.Command, []string) { running = true }
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return 0
	}
	message := printable(oneLine(err))
	var usage usageError
	if running && !errors.As(err, &usage) {
		fmt.Fprintf(errOut, "rnnkit: %s\n", message)
		return statusOf(err)
	}
	fmt.Fprintf(errOut, "rnnkit: %s (see '%s --help')\n", message, cmd.CommandPath())
	return 2
}

// statusOf is the exit status of work that failed.
func statusOf(err error) int {
	var s signalled
	if errors.As(err, &s) {
		return s.status()
	}
	return 1
}

// oneLine returns the message of an error, which may join several.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// usageError is a wrong command line that cobra cannot notice.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// newGroupCmd returns a command that only has others below it, which are a kind
// of what.
func newGroupCmd(use, short, long, what string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  long,
		Args:  cobra.ArbitraryArgs,
		// The name matters more than the flags that follow it.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name a %s: %s", what, names(cmd))
			}
			return unknown(cmd, what, args[0])
		},
	}
	cmd.AddCommand(below...)
	return cmd
}

// unknown is the error for a name that is not below cmd.
func unknown(cmd *cobra.Command, what, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		return usagef("unknown %s %q: did you mean %s?", what, name, strings.Join(like, " or "))
	}
	return usagef("unknown %s %q: there is %s", what, name, names(cmd))
}

// names lists what is below cmd.
func names(cmd *cobra.Command) string {
	var list []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			list = append(list, c.Name())
		}
	}
	return strings.Join(list, ", ")
}

// isTerminal reports whether a stream is a person's terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func newRootCmd(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "rnnkit",
		Short:         "Train recurrent models, export them as ONNX, run them anywhere",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       thisBuild().String(),
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknown(cmd, "command", args[0])
		},
	}
	cmd.SetVersionTemplate("{{.Version}}")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		message, _, _ := strings.Cut(err.Error(), ": strconv.")
		return usageError{errors.New(message)}
	})
	cmd.SetIn(s.In)
	cmd.SetOut(s.Out)
	cmd.SetErr(s.Err)
	addVerbs(cmd, s)
	return cmd
}

// addVerbs adds all verbs, by the groups under which the help lists them.
func addVerbs(root *cobra.Command, s *streams) {
	for _, group := range []struct {
		id, title string
		cmds      []*cobra.Command
	}{
		{"train", "Train:", []*cobra.Command{
			newTrainCmd(s), newDataCmd(s), newLabCmd(s),
		}},
		{"run", "Run a model:", []*cobra.Command{
			newInferCmd(s), newDetectCmd(s), newBacktestCmd(s), newEvalCmd(s), newGenerateCmd(s), newHiddenCmd(s),
		}},
		{"examine", "Examine and repair a model:", []*cobra.Command{
			newInspectCmd(s), newVerifyCmd(s), newBenchCmd(s), newRepairCmd(s), newExportCmd(s), newConformanceCmd(s),
		}},
		{"other", "Other commands:", []*cobra.Command{
			newRuntimeCmd(s), newVersionCmd(s),
		}},
	} {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, cmd := range group.cmds {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(newTryCmd(s))
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
}
