package datasets

import (
	"slices"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// localZones are tried where times show that clocks change. Each stands for all zones with
// the same changes.
var localZones = []string{
	"Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver",
	"America/Los_Angeles", "America/Halifax", "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland",
}

// settleZone finds the time zone of all times, if none was given: the only offset that they
// are written with, or a zone whose clocks change where theirs do.
func (r *panelReader) settleZone() error {
	t := r.time
	switch {
	case t.named, t.counts:
		return nil
	case len(t.offsets) == 0:
		return r.rezone()
	case len(t.offsets) == 1:
		if t.offset != 0 {
			t.zone = t.offsets[0].at.Location()
		}
		return nil
	}
	for _, name := range localZones {
		zone, err := time.LoadLocation(name)
		if err == nil && !slices.ContainsFunc(t.offsets, func(c change) bool { _, offset := c.at.In(zone).Zone(); return offset != c.offset }) {
			r.useZone(zone, "their offsets from UTC change")
			return nil
		}
	}
	r.notef("times are written with several offsets from UTC, and counted in UTC")
	return nil
}

// useZone sets the zone that was found, and says so.
func (r *panelReader) useZone(zone *time.Location, as string) {
	r.time.zone, r.roles.Zone = zone, zone.String()
	r.notef("times are taken as those of %s or a zone with the same clocks, as %s; give the time zone if it is another", zone, as)
}

// rezone takes times without a zone, where they do not go forward, as those of a zone in
// which they do.
func (r *panelReader) rezone() error {
	if !slices.ContainsFunc(r.series, func(s *seriesRows) bool { return s.unsorted > 0 }) {
		return nil
	}
	for _, name := range localZones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil // without a database of zones
		}
		if !slices.ContainsFunc(r.series, func(s *seriesRows) bool { return s.unsorted > 0 && s.inZone(zone) == nil }) {
			for _, s := range r.series {
				if ticks := s.inZone(zone); ticks != nil {
					s.ticks, s.unsorted = *ticks, 0
				}
			}
			r.useZone(zone, "an hour comes twice when its clocks go back")
			return nil
		}
	}
	return nil
}

// inZone returns the ticks of a series whose times are written without a zone, as times of
// a zone. It returns nil if the zone does not have one of them, or if they do not go
// forward.
func (s *seriesRows) inZone(zone *time.Location) *deltas {
	ticks := new(deltas)
	latest := int64(0)
	for i, wall := range s.ticks.all() {
		first, second, ok := timesInZone(time.UnixMicro(wall).UTC(), zone)
		tick := first.UnixMicro()
		if i > 0 && tick <= latest {
			tick = second.UnixMicro()
		}
		if !ok || i > 0 && tick <= latest {
			return nil
		}
		ticks.add(tick)
		latest = tick
	}
	return ticks
}

// sampleTimes is how many rows decide the frequency.
const sampleTimes = 20_000

// sample returns the times of the first rows of each series that has two or more.
func (r *panelReader) sample() (times [][]time.Time) {
	left := sampleTimes
	for _, s := range r.series {
		if s.rows < 2 || left <= 0 {
			continue
		}
		var list []time.Time
		for i, tick := range s.ticks.all() {
			if i == left {
				break
			}
			list = append(list, r.time.at(tick))
		}
		left -= len(list)
		times = append(times, list)
	}
	return times
}

// findFrequency returns the frequency with which the largest share of the rows is a step
// after the one before. It is zero if no series has two rows.
func (r *panelReader) findFrequency() (best models.Frequency) {
	times := r.sample()
	most := -1.0
	for _, unit := range unitsFor(times) {
		step, share := unitStep(times, unit)
		if share > most {
			most, best = share, models.Frequency{Count: step, Unit: unit}
		}
	}
	if r.roles.Nearest && most < evenShare {
		return r.usualFrequency()
	}
	return inLargestUnit(best)
}

// evenShare is the least share of rows that are a step after the one before, where rows
// that are not may be brought to the nearest step.
const evenShare = 0.5

// unitsFor returns the units in which steps may be counted. Of those that are equally good
// the first is used.
func unitsFor(times [][]time.Time) (units []models.TimeUnit) {
	const day = 24 * time.Hour
	typical := time.Duration(0)
	for _, list := range times {
		typical = max(typical, typicalStep(list))
	}
	switch {
	case typical == 0:
		return nil
	case typical >= 27*day:
		units = []models.TimeUnit{models.MonthEnd, models.Month}
	case typical >= 23*time.Hour:
		units = []models.TimeUnit{models.Day}
		if typical <= 25*time.Hour && slices.ContainsFunc(times, skipsWeekends) && !slices.ContainsFunc(times, onWeekend) {
			units = []models.TimeUnit{models.BusinessDay, models.Day}
		}
	}
	return append(units, models.Microsecond)
}

func onWeekend(times []time.Time) bool {
	return slices.ContainsFunc(times, func(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday })
}

// unitStep returns the most frequent number of units from one time to the next, and the
// share of those steps.
func unitStep(times [][]time.Time, unit models.TimeUnit) (step int, share float64) {
	counts, all := map[int]int{}, 0
	for _, list := range times {
		before := 0
		for i, at := range list {
			n, exact := models.Frequency{Count: 1, Unit: unit}.Steps(list[0], at)
			if i > 0 {
				all++
			}
			if i > 0 && exact {
				counts[n-before]++
			}
			before = n
		}
	}
	for n, count := range counts {
		if count > counts[step] || count == counts[step] && n < step {
			step = n
		}
	}
	return step, float64(counts[step]) / float64(max(1, all))
}

// inLargestUnit returns the same frequency in the largest unit.
func inLargestUnit(f models.Frequency) models.Frequency {
	for _, larger := range []struct {
		of   models.TimeUnit
		n    int
		unit models.TimeUnit
	}{
		{models.Microsecond, 1000, models.Millisecond}, {models.Millisecond, 1000, models.Second}, {models.Second, 60, models.Minute}, {models.Minute, 60, models.Hour},
		{models.Day, 7, models.Week}, {models.Month, 3, models.Quarter}, {models.MonthEnd, 3, models.QuarterEnd},
		{models.Quarter, 4, models.Year}, {models.QuarterEnd, 4, models.YearEnd},
	} {
		if f.Unit == larger.of && f.Count > 0 && f.Count%larger.n == 0 {
			f = models.Frequency{Count: f.Count / larger.n, Unit: larger.unit}
		}
	}
	return f
}

// usualTicks returns the most frequent step between the ticks of rows, or 0 if no series
// has two rows.
func usualTicks(series []*seriesRows) (step int64) {
	counts := map[int64]int{}
	for _, s := range series {
		before := int64(0)
		for i, tick := range s.ticks.all() {
			if i > 0 && len(counts) < sampleTimes {
				counts[tick-before]++
			}
			before = tick
		}
	}
	for n, count := range counts {
		if count > counts[step] || count == counts[step] && n < step {
			step = n
		}
	}
	return step
}
