package onnxgraph

import (
	"fmt"
	"math"
	"os"
)

// maxFile is how many bytes a model's file can have, as protobuf has it.
const maxFile = math.MaxInt32

// ReadFile reads a model's file, if it is one that ends: no device, and no pipe that
// nobody writes to.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder: name a file in it", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is a pipe or a device: save the model to a file first", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes, more than the %d that a model's file can have: keep the weights in a file beside it", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}
