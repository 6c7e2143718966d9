package datasets

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// layouts are the formats of dates and times, as package time writes them. In each pair
// either the day or the month comes first. If both formats can be parsed, the order of
// the rows decides.
var layouts = []string{
	"2006-1-2", "06-1-2", "2006-1", "2006/1/2", "2006/1", "2006.1.2",
	"2006-1-2 15:04", "2006-1-2 15:04:05", "2006-1-2T15:04", "2006-1-2T15:04:05", "2006-1-2 15", "2006-1-2T15",
	"2006-1-2T15:04:05Z07:00", "2006-1-2T15:04:05-0700", "2006-1-2T15:04Z07:00",
	"2006-1-2 15:04:05Z07:00", "2006-1-2 15:04:05-0700", "2006-1-2 15:04:05 -0700", "2006-1-2 15:04:05 MST", "2006-1-2 15:04 MST", "2006-1-2 15:04Z07:00", "2006-1-2 15:04:05 -0700 MST",
	"2006/1/2 15:04", "2006/1/2 15:04:05", "2006.1.2 15:04", "2006.1.2 15:04:05", "20060102 15:04", "20060102 15:04:05", "20060102T150405", "20060102T150405Z",

	"2.1.2006", "2.1.06", "2.1.2006 15:04", "2.1.2006 15:04:05", "2.1.06 15:04", "2.1.06 15:04:05",
	"2/1/2006", "2/1/06", "2/1/2006 15:04", "2/1/2006 15:04:05", "2/1/2006 3:04 PM", "2/1/2006 3:04:05 PM", "2/1/06 15:04", "2/1/06 15:04:05",
	"1/2/2006", "1/2/06", "1/2/2006 15:04", "1/2/2006 15:04:05", "1/2/2006 3:04 PM", "1/2/2006 3:04:05 PM", "1/2/06 15:04", "1/2/06 15:04:05",
	"2-1-2006", "2-1-06", "2-1-2006 15:04", "2-1-2006 15:04:05",
	"1-2-2006", "1-2-06", "1-2-2006 15:04", "1-2-2006 15:04:05",
	"1/2006", "1-2006",

	"Jan 2006", "January 2006", "Jan-06", "Jan-2006", "2006-Jan", "2006 Jan", "2006 January",
	"2 Jan 2006", "2 January 2006", "2-Jan-2006", "2-Jan-06", "2006-Jan-2", "2 Jan 2006 15:04", "2 Jan 2006 15:04:05", "2-Jan-2006 15:04:05",
	"Mon 2 Jan 2006", "Mon Jan 2 2006", "Mon, Jan 2, 2006", "Monday, January 2, 2006", "Monday, 2 January 2006",
	"Jan 2, 2006", "Jan 2 2006", "January 2, 2006", "Mon, 2 Jan 2006 15:04:05 MST", "Mon, 2 Jan 2006 15:04:05 -0700", "Mon Jan 2 15:04:05 2006",
	"2/Jan/2006:15:04:05 -0700",
}

// clocks are the formats of a time of day.
var clocks = []string{"15:04", "15:04:05", "3:04 PM", "3:04:05 PM"}

var (
	quarterForm = regexp.MustCompile(`^(\d{4})[- ]?[Qq]([1-4])$`)
	quarterLast = regexp.MustCompile(`^[Qq]([1-4])[- /]?(\d{4})$`)
	weekForm    = regexp.MustCompile(`^(\d{4})[- ]?K?W ?(\d\d)(?:-?([1-7]))?$`)
	weekLast    = regexp.MustCompile(`^K?W ?(\d{1,2})[- /](\d{4})$`)
	monthForm   = regexp.MustCompile(`^(\d{4})M(\d\d)$`)
)

// timeForm is a format of times. Those that a field writes without a time zone are in UTC.
type timeForm struct {
	zoned bool // fields have a time zone
	read  func(field string) (time.Time, bool)
}

func layoutForm(layout string) timeForm {
	named := strings.Contains(layout, "January")
	return timeForm{zoned: hasZone(layout), read: func(field string) (time.Time, bool) {
		t, err := time.Parse(layout, field)
		if err != nil && named {
			t, err = time.Parse(layout, inEnglish(field))
		}
		return t, err == nil
	}}
}

// foreignMonths are the names of months in German, French, Spanish and Italian, the longer
// ones first, and in English.
var foreignMonths = strings.NewReplacer(
	"septiembre", "September", "settembre", "September", "septembre", "September", "noviembre", "November", "diciembre", "December",
	"novembre", "November", "décembre", "December", "dezember", "December", "dicembre", "December", "febbraio", "February",
	"janvier", "January", "gennaio", "January", "februar", "February", "février", "February", "febrero", "February",
	"juillet", "July", "octobre", "October", "octubre", "October", "oktober", "October", "ottobre", "October",
	"januar", "January", "jänner", "January", "aprile", "April", "maggio", "May", "giugno", "June", "luglio", "July", "agosto", "August",
	"enero", "January", "marzo", "March", "avril", "April", "abril", "April", "junio", "June", "julio", "July",
	"märz", "March", "mars", "March", "mayo", "May", "juni", "June", "juin", "June", "juli", "July", "août", "August", "mai", "May",
)

// inEnglish returns a field with the names of months in English.
func inEnglish(field string) string { return foreignMonths.Replace(strings.ToLower(field)) }

// hasZone reports whether times in a layout name their time zone.
func hasZone(layout string) bool {
	return strings.HasSuffix(layout, "Z") || slices.ContainsFunc([]string{"Z07", "-07", "MST"}, func(zone string) bool { return strings.Contains(layout, zone) })
}

// stampOf returns the time in a field, or the first one of a range such as 12:00 -
// 13:00.
func stampOf(field string) string {
	first, _, _ := strings.Cut(field, " - ")
	return strings.TrimSpace(first)
}

// parseTimes parses the fields of a column. A time that cannot be parsed is zero, and
// bad counts those that are not missing.
func parseTimes(fields []string, form timeForm) (times []time.Time, bad int) {
	times = make([]time.Time, len(fields))
	for i, field := range fields {
		field = stampOf(field)
		t, ok := form.read(field)
		if ok {
			times[i] = t
		} else if !isMissing(field) {
			bad++
		}
	}
	return times, bad
}

// formsOf returns the formats that can parse one of the first fields that are not
// missing. It returns those of times of day only if no other can.
func formsOf(fields []string) (forms []timeForm, clock bool) {
	const enough = 3
	var sample []string
	for _, field := range fields {
		if len(sample) < enough && !isMissing(field) {
			sample = append(sample, stampOf(field))
		}
	}
	forms = readingForms(sample, append(formsFrom(layouts), timeForm{read: partOfYear}))
	if len(forms) > 0 {
		return forms, false
	}
	return readingForms(sample, formsFrom(clocks)), true
}

func formsFrom(layouts []string) (forms []timeForm) {
	for _, layout := range layouts {
		forms = append(forms, layoutForm(layout))
	}
	return forms
}

// readingForms returns the formats that can parse one of the fields.
func readingForms(fields []string, forms []timeForm) []timeForm {
	return slices.DeleteFunc(forms, func(form timeForm) bool {
		return !slices.ContainsFunc(fields, func(field string) bool {
			_, ok := form.read(field)
			return ok
		})
	})
}

// partOfYear parses a quarter, a week of ISO 8601, or a month such as 2024M01.
func partOfYear(field string) (time.Time, bool) {
	year, part, day := "", "", "1"
	month, weekly := 0, false
	if m := weekLast.FindStringSubmatch(field); m != nil {
		year, part, weekly = m[2], m[1], true
	} else if m := quarterForm.FindStringSubmatch(field); m != nil {
		year, part, month = m[1], m[2], 3
	} else if m := quarterLast.FindStringSubmatch(field); m != nil {
		year, part, month = m[2], m[1], 3
	} else if m := monthForm.FindStringSubmatch(field); m != nil {
		year, part, month = m[1], m[2], 1
	} else if m := weekForm.FindStringSubmatch(field); m != nil {
		year, part, weekly = m[1], m[2], true
		if m[3] != "" {
			day = m[3]
		}
	}
	y, err := strconv.Atoi(year)
	if err != nil {
		return time.Time{}, false
	}
	n, _ := strconv.Atoi(part)
	if weekly {
		d, _ := strconv.Atoi(day)
		first := time.Date(y, 1, 4, 0, 0, 0, 0, time.UTC) // is in the first week
		monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
		return monday.AddDate(0, 0, 7*(n-1)+d-1), n >= 1 && n <= 53
	}
	return time.Date(y, time.Month(month*(n-1)+1), 1, 0, 0, 0, 0, time.UTC), n >= 1 && month*n <= 12
}

// timeAnswer is what the fields of a column mean in a format.
type timeAnswer struct {
	form  timeForm
	times []time.Time
}

// readTimes returns the times of a column, if more than half of the fields that are not
// missing are times of one format. The number of those is there. Several answers are
// possible meanings. No answer means that the column holds no times.
func readTimes(fields []string, there int) (answers []timeAnswer, clock bool) {
	forms, clock := formsOf(fields)
	fewest := (there + 1) / 2
	for _, form := range forms {
		times, bad := parseTimes(fields, form)
		if bad < fewest {
			fewest, answers = bad, nil
		}
		same := func(answer timeAnswer) bool { return slices.EqualFunc(answer.times, times, time.Time.Equal) }
		if bad == fewest && 2*bad < there && !slices.ContainsFunc(answers, same) {
			answers = append(answers, timeAnswer{form, times})
		}
	}
	return answers, clock
}

// Words in the name of a column of times, and of a column that counts or names the
// rows.
var (
	timeWords = []string{
		"date", "time", "datetime", "timestamp", "ts", "ds", "epoch", "unix", "unixtime", "stamp", "day", "month",
		"week", "quarter", "year", "period", "datum", "zeit", "tag", "woche", "monat", "jahr", "fecha", "hora", "mes", "año",
		"ano", "jour", "mois", "année", "annee", "data", "giorno", "mese", "anno", "yr", "yyyymm", "yyyymmdd",
	}
	yearWords  = []string{"year", "years", "yr", "yyyy", "jahr", "année", "annee", "año", "ano", "anno", "season", "saison"}
	countWords = []string{
		"index", "idx", "row", "rows", "rownum", "rowid", "rownames", "no", "nr", "num", "number", "n", "i", "k", "t",
		"x", "obs", "observation", "record", "sample", "time", "date", "step", "tick", "period", "seq", "sequence",
		"#", "№", "year", "day", "week", "month", "hour", "lfd", "nummer", "zeile", "id",
	}
	idWords = []string{"id", "ids", "uid", "uuid", "guid", "key", "rowid"}
)

// named reports whether one of the words of a name is among words.
func named(name string, words []string) bool {
	if slices.Contains(words, strings.ToLower(name)) {
		return true
	}
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return strings.ContainsRune(" _-.:/()[]", r)
	}), func(word string) bool { return len(word) > 1 && slices.Contains(words, word) })
}

// numericForm is a way to write times as numbers.
type numericForm struct {
	zoned bool // the numbers count from a point in time, whatever the time zone
	read  func(v float64) (time.Time, bool)
}

// numericTimes returns the times that a column of numbers holds, or nil, and how they are
// written: years, months or days without separators, or the time since 1970 in seconds or
// fractions of them.
func numericTimes(name string, values []float64) ([]time.Time, numericForm) {
	step, even := stepOf(values, 0)
	timely := named(name, timeWords)
	for _, form := range []struct {
		numericForm
		sure bool // of so many values, whatever the column is called
	}{
		{numericForm{read: yearOf}, slices.Contains(yearWords, strings.ToLower(name)) || even && math.Abs(step) == 1 && (timely || name == "" || len(values) > 9)},
		{numericForm{read: digitsForm("20060102")}, timely || len(values) > 2},
		{numericForm{read: digitsForm("200601")}, timely || monthly(values)},
		{numericForm{read: digitsForm("2006010215")}, timely || len(values) > 2},
		{numericForm{read: digitsForm("200601021504")}, timely || len(values) > 2},
		{numericForm{read: digitsForm("20060102150405")}, timely || len(values) > 2},
		{numericForm{zoned: true, read: epochOf(1)}, timely || even && name == ""},
		{numericForm{zoned: true, read: epochOf(1e3)}, timely || even && name == ""},
		{numericForm{zoned: true, read: epochOf(1e6)}, timely || even && name == ""},
		{numericForm{zoned: true, read: epochOf(1e9)}, timely || even && name == ""},
	} {
		if !form.sure {
			continue
		}
		if times, ok := timesOf(values, form.read); ok {
			return times, form.numericForm
		}
	}
	return nil, numericForm{}
}

// tellTime reports whether the values of a column of numbers are times.
func tellTime(name string, values []float64) bool {
	times, _ := numericTimes(name, values)
	return times != nil
}

func timesOf(values []float64, read func(float64) (time.Time, bool)) ([]time.Time, bool) {
	times := make([]time.Time, len(values))
	for i, v := range values {
		var ok bool
		if times[i], ok = read(v); !ok {
			return nil, false
		}
	}
	return times, len(values) > 0
}

func yearOf(v float64) (time.Time, bool) {
	return time.Date(int(v), 1, 1, 0, 0, 0, 0, time.UTC), v >= 1500 && v < 2200 && v == math.Trunc(v)
}

// digitsForm returns a function that parses numbers whose digits have the given layout.
func digitsForm(layout string) func(float64) (time.Time, bool) {
	return func(v float64) (time.Time, bool) {
		t, err := time.Parse(layout, strconv.FormatFloat(v, 'f', -1, 64))
		return t, err == nil && t.Year() >= 1700 && t.Year() < 2200
	}
}

// epochOf returns a function that parses times since 1970, of which a second has the
// given number, if they lie between 1980 and 2100.
func epochOf(second float64) func(float64) (time.Time, bool) {
	return func(v float64) (time.Time, bool) {
		return sinceEpoch(v / second), v/second >= 315532800 && v/second < 4102444800
	}
}

// sinceEpoch returns the time so many seconds after the beginning of 1970, to the nearest
// microsecond: what float64 holds of the seconds of our time is less exact than nanoseconds.
func sinceEpoch(seconds float64) time.Time {
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
}

// monthly reports whether numbers such as 202412 are consecutive months.
func monthly(values []float64) bool {
	for i := 1; i < len(values); i++ {
		if d := values[i] - values[i-1]; d != 1 && d != 89 {
			return false
		}
	}
	return len(values) > 2
}

// stepOf returns the step between values, and whether all steps are equal within a part
// of it.
func stepOf(values []float64, tolerance float64) (step float64, even bool) {
	if len(values) < 2 {
		return 0, false
	}
	step = values[1] - values[0]
	for i := 2; i < len(values); i++ {
		if d := values[i] - values[i-1]; !(math.Abs(d-step) <= tolerance*math.Abs(step)) {
			return 0, false
		}
	}
	return step, step != 0
}
