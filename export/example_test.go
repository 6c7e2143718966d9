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
	// h0 float32[1, state_batch, 32]
	// c0 float32[1, state_batch, 32]
}
