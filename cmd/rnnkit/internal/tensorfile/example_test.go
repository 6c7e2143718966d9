package tensorfile_test

import (
	"fmt"
	"log"
	"os"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/tensorfile"
	"github.com/rnnkit/rnnkit/infer/tensor"
)

func Example() {
	x, err := tensorfile.Read(`[[1, 2.5], ["NaN", 4]]`, tensor.Float32)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(x.Type(), x.Shape)
	if err := tensorfile.WriteJSON(os.Stdout, x); err != nil {
		log.Fatal(err)
	}
	// Output:
	// float32 [2 2]
	// [[1,2.5],["NaN",4]]
}
