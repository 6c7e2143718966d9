package datasets

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

var (
	errText     = errors.New("not a number; write it like -12.5")
	errMissing  = errors.New("a missing value; fill it in, for instance by interpolation")
	errInfinite = errors.New("infinite; write a number in its place")
	errRange    = errors.New("too large for float32, which ends at 3.4e38; use a larger unit")
)

// parse parses a number in the notation of Go and most programs.
func parse(field string) (float64, error) {
	field = strings.TrimSpace(field)
	if isMissing(field) {
		return 0, errMissing
	}
	v, err := strconv.ParseFloat(field, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, errText
	case err != nil:
		return 0, errRange
	}
	return v, checkFinite(v)
}

// checkFinite returns an error for a number that is infinite, as float32 too.
func checkFinite(v float64) error {
	switch {
	case math.IsInf(v, 0):
		return errInfinite
	case math.IsInf(float64(float32(v)), 0):
		return errRange
	}
	return nil
}

// isMissing reports whether a field stands for a missing value, in the notation of
// pandas, R, databases and spreadsheets.
func isMissing(field string) bool {
	switch strings.ToLower(strings.TrimSpace(field)) {
	case "", "na", "n/a", "<na>", "#na", "#n/a", "#nv", "nan", "-nan", "null", "none", "nil", "nat", "?", "-", "--", ".",
		"#value!", "#wert!", "#div/0!", "#ref!", "#name?", "#num!", "#null!":
		return true
	}
	return false
}

func isNumber(field string) bool {
	_, err := parse(field)
	return err == nil || err == errRange
}

// numeral is the number in a field as it is written there.
type numeral struct {
	sign   string
	digits string // with separators
	before string // the sign of a currency
	after  string // the same, or %
}

const spaces = ` \x{a0}\x{2009}\x{202f}`

var (
	numeralForm = regexp.MustCompile(`^([-+−]?)[` + spaces + `]*((?:[A-Z]{0,3}\p{Sc})?)[` + spaces + `]*([-+−]?)` +
		`(\d+(?:[.,'’` + spaces + `]\d+)*\.?(?:[eE][-+]?\d+)?|[.,]\d+(?:[eE][-+]?\d+)?)` +
		`[` + spaces + `]*(\p{Sc}|%?)$`)
	// unitForm matches a number with a unit, codeForm a number after a currency
	// code, and oddForm a number with decimals and something else around it.
	unitForm = regexp.MustCompile(`^[-+−]?\d[\d.,'’]*[` + spaces + `]*([^\s\d.,:/'’-](?:[^\s:]{0,11}|[^\d:]{0,15}))$`)
	codeForm = regexp.MustCompile(`^([A-Z]{3}|Rs\.?|kr\.?)[` + spaces + `]*[-+−]?\d[\d.,'’` + spaces + `]*$`)
	oddForm  = regexp.MustCompile(`^([^\s\d]{0,4})[` + spaces + `]*\d[\d.,]*[.,]\d+[` + spaces + `]*([^\s\d:/]{0,4})$`)

	separatorForm = regexp.MustCompile(`[.,'’` + spaces + `]`)
)

func readNumeral(field string) (numeral, bool) {
	m := numeralForm.FindStringSubmatch(strings.TrimSpace(field))
	if m == nil || m[1] != "" && m[3] != "" {
		return numeral{}, false
	}
	return numeral{sign: m[1] + m[3], digits: m[4], before: m[2], after: m[5]}, true
}

// notation is how the fields of a column write their numbers. A separator means in all
// fields what it must mean in one of them, unless another field contradicts.
type notation struct {
	decimal, group string
	before, after  string
}

// separators are the separators in a number, as far as their meaning is clear.
type separators struct {
	decimal, group string
	either         string // may be the one or the other
	ok             bool
}

// separatorsOf distinguishes groups of three digits from decimals.
func separatorsOf(digits string) separators {
	mantissa, _, _ := strings.Cut(strings.ToLower(digits), "e")
	found := separatorForm.FindAllString(mantissa, -1)
	parts := separatorForm.Split(mantissa, -1)
	if len(found) == 0 {
		return separators{ok: true}
	}
	last := found[len(found)-1]
	point := last == "." || last == ","
	whole := parts[:len(parts)-1]
	switch {
	case len(found) == 1 && point && grouped(parts):
		return separators{either: last, ok: true}
	case len(found) == 1 && point:
		return separators{decimal: last, ok: true}
	case alike(found) && grouped(parts):
		return separators{group: last, ok: true}
	case point && len(found) > 1 && alike(found[:len(found)-1]) && found[0] != last && grouped(whole):
		return separators{group: found[0], decimal: last, ok: true}
	}
	return separators{}
}

// grouped reports whether the parts of a number are groups of thousands.
func grouped(parts []string) bool {
	if n := len(parts[0]); n < 1 || n > 3 || parts[0][0] == '0' {
		return false
	}
	for _, part := range parts[1:] {
		if len(part) != 3 {
			return false
		}
	}
	return true
}

func alike(list []string) bool {
	for _, s := range list {
		if s != list[0] {
			return false
		}
	}
	return true
}

// readNotation returns the notation of the numbers among fields. The error is about the
// field of index at: it is in another notation, or all fields can be read in two ways
// and rest does not decide.
func readNotation(fields []string, rest func() hint) (n notation, at int, err error) {
	first, either := -1, map[string]int{}
	for i, field := range fields {
		number, ok := readNumeral(field)
		if !ok {
			continue
		}
		if first < 0 {
			first, n.before, n.after = i, number.before, number.after
		}
		if number.before != n.before || number.after != n.after {
			return n, i, fmt.Errorf("%.40q is not written as %.40q is; give all numbers the same sign of a currency or %%, or none", field, fields[first])
		}
		s := separatorsOf(number.digits)
		if _, seen := either[s.either]; !seen && s.either != "" {
			either[s.either] = i
		}
		if !s.ok || !agree(&n.decimal, s.decimal) || !agree(&n.group, s.group) || n.decimal != "" && n.decimal == n.group {
			return n, i, fmt.Errorf("%.40q has other separators than the numbers before it; write all numbers alike, as -12.5", field)
		}
	}
	return n.settle(fields, either, rest)
}

// agree sets *known if it is empty, and reports whether it is equal to found.
func agree(known *string, found string) bool {
	if *known == "" {
		*known = found
	}
	return found == "" || *known == found
}

// settle decides the meaning of separators that may be for decimals or thousands. The
// map holds the first field with each of them.
func (n notation) settle(fields []string, either map[string]int, rest func() hint) (notation, int, error) {
	for _, s := range []string{".", ","} {
		at, found := either[s]
		switch {
		case !found || s == n.decimal || s == n.group:
		case n.decimal == "" && n.group != "":
			n.decimal = s
		case n.decimal != "":
			return n, at, fmt.Errorf("%.40q has another separator than other numbers of the column, and may be decimals or thousands; write all alike, as -12.5", fields[at])
		}
	}
	if n.decimal == "" && n.group == "" {
		return n.settleAlone(fields, either, rest)
	}
	return n, 0, nil
}

// settleAlone decides the meaning of a separator that is ambiguous in all numbers that
// have one.
func (n notation) settleAlone(fields []string, either map[string]int, hinted func() hint) (notation, int, error) {
	comma, hasComma := either[","]
	point, hasPoint := either["."]
	beside, rest := besideThousands(fields), hint{}
	if hasComma || hasPoint {
		rest = hinted()
	}
	switch {
	case hasComma && hasPoint:
		return n, comma, fmt.Errorf("%.40q has other separators than the numbers before it; write all numbers alike, as -12.5", fields[comma])
	case hasComma && rest.decimal == ",":
		n.decimal = ","
	case hasComma && (rest.decimal == "." || beside):
		n.group = ","
	case hasComma:
		return n, comma, fmt.Errorf("%.40q may be a decimal comma or thousands, and no other number of the column tells which; write it like -12.5", fields[comma])
	case hasPoint && rest.decimal == ",":
		n.group = "."
	case hasPoint && rest.decimal == "" && (beside || rest.semicolons && count(fields, hasEither) > fewEither):
		return n, point, fmt.Errorf("%.40q may be a decimal point or thousands, and no other number tells which; write thousands as 1000, or a number with decimals as 1.0", fields[point])
	case hasPoint:
		n.decimal = "."
	}
	return n, 0, nil
}

// Up to fewEither numbers may have three decimals by chance.
const fewEither = 2

// hint is what the rest of a file says about the numbers of a column.
type hint struct {
	decimal    string // the separator of decimals elsewhere, "" if that is unknown
	semicolons bool   // between fields, as where a comma has the decimals
}

// hasEither reports whether a field has a separator of decimals or thousands.
func hasEither(field string) bool {
	tail := field[strings.LastIndexAny(field, ".,")+1:]
	if len(tail) == len(field) || len(tail)-len(strings.TrimLeft(tail, "0123456789")) != 3 {
		return false // without a regular expression for most fields of a large file
	}
	number, ok := readNumeral(field)
	return ok && separatorsOf(number.digits).either != ""
}

// decimalOf returns the decimal separator of the number in a field, or "" if there is
// none or it is ambiguous.
func decimalOf(field string) string {
	if !strings.ContainsAny(field, ".,") {
		return ""
	}
	number, _ := readNumeral(field)
	return separatorsOf(number.digits).decimal
}

// besideThousands reports whether some numbers have three digits or fewer, and all with
// more have a separator before the last three: 980 before 1.020.
func besideThousands(fields []string) bool {
	short, longest := 0, 0
	for _, field := range fields {
		number, ok := readNumeral(field)
		if !ok || strings.Trim(number.digits, "0123456789") != "" || strings.Trim(number.digits, "0") == "" {
			continue
		}
		short++
		longest = max(longest, len(number.digits))
	}
	return short > 0 && longest <= 3 && count(fields, hasEither) > fewEither
}

// parse parses a number in this notation.
func (n notation) parse(field string) (float64, error) {
	v, err := parse(field)
	if err == nil && n == (notation{}) {
		return v, nil
	}
	number, ok := readNumeral(field)
	switch {
	case err == errText && !ok:
		return 0, unreadable(field)
	case n == (notation{}) || !ok:
		return v, err
	}
	digits := number.digits
	if n.group != "" {
		digits = strings.ReplaceAll(digits, n.group, "")
	}
	if n.decimal != "" {
		digits = strings.Replace(digits, n.decimal, ".", 1)
	}
	return parse(strings.Replace(number.sign, "−", "-", 1) + digits)
}

// unreadable returns the reason why a field that looks like a value is no number.
func unreadable(field string) error {
	field = strings.TrimSpace(field)
	switch {
	case unitForm.MatchString(field):
		return errors.New("a number with a unit; write the unit into the header and the number alone")
	case strings.HasPrefix(field, "("):
		return errors.New("in brackets; write a number like -12.5 without them")
	case oddForm.MatchString(field), codeForm.MatchString(field):
		return errors.New("a number with something around it; write it like -12.5")
	}
	return errText
}

// looksLikeValue reports whether a field looks like a value to a person, and returns
// its unit.
func looksLikeValue(field string) (unit string, ok bool) {
	field = strings.TrimSpace(field)
	inner := strings.TrimSuffix(strings.TrimPrefix(field, "("), ")")
	if number, ok := readNumeral(inner); ok {
		return "", separatorsOf(number.digits).ok
	}
	if m := unitForm.FindStringSubmatch(field); m != nil {
		return m[1], true
	}
	if m := codeForm.FindStringSubmatch(field); m != nil {
		return m[1], true
	}
	if m := oddForm.FindStringSubmatch(field); m != nil {
		return m[1] + m[2], strings.Count(field, ".")+strings.Count(field, ",") == 1
	}
	return "", false
}
