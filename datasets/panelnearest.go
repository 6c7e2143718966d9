package datasets

import (
	"slices"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// nearest brings rows to even steps, where they do not lie there: each counts for the
// nearest step, and of several for one step the first.
func (r *panelReader) nearest(g *grid) {
	if g.step == 0 {
		return
	}
	moved, dropped := 0, 0
	for _, s := range r.series {
		m, d := s.nearest(g.step)
		moved, dropped = moved+m, dropped+d
	}
	if moved > 0 {
		r.notef("%s brought to the nearest step of %s", plural(moved, "row"), g.frequency)
	}
	if dropped > 0 {
		r.notef("%s left out, since another one counts for the same step", plural(dropped, "row"))
	}
}

// nearest returns how many rows were moved to the nearest step and how many were left out.
func (s *seriesRows) nearest(step int64) (moved, dropped int) {
	var first, last int64
	keep, ticks := make([]bool, s.rows), make([]int64, s.rows)
	for i, tick := range s.ticks.all() {
		if i == 0 {
			first, last = tick, tick-step
		}
		at := first + (tick-first+step/2)/step*step
		switch keep[i], ticks[i] = at > last, at; {
		case !keep[i]:
			dropped++
			continue
		case at != tick:
			moved++
		}
		last = at
	}
	if moved+dropped > 0 {
		s.keep(keep, ticks)
	}
	return moved, dropped
}

// keep leaves the rows out that are not kept, and sets the ticks of the others.
func (s *seriesRows) keep(keep []bool, ticks []int64) {
	lines := s.lines
	s.ticks, s.lines, s.rows = deltas{}, deltas{}, 0
	for i, line := range lines.all() {
		if keep[i] {
			s.ticks.add(ticks[i])
			s.lines.add(line)
			s.rows++
		}
	}
	for c, values := range s.values {
		flat := slices.Concat(values...)
		s.values[c] = nil
		for i, v := range flat {
			if keep[i] {
				s.values[c].add(v)
			}
		}
	}
}

// usualFrequency returns the frequency of the middle one of all steps, as a number of the
// largest unit that it is close to.
func (r *panelReader) usualFrequency() models.Frequency {
	var steps []time.Duration
	for _, times := range r.sample() {
		for i := 1; i < len(times); i++ {
			if d := times[i].Sub(times[i-1]); d > 0 {
				steps = append(steps, d)
			}
		}
	}
	if len(steps) == 0 {
		return models.Frequency{}
	}
	slices.Sort(steps)
	usual := steps[len(steps)/2]
	for _, u := range []struct {
		length time.Duration
		unit   models.TimeUnit
	}{{time.Hour, models.Hour}, {time.Minute, models.Minute}, {time.Second, models.Second}, {time.Millisecond, models.Millisecond}} {
		if n := usual.Round(u.length); n > 0 && (usual-n).Abs() <= usual/20 {
			return models.Frequency{Count: int(n / u.length), Unit: u.unit}
		}
	}
	return models.Frequency{Count: max(1, int(usual.Microseconds())), Unit: models.Microsecond}
}
