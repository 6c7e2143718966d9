package datasets_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// waves returns n values with the given cycles, a trend and noise.
func waves(n int, noise float64, seed uint64, cycles ...float64) []float64 {
	draw := rand.New(rand.NewPCG(seed, 0))
	values := make([]float64, n)
	for i := range values {
		values[i] = 0.05*float64(i) + noise*draw.NormFloat64()
		for _, c := range cycles {
			values[i] += 10 * math.Sin(2*math.Pi*float64(i)/c)
		}
	}
	return values
}

// weekly returns n hours of days that are alike, but for weekends.
func weekly(n int) []float64 {
	days, values := waves(n, 0, 0, 24), waves(n, 1, 1, 24)
	for i := range values {
		if i/24%7 > 4 {
			values[i] -= 0.5 * (days[i] - 0.05*float64(i))
		}
	}
	return values
}

func TestSeasons(t *testing.T) {
	for _, test := range []struct {
		frequency string
		series    [][]float64
		want      []int
	}{
		{"1mo", [][]float64{waves(60, 1, 1, 12)}, []int{12}},
		{"1mo", [][]float64{waves(60, 1, 1)}, nil},
		{"1mo", [][]float64{waves(1200, 1, 1, 11)}, nil},
		{"1mo", [][]float64{waves(20, 1, 1)}, []int{12}}, // too short to tell
		{"1mo", [][]float64{waves(10, 1, 1)}, nil},
		{"1h", [][]float64{waves(1000, 1, 1, 24)}, []int{24}},
		{"1h", [][]float64{weekly(1000)}, []int{24, 168}},
		{"1h", [][]float64{weekly(400)}, []int{24}}, // no three weeks
		{"30min", [][]float64{waves(1000, 0.1, 1, 48)}, []int{48}},
		{"1y", [][]float64{waves(100, 0, 1, 11)}, nil},
		{"1d", [][]float64{waves(70, 1, 1, 7), waves(70, 20, 2), {1, 1, 1, 1}}, []int{7}}, // one in two
		{"", [][]float64{waves(300, 1, 1, 17)}, []int{17}},
		{"", [][]float64{weekly(1000)}, []int{24, 168}},
		{"", [][]float64{waves(300, 1, 1)}, nil},
		{"", [][]float64{{1, 2}, {3}, {}}, nil},
		{"1h", [][]float64{{nan, nan, nan}}, nil},
	} {
		p, err := datasets.NewPanel(test.series...)
		if err != nil {
			t.Fatal(err)
		}
		if p.Frequency, err = models.ParseFrequency(test.frequency); err != nil {
			t.Fatal(err)
		}
		if got := p.Seasons(); !slices.Equal(got, test.want) {
			t.Errorf("%s, %d series, %d rows: the seasons are %v, want %v", test.frequency, len(test.series), len(test.series[0]), got, test.want)
		}
	}
}

// TestDailySeasons has days in hours with much noise.
func TestDailySeasons(t *testing.T) {
	missed := 0
	for seed := range uint64(100) {
		p := mustPanel(t, waves(480, 1.5, seed, 24))
		p.Frequency, p.Series[0].Start = models.Frequency{Count: 1, Unit: models.Hour}, time.Unix(0, 0).UTC()
		if !slices.Equal(p.Seasons(), []int{24}) {
			missed++
		}
	}
	if missed > 2 {
		t.Errorf("the day is missed in %d of 100 series", missed)
	}
}

// TestSlowSeasons has cycles whose differences are small beside the noise, and smooth series
// without a cycle, whose differences are alike for some rows.
func TestSlowSeasons(t *testing.T) {
	for seed := range uint64(20) {
		if s := mustPanel(t, waves(1000, 1, seed, 50)).Seasons(); len(s) == 0 || s[0] < 46 || s[0] > 54 {
			t.Errorf("seed %d: a cycle of 50 gives the seasons %v", seed, s)
		}
		noise, draw, smooth, speed := waves(1000, 2, seed), rand.New(rand.NewPCG(seed, 1)), 0.0, 0.0
		for i := range noise {
			speed = 0.9*speed + draw.NormFloat64()
			smooth += speed
			noise[i] += smooth
		}
		if s := mustPanel(t, noise).Seasons(); len(s) > 0 {
			t.Errorf("seed %d: no cycle gives the seasons %v", seed, s)
		}
	}
}

// TestYearsOfWeeks has a year that changes less from week to week than the noise, and walks
// and noise without a year.
func TestYearsOfWeeks(t *testing.T) {
	found, walks := 0, 0
	for seed := range uint64(100) {
		draw, walk := rand.New(rand.NewPCG(seed, 2)), make([]float64, 157)
		for i := range walk[1:] {
			walk[i+1] = walk[i] + draw.NormFloat64()
		}
		for _, v := range []struct {
			values []float64
			count  *int
		}{{waves(157, 3, seed, 52.18), &found}, {walk, &walks}} {
			p := mustPanel(t, v.values)
			p.Frequency = models.Frequency{Count: 1, Unit: models.Week}
			if slices.Equal(p.Seasons(), []int{52}) {
				*v.count++
			}
		}
	}
	if found < 97 || walks > 8 {
		t.Errorf("a year is found in %d of 100 series that have it, and in %d of 100 random walks", found, walks)
	}
}

// TestSeasonWithOutlier has one month of a hundred times what is usual.
func TestSeasonWithOutlier(t *testing.T) {
	for row := range 96 {
		values := waves(96, 1, 1, 12)
		values[row] = 1000
		p := mustPanel(t, values)
		p.Frequency = models.Frequency{Count: 1, Unit: models.Month}
		if s := p.Seasons(); !slices.Equal(s, []int{12}) {
			t.Errorf("with an outlier in row %d the seasons are %v", row, s)
		}
	}
}

func mustPanel(t *testing.T, values []float64) *datasets.Panel {
	t.Helper()
	p, err := datasets.NewPanel(values)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDescribe(t *testing.T) {
	for file, want := range map[string]string{
		"airpassengers/AirPassengers.csv": "1 series, 144 months, 1949-01 to 1960-12, season 12, no gaps\nforecasts \"#Passengers\", \"Month\" is the time",
		"sunspots/monthly-sunspots.csv":   "1 series, 2820 months, 1749-01 to 1983-12, no season, no gaps\nforecasts \"Sunspots\", \"Month\" is the time",
		"ett/ETTh1.csv": "7 series, 17420 hours each, 2016-07-01 00:00 to 2018-06-26 19:00, season 24, no gaps\n" +
			"forecasts each column: \"HUFL\", \"HULL\", \"MUFL\", \"MULL\" and 3 more, \"date\" is the time",
	} {
		f, err := os.Open(testenv.Shared(t, "data", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := datasets.NewCSVRows(f, file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := datasets.ReadPanel(rows, datasets.Roles{Wide: strings.Contains(file, "ETT")})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Describe(); got != want || len(p.Notes) > 0 {
			t.Errorf("%s:\n%s\n%q\nwant\n%s", file, got, p.Notes, want)
		}
	}
}

// TestReadPanelField reads files that were read wrongly before, or says why not.
func TestReadPanelField(t *testing.T) {
	const months, days = "24 months, 2022-01 to 2023-12, season 12, ", "24 days, 2024-01-01 to 2024-01-24, no season, "
	for file, want := range map[string]string{
		"f01-date-trained-instead-of-value/currency.csv":         months + "no gaps",
		"f01-date-trained-instead-of-value/deccomma.csv":         months + "no gaps",
		"f01-date-trained-instead-of-value/id_with_unit.csv":     "line 2, column 2: \"100.0 C\" is a number with a unit",
		"f01-date-trained-instead-of-value/mostly_missing.csv":   "1 series, 23 months, 2022-01 to 2023-11, season 12, 11 of 23 values missing",
		"f01-date-trained-instead-of-value/percent.csv":          months + "no gaps",
		"f01-date-trained-instead-of-value/thousands.csv":        months + "no gaps",
		"f01-date-trained-instead-of-value/unit.csv":             "line 2, column 2: \"100.0 C\" is a number with a unit",
		"f01-date-trained-instead-of-value/year.csv":             "24 years, 1900 to 1923, no season, no gaps",
		"f02-date-order-gaps-duplicates-series/gap.csv":          days + "6 of 24 values missing",
		"f02-date-order-gaps-duplicates-series/newest_first.csv": days + "no gaps",
		"f03-numeric-header-read-as-data/station_id.csv":         "24 rows, no season, no gaps",
		"f03-numeric-header-read-as-data/wide_years.csv":         "2 columns of numbers",
		"f08-blank-line-in-one-column-skipped/blank.csv":         "24 rows, no season, 3 of 24 values missing",
	} {
		f, err := os.Open(testenv.Shared(t, "field", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := datasets.NewCSVRows(f, "t.csv")
		if err != nil {
			t.Fatal(err)
		}
		p, err := datasets.ReadPanel(rows, datasets.Roles{})
		got := fmt.Sprint(err)
		if err == nil {
			got = p.Describe()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

func FuzzReadPanel(f *testing.F) {
	for _, text := range []string{
		"date,store,y\n2024-01-01,a,1\n2024-01-02,a,\n2024-01-01,b,3\n", "when;a;b\n31.12.2024 23:00;1,5;\n01.01.2025 01:00;2;7\n",
		"t,y\n1,2\n2,3\n4,\n", "Year,Month,y\n1949,11,1\n1949,12,2\n", "y\n1\n\n3\n", "date,y,f\n2024-01-31,1,0\n2024-02-29,2,0\n2024-03-31,,1\n",
		"ts,y\n1700000000000,1\n1700000001000,2\n", "date,y\n2024-10-27 02:00,1\n2024-10-27 02:00,2\n", "date,y\n0001-01-01,1\n9999-12-31,2\n",
	} {
		for flags := range byte(8) {
			f.Add(text, flags)
		}
	}
	f.Fuzz(func(t *testing.T, text string, flags byte) {
		roles := datasets.Roles{Wide: flags&1 > 0, Missing: []models.Missing{"mask", "interpolate", "refuse"}[flags>>1%3]}
		if flags&8 > 0 {
			roles.Future = []string{"3"}
		}
		if flags&16 > 0 && !roles.Wide {
			roles.Series = []string{"2"}
		}
		if flags&32 > 0 {
			roles.Zone = "Europe/Berlin"
		}
		if flags&64 > 0 {
			roles.Static = []string{"1"}
		}
		p, err := readPanel(text, roles)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		if roles.Missing == "refuse" && strings.Contains(p.Describe(), "missing") {
			t.Errorf("missing values were to be refused: %s", p.Describe())
		}
		for _, s := range p.Series {
			if roles.Missing == "interpolate" && len(p.Targets) == 1 && slices.ContainsFunc(s.Targets[0], func(v float64) bool { return v != v }) {
				t.Errorf("a missing value is left in %v", s.Targets[0])
			}
		}
	})
}
