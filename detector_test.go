package rnnkit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

// minutes returns a panel of a series of minutes that repeats each day, with noise.
func minutes(days int, seed uint64) *datasets.Panel {
	values, r := make([]float64, days*1440), rand.New(rand.NewPCG(seed, 0))
	for i := range values {
		values[i] = 100 + 30*math.Sin(2*math.Pi*float64(i)/1440) + 2*r.NormFloat64()
	}
	return &datasets.Panel{
		Roles: datasets.Roles{Targets: []string{"latency"}}, Frequency: models.Frequency{Count: 1, Unit: models.Minute},
		Series: []datasets.PanelSeries{{Start: time.Unix(0, 0).UTC(), Targets: [][]float64{values}}},
	}
}

func ExampleNewDetector() {
	job, err := rnnkit.NewDetector(minutes(2, 1), rnnkit.DetectorOptions{})
	if err != nil {
		log.Fatal(err)
	}
	result, err := job.Train(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	m, err := result.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	detector, err := infer.NewDetector(m)
	if err != nil {
		log.Fatal(err)
	}
	state, live := detector.NewState(), minutes(1, 2)
	live.Series[0].Targets[0][700] += 60
	for row, v := range live.Series[0].Targets[0] {
		reading, err := detector.Observe(state, live.Time(0, row), []float64{v})
		if err != nil {
			log.Fatal(err)
		}
		if reading.Score >= 1 {
			fmt.Println(live.Time(0, row).Format(time.TimeOnly))
		}
	}
	// Output: 11:40:00
}

// trainDetector returns a detector and its summary.
func trainDetector(t *testing.T, panel *datasets.Panel, o rnnkit.DetectorOptions) (*infer.Detector, string) {
	t.Helper()
	job, err := rnnkit.NewDetector(panel, o)
	if err != nil {
		t.Fatal(err)
	}
	result, err := job.Train(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	m, err := result.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	d, err := infer.NewDetector(m)
	if err != nil {
		t.Fatal(err)
	}
	return d, result.Summary
}

// scores returns the scores of the only series of a panel.
func scores(t *testing.T, d *infer.Detector, panel *datasets.Panel) (list []float64) {
	t.Helper()
	state := d.NewState()
	for row, v := range panel.Series[0].Targets[0] {
		r, err := d.Observe(state, panel.Time(0, row), []float64{v})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r.Score)
	}
	return list
}

func anomalies(scores []float64) (n int) {
	for _, s := range scores {
		if s >= 1 {
			n++
		}
	}
	return n
}

// On a series without anomalies the rate of false alarms is what was said, and after a
// shift of the level it is quiet within an hour.
func TestDetectorRate(t *testing.T) {
	const rate = 1.0 / 2880
	d, summary := trainDetector(t, minutes(14, 1), rnnkit.DetectorOptions{Rate: rate})
	t.Log(summary)
	live := minutes(60, 2)
	values := live.Series[0].Targets[0]
	for i := 50_000; i < len(values); i++ {
		values[i] += 60
	}
	list := scores(t, d, live)
	list, shifted := list[:50_000], list[50_000:]
	if n, expected := float64(anomalies(list)), rate*50_000; !(n >= expected/2 && n <= 2*expected) {
		t.Errorf("%g false alarms, where %.3g were expected", n, expected)
	}
	if !(shifted[0] >= 1) {
		t.Errorf("a shift of the level has the score %g", shifted[0])
	}
	if n, expected := float64(anomalies(shifted[60:])), rate*float64(len(shifted)); !(n <= 2*expected) {
		t.Errorf("%g false alarms from an hour after a shift on, where %.3g were expected", n, expected)
	}
}

// With several rows in a row the border is lower, and the rate is the same.
func TestDetectorConsecutive(t *testing.T) {
	const rate = 1.0 / 720
	panel := minutes(10, 1)
	one, _ := trainDetector(t, panel, rnnkit.DetectorOptions{Rate: rate})
	three, _ := trainDetector(t, panel, rnnkit.DetectorOptions{Rate: rate, Consecutive: 3})
	if one, three := one.Detection().Border, three.Detection().Border; !(three < one) {
		t.Errorf("the border of three rows in a row is %g, that of one %g", three, one)
	}
	if n := anomalies(scores(t, three, minutes(30, 2))); n > 2*60 {
		t.Errorf("%d false alarms, where 60 were expected at most", n)
	}
}

// A detector of few rows has not learned their noise: it is less far off than the last value.
func TestDetectorFewRows(t *testing.T) {
	noise := func(rows int, seed uint64) *datasets.Panel {
		r, values := rand.New(rand.NewPCG(seed, 1)), make([]float64, rows)
		for i := range values {
			values[i] = 10 * r.Float64()
		}
		return &datasets.Panel{Roles: datasets.Roles{Targets: []string{"v"}}, Series: []datasets.PanelSeries{{Targets: [][]float64{values}}}}
	}
	d, _ := trainDetector(t, noise(100, 1), rnnkit.DetectorOptions{})
	state, off, repeating, last := d.NewState(), 0.0, 0.0, math.NaN()
	for row, v := range noise(500, 2).Series[0].Targets[0] {
		r, err := d.Observe(state, time.Time{}, []float64{v})
		if err != nil {
			t.Fatal(err)
		}
		if row > 0 {
			off, repeating = off+math.Abs(v-r.Forecast[0]), repeating+math.Abs(v-last)
		}
		last = v
	}
	if !(off < 0.95*repeating) {
		t.Errorf("off by %g in all, where the last value is by %g", off, repeating)
	}
}

func TestDetectorOptions(t *testing.T) {
	panel := minutes(1, 1)
	for field, o := range map[string]rnnkit.DetectorOptions{
		"HeldOut":      {Options: rnnkit.Options{HeldOut: 1}},
		"Rate":         {Rate: -1},
		"Season":       {Season: -1},
		"Direction":    {Direction: "up"},
		"MinDeviation": {MinDeviation: math.NaN()},
		"MinRelative":  {MinRelative: -1},
		"Consecutive":  {Consecutive: -1},
		"Refractory":   {Refractory: -1},
	} {
		var wrong *models.FieldError
		if _, err := rnnkit.NewDetector(panel, o); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	short := minutes(1, 1)
	short.Series[0].Targets[0] = short.Series[0].Targets[0][:50]
	if _, err := rnnkit.NewDetector(short, rnnkit.DetectorOptions{}); !errors.Is(err, datasets.ErrTooShort) {
		t.Errorf("a short series: %v", err)
	}
}

// A detector learns on from another one.
func TestDetectorStart(t *testing.T) {
	job, err := rnnkit.NewDetector(minutes(1, 1), rnnkit.DetectorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := job.Train(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var o rnnkit.DetectorOptions
	o.Start, o.Fit.Epochs = first.Model, 1
	d, _ := trainDetector(t, minutes(2, 2), o)
	if d.Detection().Border == first.Model.Detector.Border {
		t.Error("the border was not calibrated anew")
	}
}

// machine returns minutes of a machine with 12 columns: load that comes and goes moves half
// of them, and each has noise of its own. Others never change.
func machine(days int, seed uint64) *datasets.Panel {
	p, r := minutes(days, seed), rand.New(rand.NewPCG(seed, 1))
	p.Roles.Targets, p.Series[0].Targets = nil, nil
	load := make([]float64, days*1440)
	for i := range load {
		load[i] = 0.9*load[max(0, i-1)] + r.NormFloat64()
	}
	for k := range 12 {
		unit, values := math.Pow(10, float64(k-4)), make([]float64, len(load))
		for i := range values {
			if values[i] = 5 * unit; k < 11 {
				values[i] += unit * (float64(k%2)*load[i] + r.NormFloat64())
			}
		}
		p.Roles.Targets = append(p.Roles.Targets, fmt.Sprint("c", k))
		p.Series[0].Targets = append(p.Series[0].Targets, values)
	}
	return p
}

// A machine is an anomaly when many columns are unusual, or a few are far away, or one
// changes that never did; and the columns are told.
func TestDetectorOfMachine(t *testing.T) {
	const rate = 1.0 / 1440
	d, summary := trainDetector(t, machine(3, 1), rnnkit.DetectorOptions{Rate: rate})
	t.Log(summary)
	live := machine(6, 2)
	columns := live.Series[0].Targets
	planted := map[int][]int{2000: {0, 2, 4, 6, 8, 10}, 4000: {5, 7}, 6000: {11}}
	for row, which := range planted {
		for _, k := range which {
			columns[k][row] += 40 * math.Pow(10, float64(k-4)) / float64(len(which))
		}
	}
	state, values, alarms := d.NewState(), make([]float64, len(columns)), 0
	for row := range live.Series[0].Len() {
		for k := range columns {
			values[k] = columns[k][row]
		}
		r, err := d.Observe(state, live.Time(0, row), values)
		if err != nil {
			t.Fatal(err)
		}
		if r.Score >= 1 {
			alarms++
		}
		share := 0.0
		for _, k := range planted[row] {
			share += r.Shares[k]
		}
		if planted[row] != nil && !(r.Score >= 1 && share > 0.8) {
			t.Errorf("row %d: the score is %g, and the columns %v have a share of %g", row, r.Score, planted[row], share)
		}
	}
	if expected := rate * float64(live.Series[0].Len()); !(float64(alarms-len(planted)) <= 2*expected) {
		t.Errorf("%d false alarms, where %.3g were expected", alarms-len(planted), expected)
	}
}
