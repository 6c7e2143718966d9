package tablefile

import (
	"errors"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rnnkit/rnnkit/datasets"
)

const (
	maxColumns = 1 << 14 // as in a CSV file
	maxExact   = 1 << 53 // up to here float64 holds every whole number
	maxScale   = 100     // decimals of a decimal number
	maxTexts   = 1 << 14 // different texts of a column that are kept
	maxKept    = 256     // bytes of a text that is kept
)

var missing = datasets.Field{Kind: datasets.MissingField}

func number(v float64) datasets.Field {
	return datasets.Field{Kind: datasets.NumberField, Number: v}
}

func boolean(v bool) datasets.Field {
	if v {
		return number(1)
	}
	return number(0)
}

// integer returns a whole number, as a text of digits where float64 would change it: it
// may name a series.
func integer(v int64) datasets.Field {
	if v < -maxExact || v > maxExact {
		return datasets.Field{Text: strconv.FormatInt(v, 10)}
	}
	return number(float64(v))
}

func unsigned(v uint64) datasets.Field {
	if v > maxExact {
		return datasets.Field{Text: strconv.FormatUint(v, 10)}
	}
	return number(float64(v))
}

// decimal returns the number that is nearest to v / 10^scale.
func decimal(v *big.Int, scale int32) datasets.Field {
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil)
	ratio := new(big.Rat)
	if scale < 0 {
		ratio.SetInt(ten.Mul(ten, v))
	} else {
		ratio.SetFrac(v, ten)
	}
	f, _ := ratio.Float64()
	return number(f)
}

// bigEndian returns the whole number that bytes hold in two's complement.
func bigEndian(bytes []byte) *big.Int {
	v := new(big.Int).SetBytes(bytes)
	if len(bytes) > 0 && bytes[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(bytes))))
	}
	return v
}

// firstSecond and lastSecond bound the times that can be written with four digits for the
// year in any time zone, and leave out the zero of package time, which is no time.
var (
	firstSecond = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC).Unix()
	lastSecond  = time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC).Unix()
)

// instant returns the time that lies count units after the beginning of 1970 in UTC, of
// which a second has perSecond.
func instant(count, perSecond int64, zone *time.Location) (datasets.Field, error) {
	second := count / perSecond
	if second < firstSecond || second > lastSecond {
		return datasets.Field{}, errors.New("a time out of the years 1 to 9999; correct it, or leave out the row")
	}
	t := time.Unix(second, count%perSecond*(1e9/perSecond)).In(zone)
	return datasets.Field{Kind: datasets.TimeField, Time: t}, nil
}

// date returns the beginning of a day that is counted from that of 1970.
func date(days int32) (datasets.Field, error) { return instant(int64(days)*24*60*60, 1, time.UTC) }

// clock returns a time of day as a text such as 15:04:05.
func clock(count, perSecond int64) (datasets.Field, error) {
	if count < 0 || count >= 24*60*60*perSecond {
		return datasets.Field{}, errors.New("no time of day, which has 24 hours")
	}
	t := time.Unix(count/perSecond, count%perSecond*(1e9/perSecond)).UTC()
	return datasets.Field{Text: t.Format("15:04:05.999999999")}, nil
}

// unsupported returns a field of a type that no table holds.
func unsupported(what string) datasets.Field {
	return datasets.Field{Kind: datasets.UnsupportedField, Text: what}
}

// texts makes one string of texts that are equal, so that a column of few different
// texts takes little memory.
type texts map[string]string

// field returns a text that shares no memory with b.
func (t texts) field(b []byte) (datasets.Field, error) {
	s, known := t[string(b)]
	switch {
	case known:
	case !utf8.Valid(b):
		return datasets.Field{}, errors.New("a text that is not UTF-8; write it in that encoding")
	default:
		s = string(b)
		if len(t) < maxTexts && len(s) <= maxKept {
			t[s] = s
		}
	}
	return datasets.Field{Text: s}, nil
}
