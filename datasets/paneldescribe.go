package datasets

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Describe says in two lines what the panel holds: the series, their rows, times, seasons
// and missing values, and the roles of the columns.
func (p *Panel) Describe() string {
	return strings.Join([]string{p.describeRows(), p.describeRoles()}, "\n")
}

// describeRows returns a line such as
// 1 series, 144 months, 1949-01 to 1960-12, season 12, no gaps.
func (p *Panel) describeRows() string {
	shortest, longest, missing, values := math.MaxInt, 0, 0, 0
	var first, last time.Time
	for i := range p.Series {
		s := &p.Series[i]
		shortest, longest = min(shortest, s.Len()), max(longest, s.Len())
		for _, target := range s.Targets {
			values += len(target)
			missing += len(target) - observedIn(target)
		}
		if from := p.Time(i, 0); i == 0 || from.Before(first) {
			first = from
		}
		if to := p.Time(i, s.Len()-1); to.After(last) {
			last = to
		}
	}
	parts := []string{fmt.Sprintf("%d series", len(p.Series)), p.Frequency.Span(longest)}
	switch {
	case shortest < longest:
		parts[1] = fmt.Sprintf("%d to %s", shortest, parts[1])
	case len(p.Series) > 1:
		parts[1] += " each"
	}
	if !last.IsZero() {
		parts = append(parts, fmt.Sprintf("%s to %s", p.shortTime(first), p.shortTime(last)))
	}
	gaps := "no gaps"
	if missing > 0 {
		gaps = fmt.Sprintf("%d of %d values missing", missing, values)
	}
	return strings.Join(append(parts, seasonText(p.Seasons()), gaps), ", ")
}

func seasonText(seasons []int) string {
	if len(seasons) == 0 {
		return "no season"
	}
	text := strings.Trim(fmt.Sprint(seasons), "[]")
	if len(seasons) == 1 {
		return "season " + text
	}
	return "seasons " + strings.ReplaceAll(text, " ", " and ")
}

// longestLine is how long a line about a panel should be at most.
const longestLine = 90

// describeRoles returns a line such as
// forecasts "sales" of each "store", "date" is the time, known ahead: "price".
// It lists fewer columns where it would be too long.
func (p *Panel) describeRoles() (line string) {
	for most := maxListed; most > 0; most-- {
		if line = p.rolesLine(most); len(line) <= longestLine {
			break
		}
	}
	return line
}

// rolesLine lists so many columns of each role at most.
func (p *Panel) rolesLine(most int) string {
	quoted := func(names []string) string { return quotedUpTo(most, names) }
	parts := []string{"forecasts " + quoted(p.Targets)}
	if p.Wide {
		parts[0] = "forecasts each column: " + quoted(p.names())
	}
	if len(p.Roles.Series) > 0 {
		parts[0] += " of each " + quoted(p.Roles.Series)
	}
	if p.Roles.Time != "" {
		parts = append(parts, p.describeTime())
	}
	for _, role := range []struct {
		name    string
		columns []string
	}{{"known up to the last row", p.Past}, {"known ahead", p.Future}, {"static", p.Static}, {"categories", p.Categories}} {
		if len(role.columns) > 0 {
			parts = append(parts, role.name+": "+quoted(role.columns))
		}
	}
	return strings.Join(parts, ", ")
}

// describeTime says which columns hold the times.
func (p *Panel) describeTime() string {
	if len(p.format.others) == 0 {
		return fmt.Sprintf("%.40q is the time", p.Roles.Time)
	}
	return quoted(append([]string{p.Roles.Time}, p.format.others...)) + " are the time"
}

// names returns the names of the series.
func (p *Panel) names() (list []string) {
	for _, s := range p.Series {
		list = append(list, s.Name)
	}
	return list
}

// quoted returns names in quotes, of which it lists at most maxListed.
func quoted(names []string) string { return quotedUpTo(maxListed, names) }

// quotedUpTo returns names in quotes, of which it lists at most so many.
func quotedUpTo(most int, names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.40q", name)
	}
	return b.String()
}

const (
	telltaleRows = 5000 // so many rows at the end of the longest series are compared
	telltaleLags = 48
)

// noteTelltales adds a note for each covariate that tells a target: one that is a linear
// function of it, at the same time or some rows before it.
func (p *Panel) noteTelltales() {
	s := p.longest()
	for _, role := range []struct {
		names   []string
		columns [][]float64
	}{{p.Past, s.Past}, {p.Future, s.Future}} {
		for c, values := range role.columns {
			for i, target := range s.Targets {
				if lag := telltale(values[:s.Len()], target); lag >= 0 {
					p.Notes = append(p.Notes, fmt.Sprintf("%.40q tells %.40q: %s. Is it known before? If not, leave it out", role.names[c], p.Targets[i], tells(lag)))
				}
			}
		}
	}
}

// longest returns the series with the most rows.
func (p *Panel) longest() *PanelSeries {
	best := &p.Series[0]
	for i := range p.Series {
		if s := &p.Series[i]; s.Len() > best.Len() {
			best = s
		}
	}
	return best
}

func tells(lag int) string {
	if lag == 0 {
		return "it is the same, or a linear function of it"
	}
	return fmt.Sprintf("it is the same, or a linear function of it, %s earlier", plural(lag, "row"))
}

// telltale returns the lag after which the target is a linear function of values, or -1.
func telltale(values, target []float64) int {
	from := max(0, len(target)-telltaleRows)
	values, target = values[from:], target[from:]
	for lag := 0; lag <= min(telltaleLags, len(target)/4); lag++ {
		if linear(values[:len(values)-lag], target[lag:]) {
			return lag
		}
	}
	return -1
}

// linear reports whether one of two lists is a linear function of the other, but for
// rounding. Both must change, in ten rows or more.
func linear(a, b []float64) bool {
	var n, sumA, sumB float64
	for i := range a {
		if v := a[i] + b[i]; v == v {
			n, sumA, sumB = n+1, sumA+a[i], sumB+b[i]
		}
	}
	var aa, bb, ab float64
	for i := range a {
		if v := a[i] + b[i]; v == v {
			da, db := a[i]-sumA/n, b[i]-sumB/n
			aa, bb, ab = aa+da*da, bb+db*db, ab+da*db
		}
	}
	return n >= 10 && aa > 0 && bb > 0 && ab*ab >= (1-1e-6)*aa*bb
}
