package native_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/infer/native"
)

var table = flag.Bool("table", false, "write the table of docs/operators.md anew")

// TestOperatorTable compares the table of docs/operators.md with the operators of the
// engine. To write it anew:
//
//	go test ./infer/native -run OperatorTable -table
func TestOperatorTable(t *testing.T) {
	const path, heading = "../../docs/operators.md", "| operator |"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _, found := strings.Cut(string(page), heading)
	if !found {
		t.Fatalf("%s has no table", path)
	}
	if newest := fmt.Sprintf("versions up to %d,", native.NewestOpset); !strings.Contains(text, newest) {
		t.Errorf("%s does not say that the engine knows %q", path, newest)
	}
	want := text + operatorTable()
	if *table {
		if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Errorf("%s is not the table of the operators that the engine has: run this test with -table", path)
	}
}

// operatorTable returns the table of docs/operators.md.
func operatorTable() string {
	var b strings.Builder
	b.WriteString("| operator | since opset | element types |\n|---|---|---|\n")
	operators := native.Operators()
	var every []string // of the element types, in the order in which an operator of all has them
	for _, o := range operators {
		if names := typeNames(o); len(names) > len(every) {
			every = names
		}
	}
	for _, o := range operators {
		name, types := o.Name, typeNames(o)
		if o.Domain != "" {
			name = o.Domain + "." + name
		}
		if slices.Equal(types, every) {
			types = []string{"all"}
		}
		fmt.Fprintf(&b, "| %s | %d | %s |\n", name, o.Since, strings.Join(types, ", "))
	}
	return b.String()
}

func typeNames(o native.Operator) (names []string) {
	for _, t := range o.Types {
		names = append(names, string(t))
	}
	return names
}
