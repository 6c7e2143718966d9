package datasets

import "math/rand/v2"

// These keep the random numbers of one kind of data apart from others of the same seed.
const (
	echoStream       = 0x6563686f
	palindromeStream = 0x70616c69
)

// Echo returns n sequences of random bits, 0 and 1. The label of a sequence is its
// first bit, which a model has to remember to the end. The same seed gives the same
// sequences. There are none if n or length is less than 1.
func Echo(n, length int, seed uint64) *Sequences {
	rng := rand.New(rand.NewPCG(seed, echoStream))
	s := &Sequences{Features: 1}
	for range n {
		if length < 1 {
			break
		}
		bits := make([]float32, length)
		for i := range bits {
			bits[i] = float32(rng.IntN(2))
		}
		s.Inputs = append(s.Inputs, bits)
		s.Labels = append(s.Labels, int64(bits[0]))
	}
	return s
}

// Palindromes returns n sequences of digits, as tokens 0 to 9. Every other one,
// starting with the first, is a palindrome and has the label 1. The others are random
// and have the label 0. The same seed gives the same sequences. There are none if n is
// less than 1 or length is less than 2.
func Palindromes(n, length int, seed uint64) *Sequences {
	rng := rand.New(rand.NewPCG(seed, palindromeStream))
	s := &Sequences{}
	for k := range n {
		if length < 2 {
			break
		}
		digits := make([]int64, length)
		for i := range digits {
			digits[i] = rng.Int64N(10)
		}
		label := int64(1 - k%2)
		switch {
		case label == 1:
			for i := range length / 2 {
				digits[length-1-i] = digits[i]
			}
		case isPalindrome(digits):
			digits[0] = (digits[0] + 1) % 10
		}
		s.Tokens = append(s.Tokens, digits)
		s.Labels = append(s.Labels, label)
	}
	return s
}

func isPalindrome(digits []int64) bool {
	for i, d := range digits {
		if digits[len(digits)-1-i] != d {
			return false
		}
	}
	return true
}
