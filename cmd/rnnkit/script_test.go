package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
	"github.com/rnnkit/rnnkit/internal/ortlib"
	"github.com/rnnkit/rnnkit/internal/orttest"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rnnkit": main})
}

// TestScripts drives the command as a person does. The condition [ort] says
// that ONNX Runtime is here and that this build can use it, [shared] that the
// shared test data is, in the folder SHARED.
func TestScripts(t *testing.T) {
	withORT := orttest.Available(t)
	library, err := ortlib.Find("")
	if err != nil && !errors.Is(err, ortlib.ErrNotFound) {
		t.Log(err)
	}
	baked, err := filepath.Abs("internal/repair/testdata")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := filepath.Abs("../../infer/testdata/foreign")
	if err != nil {
		t.Fatal(err)
	}
	direct, err := filepath.Abs("../../infer/testdata/demand.onnx")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := filepath.Abs("../../export/testdata")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Abs("internal/tablefile/testdata")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Abs("../../scripts")
	if err != nil {
		t.Fatal(err)
	}
	shared := testenv.SharedRoot(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// A script has a cache of its own, and the library by its path.
			env.Setenv("RNNKIT_CACHE", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("ONNXRUNTIME_SHARED_LIBRARY_PATH", "")
			env.Setenv("ORT", library.Path)
			env.Setenv("BAKED", baked)     // models that PyTorch exported
			env.Setenv("DIRECT", direct)   // a direct forecaster
			env.Setenv("FOREIGN", foreign) // models that answer in many ways
			env.Setenv("OURS", ours)       // models of ours whose state has a default, and PyTorch's
			env.Setenv("SCRIPTS", scripts)
			env.Setenv("SHARED", shared)
			env.Setenv("TABLES", tables) // in all formats
			env.Setenv("ENOENT", syscall.ENOENT.Error())
			env.Setenv("GOMODCACHE", os.Getenv("GOMODCACHE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"onnxtest": onnxTest},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "ort":
				return withORT, nil
			case "shared":
				_, err := os.Stat(shared)
				if err != nil && testenv.Required(testenv.SharedData) {
					return false, err
				}
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// onnxTest is the script command
//
//	onnxtest DIR OP INPUT OUTPUT
//
// It writes a test in ONNX's layout: a model of that one operator, as OP or DOMAIN:OP,
// and the numbers that it reads and should write, separated by commas.
func onnxTest(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	value := func(name string) []onnxgraph.Value {
		return []onnxgraph.Value{{Name: name, Type: onnxgraph.Float32, Shape: []onnxgraph.Dim{{Symbol: "n"}}}}
	}
	domain, op, found := strings.Cut(args[1], ":")
	if !found {
		domain, op = "", args[1]
	}
	model, err := onnxgraph.Marshal(&onnxgraph.Model{
		IRVersion: 8,
		Opsets:    []onnxgraph.Opset{{Version: 17}, {Domain: "com.microsoft", Version: 1}},
		Graph: onnxgraph.Graph{
			Name:   "g",
			Nodes:  []onnxgraph.Node{{Name: "n", Domain: domain, OpType: op, Inputs: []string{"x"}, Outputs: []string{"y"}}},
			Inputs: value("x"), Outputs: value("y"),
		},
	})
	ts.Check(err)
	files := map[string][]byte{"model.onnx": model}
	for i, name := range []string{"input_0.pb", "output_0.pb"} {
		var data []float32
		for _, word := range strings.Split(args[2+i], ",") {
			v, err := strconv.ParseFloat(word, 32)
			ts.Check(err)
			data = append(data, float32(v))
		}
		files["test_data_set_0/"+name], err = proto.Marshal(&onnxpb.TensorProto{
			Dims: []int64{int64(len(data))}, DataType: proto.Int32(int32(onnxgraph.Number(onnxgraph.Float32))), FloatData: data,
		})
		ts.Check(err)
	}
	ts.Check(os.MkdirAll(filepath.Join(dir, "test_data_set_0"), 0o777))
	for name, data := range files {
		ts.Check(os.WriteFile(filepath.Join(dir, name), data, 0o666))
	}
}
