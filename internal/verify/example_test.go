package verify_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/engine"
	"github.com/rnnkit/rnnkit/internal/verify"
)

func ExampleDifference() {
	want := map[string]engine.Tensor{"output": engine.Of([]float32{0.5, 0.25}, 2, 1)}
	got := map[string]engine.Tensor{"output": engine.Of([]float32{0.5, 0.5}, 2, 1)}
	_, err := verify.Difference(want, got, verify.Tolerance, nil)
	fmt.Println(err)
	// Output:
	// output "output" differs: value 1 is 0.5, not 0.25: the tolerance is 1e-05
}
