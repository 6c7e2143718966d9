package datasets_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

func ExamplePalindromes() {
	s := datasets.Palindromes(4, 7, 0)
	for i, digits := range s.Tokens {
		fmt.Println(digits, s.Labels[i])
	}
	// Output:
	// [5 2 9 0 9 2 5] 1
	// [5 4 0 8 5 3 0] 0
	// [1 6 8 6 8 6 1] 1
	// [0 7 1 6 2 4 2] 0
}

func TestEcho(t *testing.T) {
	const n, length = 4000, 13
	s := datasets.Echo(n, length, 3)
	if s.Len() != n || s.Features != 1 {
		t.Fatalf("%d sequences of %d features", s.Len(), s.Features)
	}
	ones := make([]float64, length)
	for i, bits := range s.Inputs {
		if len(bits) != length || s.Labels[i] != int64(bits[0]) {
			t.Fatalf("sequence %d: %v has label %d", i, bits, s.Labels[i])
		}
		for k, bit := range bits {
			if bit != 0 && bit != 1 {
				t.Fatalf("a bit is %g", bit)
			}
			ones[k] += float64(bit)
		}
	}
	for k, sum := range ones { // within five standard errors
		if !(math.Abs(sum/n-0.5) <= 5*0.5/math.Sqrt(n)) {
			t.Errorf("bit %d is 1 in %g of %d sequences", k, sum, n)
		}
	}
}

func TestPalindromes(t *testing.T) {
	const n = 4001
	for _, length := range []int{2, 3, 7, 8} {
		s := datasets.Palindromes(n, length, 5)
		if s.Len() != n {
			t.Fatalf("%d sequences", s.Len())
		}
		palindromes := 0
		digits := make([]int, 10)
		for i, sequence := range s.Tokens {
			reversed := slices.Clone(sequence)
			slices.Reverse(reversed)
			if is := slices.Equal(sequence, reversed); is != (s.Labels[i] == 1) || len(sequence) != length {
				t.Fatalf("%v has label %d", sequence, s.Labels[i])
			}
			palindromes += int(s.Labels[i])
			for _, d := range sequence {
				digits[d]++
			}
		}
		if palindromes != n/2+1 {
			t.Errorf("%d of %d are palindromes", palindromes, n)
		}
		for d, count := range digits {
			if share := float64(count) / float64(n*length); !(math.Abs(share-0.1) <= 0.015) {
				t.Errorf("length %d: digit %d has a share of %g", length, d, share)
			}
		}
	}
}

func TestPuzzlesFollowTheSeed(t *testing.T) {
	for name, generate := range map[string]func(n, length int, seed uint64) *datasets.Sequences{"echo": datasets.Echo, "palindromes": datasets.Palindromes} {
		text := func(n int, seed uint64) string {
			s := generate(n, 9, seed)
			return fmt.Sprint(s.Inputs, s.Tokens)
		}
		all := text(20, 1)
		if all != text(20, 1) || all == text(20, 2) || all == text(20, 0) {
			t.Errorf("%s do not follow the seed", name)
		}
		if all[:40] != text(10, 1)[:40] {
			t.Errorf("%s: fewer sequences begin otherwise", name)
		}
		for _, size := range [][2]int{{0, 5}, {-1, 5}, {5, 0}, {5, math.MinInt}} {
			if s := generate(size[0], size[1], 1); s.Len() != 0 {
				t.Errorf("%s of %v: %d", name, size, s.Len())
			}
		}
	}
}

func TestRhyme(t *testing.T) {
	text := datasets.Rhyme()
	vocabulary := datasets.Vocabulary(text)
	if len(text) != 113 || len(vocabulary) != 30 || !slices.IsSorted(vocabulary) || strings.Count(text, "\n") != 4 {
		t.Errorf("%d characters, %d different: %q", len(text), len(vocabulary), vocabulary)
	}
}
