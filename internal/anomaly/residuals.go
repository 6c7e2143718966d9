package anomaly

import "math"

const (
	remembered   = 512.0 // residuals over which their moments are running
	leastScored  = 16    // residuals before the first is judged
	mostStrange  = 1e3
	mostInMoment = 6.0 // deviations; a residual that lies further away counts as so many
)

// Residuals holds the running moments of the differences between values and forecasts.
type Residuals struct {
	Scored    float64 // residuals so far
	Mean      float64
	Deviation float64 // running mean of their distance from the mean, times 1.2533: the standard deviation of normal ones
}

// Judges reports whether there were enough residuals to judge another by them.
func (r *Residuals) Judges() bool { return r.Scored >= leastScored }

// Strangeness returns how many running deviations a residual lies from the running mean,
// with its sign. It is 0 while there are too few residuals to judge it by.
func (r *Residuals) Strangeness(residual float64) float64 {
	if !r.Judges() {
		return 0
	}
	if s := (residual - r.Mean) / r.Deviation; !math.IsNaN(s) {
		return clip(s, mostStrange)
	}
	return 0
}

// Note takes a residual into the moments.
func (r *Residuals) Note(residual float64) {
	r.Scored++
	w := weight(r.Scored, remembered)
	if r.Scored > leastScored && r.Deviation > 0 {
		residual = r.Mean + clip(residual-r.Mean, mostInMoment*r.Deviation)
	}
	off := residual - r.Mean
	r.Mean += w * off
	r.Deviation += w * (math.Sqrt(math.Pi/2)*math.Abs(off) - r.Deviation)
}
