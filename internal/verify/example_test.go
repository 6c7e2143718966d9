package verify_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/verify"
)

func ExampleDifference() {
	want := map[string]tensor.Tensor{"output": tensor.Of([]float32{0.5, 0.25}, 2, 1)}
	got := map[string]tensor.Tensor{"output": tensor.Of([]float32{0.5, 0.5}, 2, 1)}
	_, err := verify.Difference(want, got, verify.Tolerance, nil)
	fmt.Println(err)
	// Output:
	// output "output" differs: value 1 is 0.5, not 0.25: the tolerance is 1e-05
}
