package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/ort"
	"github.com/rnnkit/rnnkit/internal/onnxtest"
	"github.com/rnnkit/rnnkit/internal/ortlib"
)

type conformanceOptions struct {
	*streams
	engine     string
	ortLib     string
	rtol, atol float64
	json       bool
}

const conformanceLong = `Run the tests in and below folders, in the layout of ONNX's own tests: a folder
with a model.onnx and its data, test_data_set_0/input_0.pb, output_0.pb and so
on. Each test is a line: pass; fail, with the largest difference; or refused, with
the reason why the engine does not open the model.

An output passes if it has the type and the shape that the test asks for and each
element lies within atol + rtol |element|, with NaN where the test has NaN. The
defaults are the tolerances of ONNX's own runner. A failure ends with status 1, a
refusal does not.`

func newConformanceCmd(s *streams) *cobra.Command {
	return newVerbCmd(&conformanceOptions{streams: s}, &cobra.Command{
		Use:     "conformance DIR...",
		Short:   "Run tests in ONNX's layout, and compare the answers",
		Long:    conformanceLong,
		Example: "  rnnkit conformance onnx/backend/test/data/node --engine onnxruntime",
		Args:    cobra.MinimumNArgs(1),
	})
}

func (o *conformanceOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.engine, "engine", "native", "native or onnxruntime")
	flags.Float64Var(&o.rtol, "rtol", 1e-3, "the relative tolerance")
	flags.Float64Var(&o.atol, "atol", 1e-7, "the absolute tolerance, which is added to it")
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	addOrtLib(flags, &o.ortLib)
}

func (o *conformanceOptions) validate() error {
	switch {
	case o.engine != "native" && o.engine != "onnxruntime":
		return usagef("--engine is %q: it must be native or onnxruntime", o.engine)
	case !(o.rtol >= 0):
		return usagef("--rtol is %g: it must be 0 or more", o.rtol)
	case !(o.atol >= 0):
		return usagef("--atol is %g: it must be 0 or more", o.atol)
	}
	return nil
}

func (o *conformanceOptions) run(ctx context.Context, dirs []string) error {
	e, err := o.open()
	if err != nil {
		return err
	}
	report := conformance{Engine: e.String(), Rtol: o.rtol, Atol: o.atol}
	for _, dir := range dirs {
		tests, err := onnxtest.Find(dir)
		if err != nil {
			return err
		}
		for _, test := range tests {
			result := o.test(ctx, e, test)
			report.add(result)
			if !o.json {
				o.print(result)
			}
		}
	}
	if o.json {
		if err := printJSON(o.Out, report); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(o.Out, "%s: %d passed, %d failed, %d refused\n", e, report.Passed, report.Failed, report.Refused)
	}
	if report.Failed > 0 {
		return fmt.Errorf("%d of %d tests failed", report.Failed, len(report.Tests))
	}
	return nil
}

// open returns the engine that is asked for.
func (o *conformanceOptions) open() (engine.Engine, error) {
	if o.engine == "native" {
		return native.New(), nil
	}
	if _, err := ortlib.Find(o.ortLib); err != nil {
		return nil, err
	}
	return ort.CPU(ort.Library(o.ortLib)), nil
}

// conformance is what `rnnkit conformance --json` prints.
type conformance struct {
	Engine  string       `json:"engine"`
	Rtol    float64      `json:"rtol"`
	Atol    float64      `json:"atol"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Refused int          `json:"refused"`
	Tests   []testResult `json:"tests"`
}

type testResult struct {
	Test   string `json:"test"`   // its folder
	Result string `json:"result"` // pass, fail or refused
	Reason string `json:"reason,omitempty"`
}

func (c *conformance) add(r testResult) {
	switch r.Result {
	case "pass":
		c.Passed++
	case "fail":
		c.Failed++
	case "refused":
		c.Refused++
	}
	c.Tests = append(c.Tests, r)
}

func (o *conformanceOptions) print(r testResult) {
	if r.Reason == "" {
		fmt.Fprintf(o.Out, "%s\t%s\n", r.Result, printable(r.Test))
		return
	}
	fmt.Fprintf(o.Out, "%s\t%s\t%s\n", r.Result, printable(r.Test), printable(r.Reason))
}

// test runs the test in a folder.
func (o *conformanceOptions) test(ctx context.Context, e engine.Engine, dir string) testResult {
	refused, err := o.check(ctx, e, dir)
	name := filepath.ToSlash(dir)
	switch {
	case err == nil:
		return testResult{name, "pass", ""}
	case refused:
		return testResult{name, "refused", oneLine(err)}
	}
	return testResult{name, "fail", oneLine(err)}
}

// check returns the error of the engine that refused the model, or how the test
// failed.
func (o *conformanceOptions) check(ctx context.Context, e engine.Engine, dir string) (refused bool, err error) {
	model, err := onnxtest.Model(dir)
	if err != nil {
		return false, err
	}
	session, err := e.Open(model)
	if err != nil {
		return true, err
	}
	defer session.Close()
	sets, err := onnxtest.Sets(dir)
	if err != nil {
		return false, err
	}
	for _, set := range sets {
		if err := set.Run(ctx, session, o.rtol, o.atol); err != nil {
			return false, err
		}
	}
	return false, nil
}
