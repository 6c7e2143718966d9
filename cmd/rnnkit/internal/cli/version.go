package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

type versionOptions struct {
	*streams
	json bool
}

const versionLong = `Print which rnnkit this is: the version of its module, the commit that it was built
from, the version of Go that built it, its platform, and the variant of the kernels
that it computes with here. What the build does not record is left out.`

func newVersionCmd(s *streams) *cobra.Command {
	return newVerbCmd(&versionOptions{streams: s}, &cobra.Command{
		Use:   "version",
		Short: "Print the version of rnnkit",
		Long:  versionLong,
		Args:  cobra.NoArgs,
	})
}

func (o *versionOptions) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
}

func (o *versionOptions) validate() error { return nil }

func (o *versionOptions) run(context.Context, []string) error {
	if o.json {
		return printJSON(o.Out, thisBuild())
	}
	_, err := io.WriteString(o.Out, thisBuild().String())
	return err
}

// build is what `rnnkit version --json` prints.
type build struct {
	Version  string `json:"version"`            // of the module
	Revision string `json:"revision,omitempty"` // the commit
	Time     string `json:"time,omitempty"`     // of the commit, in RFC 3339
	Modified bool   `json:"modified,omitempty"` // the sources were not those of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernels  string `json:"kernels"`
}

// thisBuild describes the running program.
func thisBuild() build {
	b := build{Version: "(unknown)"}
	if info, ok := debug.ReadBuildInfo(); ok {
		b = buildOf(info)
	}
	b.Go, b.Platform, b.Kernels = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH, kernels.Variant()
	return b
}

// buildOf returns what a program's build information tells of its version.
func buildOf(info *debug.BuildInfo) build {
	b := build{Version: cmp.Or(info.Main.Version, "(unknown)")}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String describes the build in a few lines.
func (b build) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "rnnkit\t%s\n", b.Version)
	if b.Revision != "" {
		modified := ""
		if b.Modified {
			modified = " (modified)"
		}
		fmt.Fprintf(w, "revision\t%s%s\n", b.Revision, modified)
	}
	if b.Time != "" {
		fmt.Fprintf(w, "time\t%s\n", b.Time)
	}
	fmt.Fprintf(w, "go\t%s\nplatform\t%s\nkernels\t%s\n", b.Go, b.Platform, b.Kernels)
	w.Flush()
	return text.String()
}
