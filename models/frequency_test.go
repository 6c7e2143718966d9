package models

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

// pandasCalendar is what testdata/frequency.py writes.
type pandasCalendar struct {
	Ranges []struct {
		Frequency, Zone string
		Times           []time.Time
	}
	Calendar []struct {
		Time   time.Time
		Values map[string]float64
	}
}

func readPandasCalendar(t *testing.T) (golden pandasCalendar) {
	t.Helper()
	text, err := os.ReadFile("testdata/frequency.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	return golden
}

func TestFrequencyIsThatOfPandas(t *testing.T) {
	for _, golden := range readPandasCalendar(t).Ranges {
		f, err := ParseFrequency(golden.Frequency)
		if err != nil || f.String() != golden.Frequency {
			t.Fatalf("%s is read as %v: %v", golden.Frequency, f, err)
		}
		zone, err := time.LoadLocation(golden.Zone)
		if err != nil {
			t.Fatal(err)
		}
		for i, from := range golden.Times {
			for k, to := range golden.Times {
				if got := f.Add(from.In(zone), k-i); !got.Equal(to) {
					t.Errorf("%s: %v and %d steps are %v, want %v", golden.Frequency, from, k-i, got, to)
				}
				if n, exact := f.Steps(from.In(zone), to.UTC()); n != k-i || !exact {
					t.Errorf("%s: from %v to %v there are %d steps, exactly: %v; want %d", golden.Frequency, from, to, n, exact, k-i)
				}
				if n, exact := f.Steps(from.In(zone), to.Add(time.Millisecond)); n != k-i || exact {
					t.Errorf("%s: from %v to just after %v there are %d steps, exactly: %v; want %d", golden.Frequency, from, to, n, exact, k-i)
				}
			}
		}
	}
}

func TestFrequencyKeepsTheDayOfTheMonth(t *testing.T) {
	start := time.Date(2024, 1, 31, 0, 0, 0, 0, time.UTC)
	f := Frequency{1, Month}
	for n, want := range []string{"2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"} {
		at := f.Add(start, n)
		if got := at.Format(time.DateOnly); got != want {
			t.Errorf("month %d is %s, want %s", n, got, want)
		}
		if got, exact := f.Steps(start, at); got != n || !exact {
			t.Errorf("to %s there are %d steps, exactly: %v", want, got, exact)
		}
	}
}

func TestFrequencyFarAway(t *testing.T) {
	from, to := time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	if n, exact := (Frequency{1, Second}).Steps(from, to); n != 22089888000 || !exact {
		t.Errorf("%d seconds, exactly: %v", n, exact)
	}
	if _, exact := (Frequency{1, Nanosecond}).Steps(from, to); exact {
		t.Error("more nanoseconds than an int64 holds are counted")
	}
	if n, exact := (Frequency{}).Steps(from, from); n != 0 || !exact {
		t.Error("without a frequency a time is not itself")
	}
}

func TestParseFrequencyRefuses(t *testing.T) {
	for _, s := range []string{"0h", "h1", "-1h", "1", "1x", "1.5h", "99999999999999999999h", "9999999h", " 1h", "1 h"} {
		f, err := ParseFrequency(s)
		wantFieldError(t, "Frequency", err)
		if f != (Frequency{}) {
			t.Errorf("%q is read as %v", s, f)
		}
	}
	if f, err := ParseFrequency("H"); err != nil || f != (Frequency{1, Hour}) {
		t.Errorf("H is %v: %v", f, err)
	}
}

func wantFieldError(t *testing.T, field string, err error) {
	t.Helper()
	if about, ok := err.(*FieldError); !ok || about.Field != field {
		t.Errorf("the error is %v, not about %s", err, field)
	}
}

func TestFrequencyInWords(t *testing.T) {
	for s, want := range map[string][2]string{
		"": {"1 row", "144 rows"}, "1mo": {"1 month", "144 months"}, "1me": {"1 month", "144 months"},
		"15min": {"15 minutes", "144 steps of 15 minutes"}, "1b": {"1 business day", "144 business days"},
	} {
		f, _ := ParseFrequency(s)
		if got := [2]string{f.Span(1), f.Span(144)}; got != want {
			t.Errorf("%s is %q, want %q", s, got, want)
		}
	}
}

func TestFrequencyCycles(t *testing.T) {
	for s, want := range map[string][]int{
		"": nil, "1s": {60, 3600, 86400, 604800}, "10s": {6, 360, 8640, 60480}, "7min": {1440}, "15min": {4, 96, 672}, "30min": {2, 48, 336},
		"1h": {24, 168}, "6h": {4, 28}, "1d": {7}, "3d": nil, "1b": {5}, "1w": {52}, "2w": {26}, "1mo": {12}, "1me": {12}, "2mo": {6},
		"1q": {4}, "1qe": {4}, "1y": nil, "1ye": nil,
	} {
		f, _ := ParseFrequency(s)
		if got := f.Cycles(); !slices.Equal(got, want) {
			t.Errorf("%s has the cycles %v, want %v", s, got, want)
		}
	}
}

func TestCalendarIsThatOfPandas(t *testing.T) {
	columns, err := CalendarColumns("minute", "hour", "dayofweek", "dayofmonth", "dayofyear", "month")
	if err != nil || len(columns) != 17 {
		t.Fatalf("%q: %v", columns, err)
	}
	for _, golden := range readPandasCalendar(t).Calendar {
		if len(golden.Values) != len(columns) {
			t.Fatalf("pandas has %d columns, and there are %d", len(golden.Values), len(columns))
		}
		for i, got := range CalendarFeatures(columns, golden.Time) {
			if want := golden.Values[columns[i]]; !(math.Abs(float64(got)-want) < 1e-6) {
				t.Errorf("%s of %v is %v, want %v", columns[i], golden.Time, got, want)
			}
		}
	}
}

func TestCalendarColumns(t *testing.T) {
	columns, err := CalendarColumns("hour_cos", "month")
	if want := []string{"hour_cos", "month_sin", "month_cos"}; err != nil || !slices.Equal(columns, want) {
		t.Errorf("%q: %v", columns, err)
	}
	for _, name := range []string{"", "year", "hour_mon", "dayofweek_sin", "Hour", "_"} {
		_, err := CalendarColumns("hour", name)
		wantFieldError(t, "Calendar[1]", err)
		if v := CalendarFeatures([]string{name}, time.Now()); v[0] == v[0] {
			t.Errorf("%q is %v", name, v)
		}
	}
}

func TestForecastingTimes(t *testing.T) {
	good := func() *Forecasting {
		return &Forecasting{Frequency: "1h", Future: []string{"temperature", "hour_sin", "hour_cos"}, Calendar: []string{"hour_sin", "hour_cos"}}
	}
	if err := good().validateTimes(); err != nil {
		t.Error(err)
	}
	if err := new(Forecasting).validateTimes(); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		field  string
		change func(*Forecasting)
	}{
		{"Frequency", func(f *Forecasting) { f.Frequency = "hourly" }},
		{"Frequency", func(f *Forecasting) { f.Frequency = "" }},
		{"Calendar[0]", func(f *Forecasting) { f.Calendar = []string{"temperature"} }},
		{"Calendar", func(f *Forecasting) { f.Calendar = f.Calendar[:1] }},
		{"Calendar", func(f *Forecasting) { f.Calendar = []string{"hour"} }},
		{"Calendar", func(f *Forecasting) { f.Future = f.Future[1:2] }},
	} {
		f := good()
		test.change(f)
		wantFieldError(t, test.field, f.validateTimes())
	}
}
