package datasets

import (
	"strings"
	"testing"
	"time"
)

// TestTimesGoOn checks that the time after the last row of a table is written as those of
// the table are, and that ParseTime reads them all.
func TestTimesGoOn(t *testing.T) {
	for _, c := range []struct{ times, next string }{
		{"1949-01-01 1949-02-01 1949-03-01", "1949-04-01"},
		{"1949-01 1949-02 1949-03", "1949-04"},
		{"2024-1-9 2024-1-10 2024-1-11", "2024-1-12"},
		{"31/12/2024 01/01/2025 02/01/2025", "03/01/2025"},
		{"30.9.2024 1.10.2024 2.10.2024", "3.10.2024"},
		{"2024-03-31T01:00:00Z 2024-03-31T02:00:00Z 2024-03-31T03:00:00Z", "2024-03-31T04:00:00Z"},
		{"2024-03-31T00:00:00+01:00 2024-03-31T01:00:00+01:00 2024-03-31T03:00:00+02:00", "2024-03-31T04:00:00+02:00"},
		{"20240130 20240131 20240201", "20240202"},
		{"202411 202412 202501", "202502"},
		{"1999 2000 2001", "2002"},
		{"2024Q2 2024Q3 2024Q4", "2025Q1"},
		{"Q2-2024 Q3-2024 Q4-2024", "Q1-2025"},
		{"2024-W51 2024-W52 2025-W01", "2025-W02"},
		{"2024M11 2024M12 2025M01", "2025M02"},
		{"1700000000 1700000060 1700000120", "1700000180"},
		{"1700000000000 1700000060000 1700000120000", "1700000180000"},
		{"1700000000.825 1700000060.825 1700000120.825", "1700000180.825"},
		{"1700000000.5 1700000001 1700000001.5", "1700000002"},
		{"Jan-2024 Feb-2024 Mar-2024", "Apr-2024"},
	} {
		var text strings.Builder
		text.WriteString("time,value\n")
		for i, at := range strings.Fields(c.times) {
			text.WriteString(at + "," + string("352"[i]) + ".5\n")
		}
		rows, err := NewCSVRows(strings.NewReader(text.String()), "data.csv")
		if err != nil {
			t.Fatal(err)
		}
		zone := ""
		if strings.Contains(c.times, "+02:00") {
			zone = "Europe/Berlin"
		}
		p, err := ReadPanel(rows, Roles{Zone: zone})
		if err != nil {
			t.Errorf("%s: %v", c.times, err)
			continue
		}
		if got := p.FormatTime(p.Time(0, 3)); got != c.next {
			t.Errorf("after %s comes %s, want %s", c.times, got, c.next)
		}
		for i, at := range strings.Fields(c.times) {
			parsed, err := p.ParseTime(at)
			if row, exact := p.Row(0, parsed); err != nil || row != i || !exact {
				t.Errorf("%s is in row %d (exact %v, %v), want %d", at, row, exact, err, i)
			}
		}
	}
}

func TestParseTime(t *testing.T) {
	p, err := NewPanel([]float64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if at, err := p.ParseTime("2024-02-03 10:00"); err != nil || !at.Equal(time.Date(2024, 2, 3, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("ISO 8601 is read as %v, %v", at, err)
	}
	for _, text := range []string{"", "yesterday", "10:00", "3/4/2024"} {
		if at, err := p.ParseTime(text); err == nil {
			t.Errorf("%q is read as %v", text, at)
		}
	}
}
