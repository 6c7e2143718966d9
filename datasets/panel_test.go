package datasets_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/models"
)

var nan = math.NaN()

// equal reports whether a and b have the same values, where NaN is like NaN.
func equal[T float32 | float64](a, b []T) bool {
	return slices.EqualFunc(a, b, func(x, y T) bool { return x == y || x != x && y != y })
}

func counted(from, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(from + i)
	}
	return values
}

// twoSeries is a panel with all roles: 7 and 4 rows, the second with a missing value.
func twoSeries() *datasets.Panel {
	return &datasets.Panel{
		Roles: datasets.Roles{Targets: []string{"y", "z"}, Past: []string{"p"}, Future: []string{"f"}, Static: []string{"size"}, Categories: []string{"region"}},
		Series: []datasets.PanelSeries{
			{Name: "a", Targets: [][]float64{counted(1, 7), counted(11, 7)}, Past: [][]float64{counted(21, 7)}, Future: [][]float64{counted(31, 9)},
				Static: []float64{5}, Categories: []string{"north"}},
			{Name: "b", Targets: [][]float64{{1, nan, 3, 4}, {5, 5, 5, 5}}, Past: [][]float64{counted(51, 4)}, Future: [][]float64{counted(61, 4)},
				Static: []float64{6}, Categories: []string{"south"}},
		},
	}
}

func TestPanelWindows(t *testing.T) {
	p := twoSeries()
	w, err := p.Windows(datasets.WindowOptions{Window: 3, Horizon: 2, Errors: [][]float64{{2, 4}, {8, 16}},
		Categories: []models.CategoryValues{{Name: "region", Values: []string{"south"}}}})
	if err != nil {
		t.Fatal(err)
	}
	// Origins 1 to 5 of both targets of a, and 1 to 2 of those of b.
	if w.Len() != 14 {
		t.Fatalf("%d windows", w.Len())
	}
	var places [][3]int
	for i := range w.Len() {
		series, target, origin := w.Example(i)
		places = append(places, [3]int{series, target, origin})
	}
	if want := [][3]int{{0, 0, 1}, {0, 0, 2}, {0, 0, 3}, {0, 0, 4}, {0, 0, 5}, {0, 1, 1}, {0, 1, 2}, {0, 1, 3}, {0, 1, 4}, {0, 1, 5},
		{1, 0, 1}, {1, 0, 2}, {1, 1, 1}, {1, 1, 2}}; !slices.Equal(places, want) {
		t.Errorf("the examples are %v", places)
	}
	var b datasets.Batch
	if err := w.Read(&b, []int{8, 11}); err != nil {
		t.Fatal(err)
	}
	n := float32(nan)
	if b.Size != 2 || b.Time != 3 ||
		!equal(b.Inputs, []float32{12, 22, 32, 13, 23, 33, 14, 24, 34, n, n, n, 1, 51, 61, n, 52, 62}) ||
		!equal(b.Ahead, []float32{35, 36, 63, 64}) || !equal(b.Targets, []float32{15, 16, 3, 4}) ||
		!equal(b.Static, []float32{5, 6}) || !slices.Equal(b.Categories, []int64{0, 1}) || !equal(b.Weights, []float32{0.25, 0.125}) {
		t.Errorf("%+v", b)
	}
	if allocs := testing.AllocsPerRun(3, func() { w.Read(&b, []int{8, 11}) }); allocs != 0 {
		t.Errorf("a second batch allocates %v times", allocs)
	}
	if err := w.Read(&b, []int{14}); err == nil {
		t.Error("an example that is not there was read")
	}
}

func TestPanelWindowsAreThoseThatFit(t *testing.T) {
	p, err := datasets.NewPanel([]float64{1, nan, nan, nan, 5, 6, 7, nan, nan, 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		o    datasets.WindowOptions
		want []int // origins
	}{
		{datasets.WindowOptions{Window: 2, Horizon: 1}, []int{5, 6}},    // 4 has no value in its window
		{datasets.WindowOptions{Window: 2, Horizon: 2}, []int{5, 6, 8}}, // 7 has no target
		{datasets.WindowOptions{Window: 2, Horizon: 2, MinHistory: 2}, []int{6}},
		{datasets.WindowOptions{Window: 9, Horizon: 3, MinTargets: 1, Last: 2}, []int{8, 9}}, // one step of three
		{datasets.WindowOptions{Window: 9, Horizon: 3, Last: 3}, []int{5, 6, 7}},
	} {
		w, err := p.Windows(test.o)
		if err != nil {
			t.Fatal(err)
		}
		var origins []int
		for i := range w.Len() {
			_, _, origin := w.Example(i)
			origins = append(origins, origin)
		}
		if !slices.Equal(origins, test.want) {
			t.Errorf("%+v: the origins are %v, want %v", test.o, origins, test.want)
		}
	}
}

func TestPanelWindowsTakeTurns(t *testing.T) {
	p, _ := datasets.NewPanel(counted(0, 1000), counted(0, 3), counted(0, 30), counted(0, 2))
	draw := func(count int, seed uint64) (counts [4]int, origins map[int]bool) {
		w, err := p.Windows(datasets.WindowOptions{Window: 5, Horizon: 2, Count: count, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		origins = map[int]bool{}
		for i := range w.Len() {
			series, _, origin := w.Example(i)
			counts[series]++
			if series == 0 {
				origins[origin] = true
			}
		}
		return counts, origins
	}
	counts, origins := draw(3000, 1)
	if counts != [4]int{1000, 1000, 1000, 0} {
		t.Errorf("the series have %v windows", counts)
	}
	// Of 998 origins, 1000 draws leave one out with the probability 1/e.
	if n := len(origins); n < 600 || n > 665 {
		t.Errorf("%d different origins of 998 in 1000 draws", n)
	}
	_, again := draw(3000, 1)
	_, other := draw(3000, 2)
	if len(again) != len(origins) || len(other) == len(origins) && slices.Equal(keys(other), keys(origins)) {
		t.Error("the seed does not decide what is drawn")
	}
	if counts, _ := draw(1000, 1); counts != [4]int{334, 333, 333, 0} {
		t.Errorf("1000 windows are of the series %v", counts)
	}
	p.Series[1].Targets[0] = counted(0, 2) // without a window
	p.Series = append(p.Series, p.Series[2], p.Series[2])
	if w, _ := p.Windows(datasets.WindowOptions{Window: 5, Horizon: 2, Count: 2}); w != nil {
		first, _, _ := w.Example(0)
		second, _, _ := w.Example(1)
		if first != 0 || second != 4 {
			t.Errorf("two windows are of the series %d and %d of 0, 2, 4 and 5", first, second)
		}
	}
	p, _ = datasets.NewPanel(counted(0, 1000), counted(0, 3), counted(0, 30), counted(0, 2))
	if counts, _ := draw(2, 1); counts != [4]int{1, 1, 0, 0} {
		t.Errorf("two windows are of the series %v", counts)
	}
}

func keys(set map[int]bool) (list []int) {
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func TestPanelWindowsRefuse(t *testing.T) {
	short, _ := datasets.NewPanel(counted(0, 4))
	if _, err := short.Windows(datasets.WindowOptions{Window: 3, Horizon: 4}); !errors.Is(err, datasets.ErrTooShort) {
		t.Errorf("the error is %v", err)
	}
	for field, change := range map[string]func(*datasets.WindowOptions){
		"Window":     func(o *datasets.WindowOptions) { o.Window = 0 },
		"Horizon":    func(o *datasets.WindowOptions) { o.Horizon = -1 },
		"MinHistory": func(o *datasets.WindowOptions) { o.MinHistory = 4 },
		"MinTargets": func(o *datasets.WindowOptions) { o.MinTargets = 3 },
		"Last":       func(o *datasets.WindowOptions) { o.Last = -1 },
		"Count":      func(o *datasets.WindowOptions) { o.Count = -1 },
		"Errors":     func(o *datasets.WindowOptions) { o.Errors = [][]float64{{1, 1}} },
		"Errors[1]":  func(o *datasets.WindowOptions) { o.Errors = [][]float64{{1, 1}, {1, nan}} },
		"Categories": func(o *datasets.WindowOptions) { o.Categories = []models.CategoryValues{} },
	} {
		o := datasets.WindowOptions{Window: 3, Horizon: 2}
		change(&o)
		_, err := twoSeries().Windows(o)
		wantField(t, err, field)
	}
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	var about *models.FieldError
	if !errors.As(err, &about) || about.Field != field {
		t.Errorf("the error is %v, not about %s", err, field)
	}
}

func TestPanelCheck(t *testing.T) {
	if err := twoSeries().Check(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*datasets.Panel){
		"Series":                  func(p *datasets.Panel) { p.Series = nil },
		"Roles.Targets":           func(p *datasets.Panel) { p.Targets = nil },
		"Series[1].Targets":       func(p *datasets.Panel) { p.Series[1].Targets = p.Series[1].Targets[:1] },
		"Series[0].Targets[1]":    func(p *datasets.Panel) { p.Series[0].Targets[1] = counted(0, 6) },
		"Series[0].Targets[0][2]": func(p *datasets.Panel) { p.Series[0].Targets[0][2] = math.Inf(1) },
		"Series[1].Past[0][3]":    func(p *datasets.Panel) { p.Series[1].Past[0][3] = 1e39 },
		"Series[0].Past":          func(p *datasets.Panel) { p.Series[0].Past = nil },
		"Series[0].Future[0]":     func(p *datasets.Panel) { p.Series[0].Future[0] = counted(0, 6) },
		"Series[1].Static":        func(p *datasets.Panel) { p.Series[1].Static = nil },
		"Series[1].Static[0][0]":  func(p *datasets.Panel) { p.Series[1].Static[0] = math.Inf(-1) },
		"Series[0].Categories":    func(p *datasets.Panel) { p.Series[0].Categories = nil },
	} {
		p := twoSeries()
		change(p)
		wantField(t, p.Check(), field)
	}
}

func TestPanelUntil(t *testing.T) {
	p := twoSeries()
	before := p.Until(4)
	a, b := before.Series[0], before.Series[1]
	if a.Len() != 3 || a.Ahead() != 6 || !equal(a.Targets[1], counted(11, 3)) || !equal(a.Past[0], counted(21, 3)) || b.Len() != 0 || b.Ahead() != 4 {
		t.Errorf("%+v", before.Series)
	}
	if p.Series[0].Len() != 7 || p.Until(-1).Series[0].Len() != 7 {
		t.Error("rows are gone")
	}
	if err := before.Check(); err != nil {
		t.Error(err)
	}
}

func TestSeasonalErrors(t *testing.T) {
	p, _ := datasets.NewPanel(
		[]float64{1, 5, 2, nan, 5, 9},         // pairs two apart: 1, -, 3, -
		[]float64{1, 2, 1, 2, 1, 2},           // repeats itself: neighbours
		[]float64{-3, -3, -3},                 // constant
		[]float64{0, 0, 0, 0},                 // nothing
		[]float64{nan, nan, nan},              // no values
		[]float64{4},                          // no pairs
		[]float64{0, 1e6, 0, 1e6, 0, 1e6 + 1}, // nearly repeats itself
	)
	var got []float64
	for _, e := range p.SeasonalErrors(2) {
		got = append(got, e...)
	}
	if want := []float64{2, 1, 3, 1, 1, 4}; !equal(got[:6], want) || math.Abs(got[6]-500) > 1 {
		t.Errorf("%v, want %v and 500", got, want)
	}
}

func TestCovariateScales(t *testing.T) {
	p := twoSeries()
	p.Series[1].Past[0] = []float64{1, nan, nan, 2}
	past, future, static := p.CovariateScales()
	if want := models.FitScale([]float32{21, 22, 23, 24, 25, 26, 27, 1, 2}, 1); !equal(past.Mean, want.Mean) || !equal(past.Std, want.Std) {
		t.Errorf("%+v, want %+v", past, want)
	}
	if len(future.Mean) != 1 || !equal(static.Mean, []float32{5.5}) || !equal(static.Std, []float32{0.5}) {
		t.Errorf("%+v, %+v", future, static)
	}
	none, _ := datasets.NewPanel(counted(0, 3))
	if past, future, static := none.CovariateScales(); past != nil || future != nil || static != nil {
		t.Error("scales of nothing")
	}
}

func TestAddCalendar(t *testing.T) {
	p := twoSeries()
	wantField(t, p.AddCalendar(3, "hour"), "Calendar")
	p.Frequency = models.Frequency{Count: 1, Unit: models.Day}
	p.Series[0].Start = time.Date(2024, 2, 28, 0, 0, 0, 0, time.UTC) // a Wednesday
	p.Series[1].Start = p.Series[0].Start
	wantField(t, p.AddCalendar(3, "hours"), "Calendar[0]")
	if err := p.AddCalendar(3, "dayofweek", "month"); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	a, b := p.Series[0], p.Series[1]
	if a.Ahead() != 3 || b.Ahead() != 3 || len(p.Future) != 10 || !slices.Equal(p.Calendar, p.Future[1:]) {
		t.Errorf("%d and %d rows ahead of %q", a.Ahead(), b.Ahead(), p.Future)
	}
	if !equal(a.Future[0], append(counted(31, 9), nan)) || !equal(b.Future[5], []float64{0, 0, 1, 0, 0, 0, 0}) {
		t.Errorf("%v, %v", a.Future[0], b.Future[5])
	}
	if got, want := a.Future[8][1:3], []float64{float64(float32(math.Sin(math.Pi / 6))), float64(float32(math.Sin(math.Pi / 3)))}; !equal(got, want) {
		t.Errorf("the sines of February and March are %v, want %v", got, want)
	}
	if err := p.AddCalendar(5, "hour_sin"); err != nil || p.Check() != nil || p.Series[1].Ahead() != 5 || strings.Join(p.Future, " ") != "f hour_sin" {
		t.Errorf("%v: %d rows ahead of %q", err, p.Series[1].Ahead(), p.Future)
	}
	if at := p.Time(0, 2); !at.Equal(time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("row 2 is at %v", at)
	}
}

func TestPanelCategoryValues(t *testing.T) {
	p := twoSeries()
	p.Series = append(p.Series, p.Series[0], p.Series[0])
	p.Series[2].Categories = []string{""}
	if got := p.CategoryValues(); len(got) != 1 || got[0].Name != "region" || strings.Join(got[0].Values, ",") != "north,south" {
		t.Errorf("%+v", got)
	}
}
