package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/cpu"

	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

const runtimeLong = `Install ONNX Runtime, or say what is here.

rnnkit needs it only for --engine onnxruntime. It takes the library at the path
--ort-lib, else the one that the environment variable
ONNXRUNTIME_SHARED_LIBRARY_PATH names, else the one that was installed last by
'rnnkit runtime install', else the one that the system's loader finds. The
environment variable RNNKIT_CACHE names a folder to install into other than the
user's cache.`

func newRuntimeCmd(s *streams) *cobra.Command {
	return newGroupCmd("runtime", "Install ONNX Runtime, or say what is here", runtimeLong, "command",
		newRuntimeInstallCmd(s), newRuntimeStatusCmd(s))
}

type runtimeInstallOptions struct {
	*streams
	ortlib.Options
}

const runtimeInstallLong = `Put ONNX Runtime's library into the user's cache, unless it is there already.

It comes from a Go module of a fixed version, with the command go, or from an
npm package of a fixed version, with the command npm, and its SHA-256 is checked.
Or it comes from a file: the library itself, or a release archive (.tgz, .tar.gz
or .zip) that holds it. A GPU build's provider libraries come along.`

const runtimeInstallExample = `  rnnkit runtime install
  rnnkit runtime install --from npm
  rnnkit runtime install --from onnxruntime-linux-x64-gpu-1.24.1.tgz`

func newRuntimeInstallCmd(s *streams) *cobra.Command {
	return newVerbCmd(&runtimeInstallOptions{s, ortlib.Options{Log: s.Err}}, &cobra.Command{
		Use:     "install",
		Short:   "Put ONNX Runtime's library into the user's cache",
		Long:    runtimeInstallLong,
		Example: runtimeInstallExample,
		Args:    cobra.NoArgs,
	})
}

func (o *runtimeInstallOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.From, "from", "go", "go, npm, or the path of a library or release archive")
	flags.StringVar(&o.SHA256, "sha256", "", "what the SHA-256 of the file at the path must be")
}

func (o *runtimeInstallOptions) validate() error {
	if o.SHA256 != "" && (o.From == "go" || o.From == "npm") {
		return usagef("--sha256 goes with --from PATH: the sums of the go and npm packages are known")
	}
	return nil
}

func (o *runtimeInstallOptions) run(ctx context.Context, _ []string) error {
	done, err := ortlib.Install(ctx, o.Options)
	if err != nil {
		return err
	}
	state := "installed"
	if done.Already {
		state = "already installed"
	}
	fmt.Fprintf(o.Out, "%s ONNX Runtime %s: %s\nsha256 %s\n", state, done.Version, done.Path, done.SHA256)
	if !ort.Cgo {
		fmt.Fprintln(o.Out, "note: this rnnkit was built without cgo and cannot use it: rebuild with CGO_ENABLED=1 and a C compiler")
	}
	if len(done.Providers) > 0 {
		fmt.Fprintf(o.Out, "with %s\n", strings.Join(done.Providers, ", "))
	}
	return nil
}

type runtimeStatusOptions struct {
	*streams
	ortLib string
	json   bool
}

const runtimeStatusLong = `Say which ONNX Runtime is here, what it can compute with, and what is missing.

It fails if ONNX Runtime cannot be used at all.`

const runtimeStatusExample = `  rnnkit runtime status
  rnnkit runtime status --json`

func newRuntimeStatusCmd(s *streams) *cobra.Command {
	return newVerbCmd(&runtimeStatusOptions{streams: s}, &cobra.Command{
		Use:     "status",
		Short:   "Say which ONNX Runtime is here and what is missing",
		Long:    runtimeStatusLong,
		Example: runtimeStatusExample,
		Args:    cobra.NoArgs,
	})
}

func (o *runtimeStatusOptions) addFlags(flags *pflag.FlagSet) {
	addOrtLib(flags, &o.ortLib)
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
}

func (o *runtimeStatusOptions) validate() error { return nil }

func (o *runtimeStatusOptions) run(context.Context, []string) error {
	status, unusable := newRuntimeStatus(o.ortLib)
	write := status.print
	if o.json {
		write = func(out io.Writer) error { return printJSON(out, status) }
	}
	if err := write(o.Out); err != nil {
		return err
	}
	return unusable
}

// runtimeStatus is what `rnnkit runtime status --json` prints. What is not
// known is left out.
type runtimeStatus struct {
	Library     string           `json:"library,omitempty"`
	Source      string           `json:"source,omitempty"`
	Version     string           `json:"version,omitempty"`
	API         int              `json:"api,omitempty"`
	NeedAPI     int              `json:"need_api"`
	SHA256      string           `json:"sha256,omitempty"`
	KnownAs     string           `json:"known_as,omitempty"`
	CPUFeatures []string         `json:"cpu_features"`
	Cgo         bool             `json:"cgo"`
	Providers   []providerStatus `json:"providers,omitempty"`
	Problem     string           `json:"problem,omitempty"`
}

type providerStatus struct {
	Name   string `json:"name"`
	Usable bool   `json:"usable"`
	Reason string `json:"reason,omitempty"`
}

// newRuntimeStatus also returns the error for which ONNX Runtime cannot be used.
func newRuntimeStatus(ortLib string) (status *runtimeStatus, unusable error) {
	status = &runtimeStatus{NeedAPI: ortlib.NeedAPI, CPUFeatures: cpuFeatures(), Cgo: ort.Cgo}
	unusable = status.examine(ortLib)
	if unusable != nil {
		status.Problem = unusable.Error()
	}
	return status, unusable
}

func (s *runtimeStatus) examine(ortLib string) error {
	lib, err := ortlib.Find(ortLib)
	if err != nil {
		return err
	}
	s.Library, s.Source = lib.Path, lib.Source
	s.SHA256, s.KnownAs, err = ortlib.Sum(lib.Path)
	if err != nil {
		return err
	}
	s.Version, err = ortlib.Check(lib.Path)
	s.API = ortlib.API(s.Version)
	if err != nil {
		return err
	}
	for _, p := range ort.Providers(ort.Library(lib.Path)) {
		provider := providerStatus{Name: p.Name, Usable: p.Err == nil}
		if p.Err != nil {
			provider.Reason = p.Err.Error()
		}
		s.Providers = append(s.Providers, provider)
		if p.Name == "cpu" {
			err = p.Err
		}
	}
	return err
}

func (s *runtimeStatus) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	s.printLibrary(w)
	fmt.Fprintf(w, "processor\t%s\n", cmp.Or(strings.Join(s.CPUFeatures, ", "), "nothing special"))
	cgo := "off"
	if s.Cgo {
		cgo = "on"
	}
	fmt.Fprintf(w, "cgo\t%s\n", cgo)
	for _, p := range s.Providers {
		state := "usable"
		if !p.Usable {
			state = p.Reason
		}
		fmt.Fprintf(w, "provider %s\t%s\n", p.Name, state)
	}
	return w.Flush()
}

func (s *runtimeStatus) printLibrary(w io.Writer) {
	if s.Library == "" {
		fmt.Fprintln(w, "library\tnone")
		return
	}
	fmt.Fprintf(w, "library\t%s (%s)\n", s.Library, s.Source)
	if s.API == 0 {
		fmt.Fprintf(w, "version\tunknown, C API %d is needed\n", s.NeedAPI)
	} else {
		fmt.Fprintf(w, "version\t%s, C API %d (%d is needed)\n", s.Version, s.API, s.NeedAPI)
	}
	if s.SHA256 != "" {
		fmt.Fprintf(w, "sha256\t%s (%s)\n", s.SHA256, cmp.Or(s.KnownAs, "unknown"))
	}
}

// cpuFeatures lists what the processor has of that which makes ONNX Runtime and
// our own kernels fast.
func cpuFeatures() []string {
	features := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"AVX2", cpu.X86.HasAVX2},
		{"FMA", cpu.X86.HasFMA},
		{"AVX-512", cpu.X86.HasAVX512F},
		{"ASIMD", cpu.ARM64.HasASIMD},
		{"SVE", cpu.ARM64.HasSVE},
	} {
		if f.has {
			features = append(features, f.name)
		}
	}
	return features
}
