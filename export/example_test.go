package export_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "rnnkit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	model, err := models.New(models.Forecaster("y", 50), 0) // trainer.Fit would train it
	if err != nil {
		log.Fatal(err)
	}
	model.State = model.Spec.State() // so that any runtime can go on from it
	path := filepath.Join(dir, "forecaster.onnx")
	if err := export.WriteFile(path, model); err != nil {
		log.Fatal(err)
	}

	m, err := infer.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	for _, in := range m.Inputs() {
		fmt.Println(in)
	}
	// Output:
	// input float32[batch, time, 1]
	// h0 float32[1, batch, 32]
	// c0 float32[1, batch, 32]
}

func ExampleReadFile() {
	m, err := export.ReadFile("../infer/testdata/sine.onnx")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Task, m.Spec.Cell, m.Window, len(m.Params.Data))
	// Output: forecast lstm 50 4513
}

func ExampleLoadParams() {
	file, err := os.ReadFile("../infer/testdata/sine.onnx")
	if err != nil {
		log.Fatal(err)
	}
	model, err := models.New(models.Forecaster("y", 50), 0)
	if err != nil {
		log.Fatal(err)
	}
	left, err := export.LoadParams(model.Params, model.Spec, file) // trainer.Fit would go on from there
	fmt.Println("left as it was:", len(left), err)

	meta := models.Forecaster("y", 50)
	meta.Spec.Hidden = 64
	if model, err = models.New(meta, 0); err != nil {
		log.Fatal(err)
	}
	_, err = export.LoadParams(model.Params, model.Spec, file)
	fmt.Println(err)
	// Output:
	// left as it was: 0 <nil>
	// export: the layers of the file do not fit the Spec, set its sizes to theirs or start from another file: layer 0 (LSTM "layers.0.lstm") is lstm with inputs 1 and hidden 32, the Spec's lstm with inputs 1 and hidden 64
}
