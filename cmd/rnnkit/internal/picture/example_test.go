package picture_test

import (
	"bytes"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/picture"
)

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f := picture.Forecast{Name: "y", Values: []float64{1, 2, math.NaN(), 4}, Predictions: []float64{2.1, 3, 3.9}, First: 1}
	path := filepath.Join(dir, "y.svg")
	if err := f.Write(path); err != nil {
		log.Fatal(err)
	}
	svg, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.Contains(svg, []byte(">forecast</text>")))
	fmt.Println(picture.CheckName("y.gif"))
	// Output:
	// true
	// "y.gif": the name must end in .svg, .png or .pdf
}
