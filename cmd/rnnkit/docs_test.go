package main

import (
	"bytes"
	"fmt"
	"go/format"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/datasets"
)

// TestDocs follows the README and each page of docs as a reader does, from top to
// bottom in a folder of its own. Blocks of sh and go run there. A block of data that
// follows <!-- file NAME --> is written to that file, and one that follows
// <!-- output --> is what the block before it prints.
func TestDocs(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := goFiles(t, root)
	for _, path := range append(pages, filepath.Join(root, "README.md")) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p := page{path: path, root: root, dir: t.TempDir(), prometheus: prometheus(t)}
			p.checkLinks(t, string(text))
			p.checkNames(t, string(text), files)
			blocks := p.read(t, string(text))
			if testing.Short() {
				t.Skip("read, but not followed: it trains models")
			}
			if runtime.GOOS == "windows" {
				t.Skip("read, but not followed: its commands are for a Unix shell")
			}
			p.furnish(t)
			for _, b := range blocks {
				p.follow(t, b)
			}
		})
	}
}

// page is a document that is followed in a folder.
type page struct {
	path, root, dir string
	prometheus      string // URL of the server that the page asks
	output          string // of the last block
}

// block is a fenced block of a page.
type block struct {
	line     int
	language string
	comment  string // what the HTML comment in the line before it says
	text     string
}

var blockForm = regexp.MustCompile("(?ms)^(?:<!-- ([^\n]*?) -->\n)?```(\\w*)\n(.*?)^```$")

// read returns the blocks of a page. Commands must be in blocks of sh, and programs
// formatted.
func (p *page) read(t *testing.T, text string) (blocks []block) {
	for _, at := range blockForm.FindAllStringSubmatchIndex(text, -1) {
		part := func(i int) string {
			if at[2*i] < 0 {
				return ""
			}
			return text[at[2*i]:at[2*i+1]]
		}
		b := block{line: 1 + strings.Count(text[:at[0]], "\n"), comment: part(1), language: part(2), text: part(3)}
		switch b.language {
		case "go":
			if source, err := format.Source([]byte(b.text)); err != nil || string(source) != b.text {
				t.Errorf("%s:%d: the program is not formatted, or cannot be parsed: %v", p.path, b.line, err)
			}
		case "sh":
		default:
			if commandForm.MatchString(b.text) {
				t.Errorf("%s:%d: there are commands in a block that is not one of sh, so nothing runs them", p.path, b.line)
			}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

var commandForm = regexp.MustCompile(`(?m)^(rnnkit|go|make) \S`)

// follow does what a block says.
func (p *page) follow(t *testing.T, b block) {
	t.Helper()
	file, isFile := strings.CutPrefix(b.comment, "file ")
	switch {
	case isFile:
		p.write(t, file, b.text)
	case b.comment == "output":
		if !matches(b.text, p.output) {
			t.Errorf("%s:%d: the block before this one prints\n%s\nnot\n%s", p.path, b.line, p.output, b.text)
		}
	case b.language == "sh":
		p.run(t, b, exec.Command("sh", "-e", "-c", prelude+b.text))
	case b.language == "go":
		p.write(t, "main.go", b.text)
		p.run(t, b, exec.Command("go", "run", "main.go"))
	}
}

// prelude is read before the commands of a page. It has the make and the go of the
// module do all but the work, and shortens what takes minutes or needs a network; all
// else runs as the page has it.
const prelude = `
make() { command make -C "$ROOT" -n "$@" >/dev/null; }
inRoot() { (command cd "$ROOT" && GOFLAGS= command go "$@"); }
go() {
	case "$1 $2" in
	"install "*@latest) inRoot list "${2%@latest}" ;;
	"get "*) inRoot list -m "$2" ;;
	"run ./cmd/rnnkit") shift 2; rnnkit "$@" ;;
	"test "* | "build "*) verb=$1; shift; inRoot "$verb" -n "$@" >/dev/null 2>&1 ;;
	*) command go "$@" ;;
	esac
}
rnnkit() {
	case "$*" in
	"runtime install"* | "lab "*) command rnnkit "$@" --help ;;
	"bench "*) command rnnkit "$@" --duration 1ms ;;
	*" --listen "*) timeout --preserve-status 2 rnnkit "$@" ;;
	*) command rnnkit "$@" ;;
	esac
}
git() { :; }
cd() { :; }
`

// run runs a block and keeps what it prints.
func (p *page) run(t *testing.T, b block, cmd *exec.Cmd) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "ROOT="+p.root, "GOFLAGS=-mod=mod", "PROMETHEUS="+p.prometheus)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s:%d: %v\n%s%s", p.path, b.line, err, stdout.String(), stderr.String())
	}
	p.output = stdout.String()
}

// matches reports whether got is what want shows, where a line of … stands for any
// number of lines.
func matches(want, got string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = strings.ReplaceAll(pattern, "…\n", "(?:.*\n)*?")
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}

func (p *page) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// furnish gives the folder a module that finds this one, and the files that a reader
// has: data, and models from elsewhere.
func (p *page) furnish(t *testing.T) {
	t.Helper()
	module := p.load(t, "go.mod")
	module = strings.Replace(module, "module github.com/rnnkit/rnnkit\n", "module example.com/reader\n", 1)
	p.write(t, "go.mod", module+"\nrequire github.com/rnnkit/rnnkit v0.0.0\n\nreplace github.com/rnnkit/rnnkit => "+p.root+"\n")
	p.write(t, "go.sum", p.load(t, "go.sum"))
	p.write(t, "gestures.csv", gestures())
	p.write(t, "shakespeare.txt", strings.Repeat(datasets.Rhyme(), 20))
	p.write(t, "exported.onnx", p.load(t, "cmd/rnnkit/internal/repair/testdata/last_dynamo.onnx"))
	p.write(t, "forecaster.onnx", p.load(t, "infer/testdata/foreign/next.onnx"))
}

// prometheus starts a server that answers range queries with a wave, and returns its URL.
func prometheus(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var from, to, step float64
		if _, err := fmt.Sscan(r.FormValue("start")+" "+r.FormValue("end")+" "+r.FormValue("step"), &from, &to, &step); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var samples []string
		for ; from <= to; from += step {
			samples = append(samples, fmt.Sprintf(`[%.3f,"%g"]`, from, math.Sin(from/3600)))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"a"},"values":[%s]}]}}`, strings.Join(samples, ","))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// load reads a file of the repository.
func (p *page) load(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// gestures returns sequences of different lengths, each with a label.
func gestures() string {
	var b strings.Builder
	for i := range 60 {
		wave := datasets.Sine(12+i%5, 0.2, uint64(i))
		label := "wave"
		if i%2 == 1 {
			label = "rise"
		}
		for k, y := range wave {
			if label == "rise" {
				y = y/10 + float64(k)/4
			}
			fmt.Fprintf(&b, "%.3f,", y)
		}
		b.WriteString(label + "\n")
	}
	return b.String()
}
