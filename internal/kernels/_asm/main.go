// Command asm writes the kernels in assembly, each once for AVX2 and once for
// AVX-512, with avo. What they compute is said where the Go loops of package
// kernels are, which they must agree with.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64,!purego")
	for _, set := range []*instructions{&avx2, &avx512} {
		for rows := 1; rows <= set.rows; rows++ {
			set.mul(rows)
		}
		set.cells()
		set.softmax()
		set.functions()
		set.rowKernels()
		set.optimizers()
	}
	Generate()
}
