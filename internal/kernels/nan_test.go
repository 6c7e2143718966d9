package kernels

import (
	"math"
	"testing"
)

// TestMulPassesNaNOfEitherOn checks that a zero in one factor hides no NaN in
// the other, in the blocks and in what is left beside them.
func TestMulPassesNaNOfEitherOn(t *testing.T) {
	const n = 5
	for name, mul := range map[string]func(dst, a, b Matrix[float32]){"NT": MulNT[float32], "NN": MulNN[float32], "TN": MulTN[float32]} {
		for at := range n * n {
			for _, left := range []bool{true, false} {
				a, b, dst := Dense(n, n, make([]float32, n*n)), Dense(n, n, make([]float32, n*n)), Dense(n, n, make([]float32, n*n))
				factor := b
				if left {
					factor = a
				}
				factor.Data[at] = float32(math.NaN())
				mul(dst, a, b)
				nans := 0
				for _, v := range dst.Data {
					if v != v {
						nans++
					}
				}
				if nans != n {
					t.Errorf("%s: a NaN at %d of the left factor (%t) gives %d, not %d", name, at, left, nans, n)
				}
			}
		}
	}
}
