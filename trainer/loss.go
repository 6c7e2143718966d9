package trainer

import "github.com/rnnkit/rnnkit/models"

// squaredError returns the sum of (out - target)² and sets dout to its
// gradient times scale.
func squaredError[T models.Float](dout, out, targets []T, scale T) float64 {
	var sum float64
	for i := range out {
		d := out[i] - targets[i]
		sum += float64(d) * float64(d)
		dout[i] = 2 * d * scale
	}
	return sum
}
