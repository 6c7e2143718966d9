package main

// plain is the kernel for machines without one in assembly. It does not reach the
// peak.
var plain = kernel{"plain Go, not the peak", multiplyAdds, 8 * 2}

// one is a variable so that the compiler keeps the multiplications by it.
var one float32 = 1

// multiplyAdds makes n times 8 multiply-adds in independent chains.
func multiplyAdds(n int) float64 {
	var a, b, c, d, e, f, g, h float32
	x, y := one, one
	for range n {
		a, b, c, d = a*x+y, b*x+y, c*x+y, d*x+y
		e, f, g, h = e*x+y, f*x+y, g*x+y, h*x+y
	}
	return sum([]float32{a, b, c, d, e, f, g, h})
}
