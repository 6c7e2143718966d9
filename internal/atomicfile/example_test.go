package atomicfile_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/rnnkit/rnnkit/internal/atomicfile"
)

func ExampleCreate() {
	dir, err := os.MkdirTemp("", "atomicfile")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.onnx")
	f, err := atomicfile.Create(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Abort()
	fmt.Fprint(f, "half")
	_, err = os.Stat(path)
	fmt.Println("before Commit, not there:", os.IsNotExist(err))
	fmt.Fprint(f, " and half")
	if err := f.Commit(); err != nil {
		fmt.Println(err)
		return
	}
	data, err := os.ReadFile(path)
	fmt.Println(string(data), err)
	// Output:
	// before Commit, not there: true
	// half and half <nil>
}
