package cli

import (
	"os"
	"testing"
)

// TestMain is the command where a test has it start itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == tryVerb {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}
