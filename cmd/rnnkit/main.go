// Command rnnkit trains recurrent models, exports each as one ONNX file and
// runs it.
package main

import (
	"os"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
