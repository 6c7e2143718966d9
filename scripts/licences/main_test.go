package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLicenceOf(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	none, some := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(some, "Licence.md"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(none, "README"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	const freetype = "github.com/golang/freetype"
	for _, test := range []struct {
		module    module
		want, err string
	}{
		{module{Path: "example.com/some", Dir: some}, "Apache-2.0", ""},
		{module{Path: "example.com/none", Dir: none}, "", "states no licence"},
		{module{Path: freetype, Dir: none}, named[freetype], ""},
		{module{Path: freetype, Dir: some}, "", "remove it from named"},
	} {
		got, err := licenceOf(test.module)
		if got != test.want || (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%v: %q (%v), want %q (%s)", test.module, got, err, test.want, test.err)
		}
	}
}
