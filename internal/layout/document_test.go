package layout_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const document = "docs/layout.md"

// everything stands in the imports of a package that may import any package of
// the lower storeys.
const everything = "everything below"

// entry is one package in a list of docs/layout.md:
//
//	path  what it is for
//	  key value value
//	  key value
type entry struct {
	name    string
	purpose string
	lists   map[string][]string // the indented lines, by their first word
	line    int                 // in docs/layout.md
	storey  int                 // 0 outside the storeys
}

func (e entry) imports() []string { return e.lists["imports"] }

// mayImportAll says that the entry lists no packages but everything below.
func (e entry) mayImportAll() bool { return strings.Join(e.imports(), " ") == everything }

// layout is what docs/layout.md says of the packages.
type layout struct {
	packages []entry // in the order of their storeys
	links    []entry
}

// find returns the entry of a package.
func (l layout) find(name string) (entry, bool) {
	i := slices.IndexFunc(l.packages, func(e entry) bool { return e.name == name })
	if i < 0 {
		return entry{}, false
	}
	return l.packages[i], true
}

// readLayout parses the code blocks under the headings "### Storey …" and "###
// What a program links".
func readLayout(t *testing.T) layout {
	t.Helper()
	data, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	var l layout
	var section string
	inBlock, storey := false, 0
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = !inBlock
		case !inBlock && strings.HasPrefix(line, "#"):
			section = line
			if isStorey(section) {
				storey++
			}
		case inBlock && isStorey(section):
			l.packages = add(t, l.packages, line, i+1, storey)
		case inBlock && section == "### What a program links":
			l.links = add(t, l.links, line, i+1, 0)
		}
	}
	if len(l.packages) == 0 || len(l.links) == 0 {
		t.Fatalf("%s lists no packages, or not what a program links", document)
	}
	return l
}

func isStorey(heading string) bool { return strings.HasPrefix(heading, "### Storey ") }

// add appends the entry that a line begins, or adds an indented line to the last
// entry.
func add(t *testing.T, entries []entry, text string, line, storey int) []entry {
	t.Helper()
	fields := strings.Fields(text)
	indented := strings.HasPrefix(text, " ")
	if len(fields) == 0 || indented && (len(fields) == 1 || len(entries) == 0) {
		t.Fatalf("%s:%d: %q is neither a package nor a list of one", document, line, text)
	}
	if indented {
		lists, key := entries[len(entries)-1].lists, fields[0]
		lists[key] = append(lists[key], fields[1:]...)
		return entries
	}
	return append(entries, entry{
		name:    fields[0],
		purpose: strings.Join(fields[1:], " "),
		lists:   make(map[string][]string),
		line:    line,
		storey:  storey,
	})
}
