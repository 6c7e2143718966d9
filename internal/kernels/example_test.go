package kernels_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/internal/kernels"
)

func ExampleMul() {
	a := kernels.Dense(1, 2, []float32{1, 2})
	b := kernels.Dense(3, 2, []float32{1, 0, 0, 1, 1, 1})
	dst := kernels.Dense(1, 3, make([]float32, 3))
	var packed kernels.Packed[float32]
	packed.PackT(b)
	kernels.Mul(dst, dst, a, &packed)
	fmt.Println(dst.Row(0))
	// Output:
	// [1 2 3]
}
