package tensor

import "math"

// Half is a number of type [Float16], for which Go has no type: the bits of an
// IEEE 754 binary16.
type Half uint16

// HalfOf returns the Half nearest to v, of two the even one, and an infinity
// for what is too large.
func HalfOf(v float32) Half {
	bits := math.Float32bits(v)
	sign := Half(bits >> 16 & 0x8000)
	switch abs := bits & 0x7fffffff; {
	case abs > 0x7f800000: // NaN
		return sign | 0x7e00
	case abs >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case abs >= 0x38800000: // normal: the exponent's bias goes from 127 to 15
		abs -= 112 << 23
		return sign + Half((abs+0xfff+abs>>13&1)>>13)
	default: // subnormal: a multiple of 2^-24
		return sign | Half(math.RoundToEven(float64(math.Float32frombits(abs))*(1<<24)))
	}
}

// Float32 returns h exactly.
func (h Half) Float32() float32 {
	sign, exponent, fraction := uint32(h)>>15<<31, uint32(h)>>10&31, uint32(h)&1023
	switch exponent {
	case 0:
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}
