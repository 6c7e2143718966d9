package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// printable returns a line of text that is safe to print on a terminal, whatever
// strings of a file it holds. It escapes, as Go does, what is not printed: characters
// that move the cursor, end the line or turn the direction of writing.
func printable(line string) string {
	var b strings.Builder
	for i, r := range line {
		_, size := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, line[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// printJSON writes v as an indented JSON document, with what is not printed as \u
// and four digits.
func printJSON(out io.Writer, v any) error {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(out, printableJSON(text.String()))
	return err
}

// printableJSON escapes what is not printed in an indented JSON document, where all
// but the line ends lies within strings.
func printableJSON(document string) string {
	var b strings.Builder
	for _, r := range document {
		switch {
		case r == '\n', strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
