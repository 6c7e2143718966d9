package main

import "runtime"

// plain is for machines without a kernel in assembly. What it reaches is not
// the peak.
var plain = kernel{"plain Go, not the peak", multiplyAdds, 8 * 2}

// multiplyAdds makes n times 8 multiply-adds, in independent chains.
func multiplyAdds(n int) {
	var a, b, c, d, e, f, g, h float32
	x, y := float32(0.5), float32(n)
	for range n {
		a, b, c, d = a*x+y, b*x+y, c*x+y, d*x+y
		e, f, g, h = e*x+y, f*x+y, g*x+y, h*x+y
	}
	runtime.KeepAlive(a + b + c + d + e + f + g + h)
}
