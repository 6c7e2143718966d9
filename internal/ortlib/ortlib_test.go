package ortlib

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/internal/testenv"
)

// compile makes a shared library in dir with the C compiler. The symbols give its
// version, needed lists the libraries to link, and text varies the content.
func compile(t *testing.T, dir, name, version, text string, needed ...string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("makes shared libraries as on Linux")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("makes shared libraries with cc: ", err)
	}
	work := t.TempDir()
	write(t, filepath.Join(work, "lib.c"), "const char *text = \""+text+"\"; int OrtGetApiBase(void) { return 0; }")
	args := []string{"-shared", "-fPIC", "-o", filepath.Join(dir, name), filepath.Join(work, "lib.c")}
	if version != "" {
		write(t, filepath.Join(work, "lib.map"), "VERS_"+version+" { global: OrtGetApiBase; local: *; };")
		args = append(args, "-Wl,--version-script="+filepath.Join(work, "lib.map"))
	}
	for _, n := range needed {
		stub := compile(t, work, n, "", n)
		args = append(args, "-Wl,--no-as-needed", stub)
	}
	args = append(args, "-Wl,-soname,"+name)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v: %s", err, out)
	}
	return filepath.Join(dir, name)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// newCache gives the test an empty cache and an environment without a library.
func newCache(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("RNNKIT_CACHE", dir)
	t.Setenv(EnvPath, "")
	t.Setenv("LD_LIBRARY_PATH", "")
	return filepath.Join(dir, "onnxruntime")
}

// files lists the files below dir.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(dir, path)
			list = append(list, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return list
}

func mustInstall(t *testing.T, o Options) Installed {
	t.Helper()
	done, err := Install(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// wantError expects a one-line error that contains all parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, part := range append(parts, "") {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got the error %q, want one line with %q", err, part)
		}
	}
}

func TestFindOrder(t *testing.T) {
	newCache(t)
	dir := t.TempDir()
	lib := compile(t, dir, "libonnxruntime.so.1", "1.30.0", "lib")
	check := func(explicit, path, source string) {
		t.Helper()
		got, err := Find(explicit)
		if err != nil || got != (Library{path, source}) {
			t.Errorf("got %v, %v, want %s from %s", got, err, path, source)
		}
	}
	if _, err := Find(""); err != nil { // otherwise this machine has a library
		wantError(t, err, "rnnkit runtime install")
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%v is not ErrNotFound", err)
		}
	}
	t.Setenv("LD_LIBRARY_PATH", "/nowhere:"+dir)
	check("", lib, "system")
	installed := mustInstall(t, Options{From: lib}).Path
	check("", installed, "cache")
	t.Setenv(EnvPath, lib)
	check("", lib, EnvPath)
	t.Chdir(dir)
	check("libonnxruntime.so.1", lib, "given path")

	for _, path := range []string{filepath.Join(dir, "none.so"), dir} {
		_, err := Find(path)
		wantError(t, err, path, "rnnkit runtime install")
		t.Setenv(EnvPath, path)
		_, err = Find("")
		wantError(t, err, path, EnvPath)
	}
}

// TestSystemSkipsOtherPlatforms puts a library for another processor first.
func TestSystemSkipsOtherPlatforms(t *testing.T) {
	newCache(t)
	good, other := t.TempDir(), t.TempDir()
	lib := compile(t, good, "libonnxruntime.so", "1.30.0", "lib")
	foreign(t, lib, filepath.Join(other, "libonnxruntime.so"))
	t.Setenv("LD_LIBRARY_PATH", other+":"+good)
	if got, err := Find(""); err != nil || got.Path != lib {
		t.Errorf("got %v, %v, want %s", got, err, lib)
	}
}

// foreign copies an ELF file and marks it as one for SPARC.
func foreign(t *testing.T, from, to string) {
	t.Helper()
	content := []byte(read(t, from))
	content[18] = 2
	write(t, to, string(content))
}

func TestLoaderConfiguration(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ld.so.conf"), "# comment\n/first\ninclude conf.d/*.conf\n/last # comment\n")
	write(t, filepath.Join(dir, "conf.d/a.conf"), "/second\n\ninclude ../ld.so.conf\n")
	got := confDirs(filepath.Join(dir, "ld.so.conf"), 0)
	if len(got) < 3 || got[0] != "/first" || got[1] != "/second" || got[len(got)-1] != "/last" {
		t.Errorf("got %v", got)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	lib := compile(t, dir, "libonnxruntime.so", "1.24.0", "lib")
	if version, err := Check(lib); version != "1.24.0" || err != nil {
		t.Errorf("got %s, %v", version, err)
	}
	old := compile(t, dir, "old.so", "1.23.9", "old")
	_, err := Check(old)
	wantError(t, err, old, "1.23.9", "1.24", "rnnkit runtime install")
	unknown := compile(t, dir, "unknown.so", "", "unknown")
	if version, err := Check(unknown); version != "" || err != nil {
		t.Errorf("got %q, %v, want no version", version, err)
	}
	named := compile(t, dir, "libonnxruntime.so.1.25.3", "", "unknown")
	if version, err := Check(named); version != "1.25.3" || err != nil {
		t.Errorf("got %q, %v, want that of the name", version, err)
	}
	sparc := filepath.Join(dir, "sparc.so")
	foreign(t, lib, sparc)
	_, err = Check(sparc)
	wantError(t, err, sparc, platform())
	for _, n := range []int{0, 3, 40, 100, 1000} {
		cut := filepath.Join(dir, "cut.so")
		write(t, cut, read(t, lib)[:n])
		if version, err := Check(cut); err == nil && version != "" {
			t.Errorf("the first %d bytes have version %s", n, version)
		}
	}
}

func TestAPI(t *testing.T) {
	for version, want := range map[string]int{"1.28.2": 28, "1.9.0": 9, "2.0.0": 0, "1.28": 0, "": 0, "1.x.0": 0} {
		if got := API(version); got != want {
			t.Errorf("API(%q) = %d, want %d", version, got, want)
		}
	}
}

// TestPins compares the table with the libraries in the Go module cache, for any
// platform.
func TestPins(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Skip("asks the go command for the module cache: ", err)
	}
	checked := 0
	for _, p := range pins {
		path := filepath.Join(strings.TrimSpace(string(out)), p.module, p.file)
		if p.from != "go" || !isFile(path) {
			continue
		}
		checked++
		if sum, known, err := Sum(path); sum != p.sum || known != p.module || err != nil {
			t.Errorf("%s of %s: SHA-256 %s (%s, %v), want %s", p.file, p.module, sum, known, err, p.sum)
		}
		if version, err := Version(path); version != p.version || err != nil {
			t.Errorf("%s of %s: version %q, %v", p.file, p.module, version, err)
		}
	}
	if checked == 0 {
		testenv.Skip(t, testenv.ONNXRuntime, "no pinned Go module is in the module cache")
	}
}

// TestStagesOfKilled removes the directories of killed processes and keeps that of a
// living one.
func TestStagesOfKilled(t *testing.T) {
	cache := newCache(t)
	living, remove, err := newStage(cache)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(living, "half"), "a library")
	for _, killed := range []string{".install-0badcafe", ".install-123456789"} {
		write(t, filepath.Join(cache, killed, "half", "a"), "another")
	}
	write(t, filepath.Join(cache, "..install-0badcafe.lock"), "") // nobody holds it
	write(t, filepath.Join(cache, "1.30.0", "lib"), "")
	second, removeSecond, err := newStage(cache)
	if err != nil {
		t.Fatal(err)
	}
	left := []string{filepath.Base(living), "1.30.0"}
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != filepath.Base(second) && !slices.Contains(left, e.Name()) {
			t.Errorf("there is still %s", e.Name())
		}
	}
	if read(t, filepath.Join(living, "half")) != "a library" {
		t.Error("what a living process has unpacked is gone")
	}
	remove()
	removeSecond()
	if entries, err = os.ReadDir(cache); err != nil || len(entries) != 1 {
		t.Errorf("at the end there is %v (%v)", entries, err)
	}
}

// TestInstallFromGo installs the library as a user does, but without the network.
func TestInstallFromGo(t *testing.T) {
	cache := newCache(t)
	t.Setenv("GOPROXY", "off")
	done, err := Install(context.Background(), Options{})
	if err != nil {
		testenv.Skip(t, testenv.ONNXRuntime, err)
	}
	if got := mustInstall(t, Options{From: "go"}); !got.Already || got.Path != done.Path {
		t.Errorf("the second time: %+v", got)
	}
	if _, known, err := Sum(done.Path); known == "" || err != nil {
		t.Errorf("the sum is known as %q, %v", known, err)
	}
	if version, err := Check(done.Path); version != done.Version || err != nil {
		t.Errorf("it has the version %s, %v, want %s", version, err, done.Version)
	}

	if err := Verify(Library{done.Path, "cache"}); err != nil {
		t.Error(err)
	}
	intact := read(t, done.Path)
	write(t, done.Path, intact[:len(intact)/2])
	if _, _, err := Sum(done.Path); err == nil {
		t.Error("half a library has the recorded sum")
	}
	if err := Verify(Library{done.Path, "cache"}); err == nil || !strings.Contains(err.Error(), "has changed since it was installed") {
		t.Errorf("half a library in the cache: %v", err)
	}
	if err := Verify(Library{done.Path, "given path"}); err != nil {
		t.Errorf("half a library that somebody named: %v", err)
	}
	if err := os.Remove(done.Path + sumSuffix); err != nil {
		t.Fatal(err)
	}
	if err := Verify(Library{done.Path, "cache"}); err == nil || !strings.Contains(err.Error(), "its record is lost") {
		t.Errorf("half a library without its record: %v", err)
	}
	if got := mustInstall(t, Options{}); got.Already || read(t, got.Path) != intact {
		t.Error("half a library was not replaced")
	}
	if got := files(t, cache); len(got) != 2 {
		t.Errorf("the cache has %v", got)
	}
}

// TestInstallFromNPM installs a package made by the test through a fake npm that only
// copies it.
func TestInstallFromNPM(t *testing.T) {
	cache := newCache(t)
	lib := compile(t, t.TempDir(), "libonnxruntime.so.1", "1.77.0", "npm")
	sum, err := fileSum(lib)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	pack(t, filepath.Join(bin, "package.tgz"), map[string]string{"package/bin/lib.so.1": read(t, lib), "package/other": "x"})
	write(t, filepath.Join(bin, "npm"), "#!/bin/sh\n/bin/cp "+bin+"/package.tgz .\n")
	t.Setenv("PATH", bin)
	defer func(saved []pin) { pins = saved }(pins)
	try := func(file, sum string) (Installed, error) {
		pins = []pin{{"npm", platform(), "package@1", file, "1.77.0", sum}}
		return Install(context.Background(), Options{From: "npm"})
	}

	_, err = try("bin/lib.so.1", strings.Repeat("0", 64))
	wantError(t, err, "package@1", sum)
	_, err = try("bin/none.so.1", sum)
	wantError(t, err, "package@1", "none.so.1")
	if got := files(t, cache); len(got) != 0 {
		t.Errorf("failures left %v", got)
	}
	done, err := try("bin/lib.so.1", sum)
	if err != nil || done.Already || read(t, done.Path) != read(t, lib) {
		t.Errorf("got %+v, %v", done, err)
	}
	if done, err = try("bin/lib.so.1", sum); err != nil || !done.Already {
		t.Errorf("the second time: %+v, %v", done, err)
	}

	write(t, filepath.Join(bin, "npm"), "#!/bin/sh\necho no network >&2\nexit 1\n")
	_, err = try("bin/lib.so.1", strings.Repeat("1", 64))
	wantError(t, err, "package@1", "no network", "path")
	t.Setenv("PATH", t.TempDir())
	for _, from := range []string{"go", "npm"} {
		pins[0].from = from
		pins[0].sum = strings.Repeat("1", 64)
		_, err = Install(context.Background(), Options{From: from})
		wantError(t, err, from, "PATH", "path of a library")
	}
	pins = nil
	_, err = Install(context.Background(), Options{})
	wantError(t, err, platform())
}

func TestInstallFromFile(t *testing.T) {
	cache := newCache(t)
	dir := t.TempDir()
	lib := compile(t, dir, "libonnxruntime.so.1.30.0", "1.30.0", "gpu")
	write(t, filepath.Join(dir, "libonnxruntime_providers_cuda.so"), "cuda")
	write(t, filepath.Join(dir, "libonnxruntime_providers_shared.so"), "shared")
	sum, err := fileSum(lib)
	if err != nil {
		t.Fatal(err)
	}
	done := mustInstall(t, Options{From: lib, SHA256: strings.ToUpper(sum)})
	want := []string{"libonnxruntime.so", "libonnxruntime.so.sha256", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"}
	for i, name := range want {
		want[i] = "1.30.0/" + platform() + "/" + name
	}
	if got := files(t, cache); !slices.Equal(got, want) || done.Already || len(done.Providers) != 2 || done.SHA256 != sum {
		t.Errorf("got %+v and %v, want %v", done, got, want)
	}
	if _, known, err := Sum(done.Path); known != "recorded at installation" || err != nil {
		t.Errorf("the sum is known as %q, %v", known, err)
	}
	if again := mustInstall(t, Options{From: lib}); !again.Already {
		t.Errorf("the second time: %+v", again)
	}

	// Install the same version without providers, another version, and the first again.
	plain := compile(t, t.TempDir(), "libonnxruntime.so", "1.30.0", "plain")
	if done := mustInstall(t, Options{From: plain}); done.Already || len(done.Providers) != 0 {
		t.Errorf("got %+v", done)
	}
	if got := files(t, cache); !slices.Equal(got, want[:2]) {
		t.Errorf("got %v, want %v", got, want[:2])
	}
	older := mustInstall(t, Options{From: compile(t, t.TempDir(), "libonnxruntime.so", "1.29.0", "older")})
	if got, err := Find(""); got.Path != older.Path || err != nil {
		t.Errorf("after the older one was installed: %v, %v", got, err)
	}
	mustInstall(t, Options{From: plain})
	if got, err := Find(""); got.Path != done.Path || err != nil {
		t.Errorf("after the first was installed again: %v, %v", got, err)
	}

	before := files(t, cache)
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{From: "none"}, "none"},
		{Options{From: dir}, dir},
		{Options{From: lib, SHA256: strings.Repeat("0", 64)}, sum},
		{Options{SHA256: sum}, "only for a path"},
		{Options{From: filepath.Join(dir, "libonnxruntime_providers_cuda.so")}, "not a shared library"},
		{Options{From: compile(t, t.TempDir(), "libonnxruntime.so", "1.20.1", "old")}, "1.20.1"},
		{Options{From: compile(t, t.TempDir(), "lib.so", "", "unknown")}, "version"},
	} {
		_, err := Install(context.Background(), test.o)
		wantError(t, err, test.want)
	}
	if got := files(t, cache); !slices.Equal(got, before) {
		t.Errorf("failures left %v, there was %v", got, before)
	}
}

// pack writes a .tgz or .zip file. A content "->target" is a symbolic link.
func pack(t *testing.T, path string, members map[string]string) {
	t.Helper()
	var buffer bytes.Buffer
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	if strings.HasSuffix(path, ".zip") {
		w := zip.NewWriter(&buffer)
		for _, name := range names {
			m, err := w.Create(name)
			if err == nil {
				_, err = io.WriteString(m, members[name])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
	} else {
		z := gzip.NewWriter(&buffer)
		w := tar.NewWriter(z)
		for _, name := range names {
			header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(members[name])), Mode: 0o644}
			if target, ok := strings.CutPrefix(members[name], "->"); ok {
				header = &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}
			}
			if err := w.WriteHeader(header); err != nil {
				t.Fatal(err)
			}
			if header.Size > 0 {
				io.WriteString(w, members[name])
			}
		}
		w.Close()
		z.Close()
	}
	write(t, path, buffer.String())
}

func TestInstallFromArchive(t *testing.T) {
	dir := t.TempDir()
	lib := compile(t, dir, "libonnxruntime.so", "1.30.0", "lib")
	foreign(t, lib, filepath.Join(dir, "sparc.so"))
	content, sparc := read(t, lib), read(t, filepath.Join(dir, "sparc.so"))
	for name, members := range map[string]map[string]string{
		"release.tgz": {
			"ort/lib/libonnxruntime.so":                "->libonnxruntime.so.1",
			"ort/lib/libonnxruntime.so.1":              "->/etc/passwd",
			"ort/lib/libonnxruntime.so.1.30.0":         content,
			"ort/lib/libonnxruntime_providers_cuda.so": "cuda",
			"ort/include/onnxruntime.h":                "x",
		},
		"platforms.tar.gz": {
			"arm64/libonnxruntime.so.1":              sparc,
			"arm64/libonnxruntime_providers_cuda.so": "sparc",
			"x64/libonnxruntime.so.1":                content,
			"x64/libonnxruntime_providers_cuda.so":   "cuda",
		},
		"release.zip": {
			"lib/libonnxruntime.so":                content,
			"lib/libonnxruntime_providers_cuda.so": "cuda",
		},
		"hostile.tgz": {
			"../../../libonnxruntime.so.1":              content,
			"../../../libonnxruntime_providers_cuda.so": "cuda",
			"/tmp/libonnxruntime_providers_cuda.so":     "no",
			"../../../passwd":                           "no",
		},
	} {
		cache := newCache(t)
		archive := filepath.Join(t.TempDir(), name)
		pack(t, archive, members)
		done := mustInstall(t, Options{From: archive})
		if done.Version != "1.30.0" || read(t, done.Path) != content {
			t.Errorf("%s: got %+v", name, done)
		}
		if got := files(t, filepath.Dir(cache)); len(got) != 3 {
			t.Errorf("%s: the cache has %v", name, got)
		}
		if got := read(t, filepath.Join(filepath.Dir(done.Path), "libonnxruntime_providers_cuda.so")); got != "cuda" {
			t.Errorf("%s: the provider is %q", name, got)
		}
		if again := mustInstall(t, Options{From: archive}); !again.Already {
			t.Errorf("%s, the second time: %+v", name, again)
		}
	}
}

func TestBadArchives(t *testing.T) {
	cache := newCache(t)
	dir := t.TempDir()
	lib := compile(t, dir, "libonnxruntime.so", "1.30.0", "lib")
	foreign(t, lib, filepath.Join(dir, "sparc.so"))
	many := make(map[string]string)
	for i := range maxMembers + 1 {
		many[strings.Repeat("d/", i)+"libonnxruntime.so"] = read(t, lib)
	}
	for name, members := range map[string]map[string]string{
		"empty.tgz":  {},
		"none.zip":   {"README": "x"},
		"sparc.tgz":  {"libonnxruntime.so": read(t, filepath.Join(dir, "sparc.so"))},
		"text.zip":   {"libonnxruntime.so": "text"},
		"link.tgz":   {"libonnxruntime.so": "->" + lib},
		"many.tgz":   many,
		"twice.zip":  {"a//libonnxruntime.so": "x", "a/./libonnxruntime.so": "x"},
		"onlygpu.gz": {"libonnxruntime_providers_cuda.so": "x"},
	} {
		archive := filepath.Join(dir, name)
		pack(t, archive, members)
		_, err := Install(context.Background(), Options{From: archive})
		wantError(t, err, archive)
	}
	good := filepath.Join(dir, "good.tgz")
	pack(t, good, map[string]string{"libonnxruntime.so": read(t, lib)})
	for _, name := range []string{"cut.tgz", "cut.zip"} {
		cut := filepath.Join(dir, name)
		write(t, cut, read(t, good)[:1000])
		_, err := Install(context.Background(), Options{From: cut})
		wantError(t, err, cut)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Install(canceled, Options{From: good}); err != context.Canceled {
		t.Errorf("with a canceled context: %v", err)
	}
	if got := files(t, cache); len(got) != 0 {
		t.Errorf("failures left %v", got)
	}
	bounded := &boundedReader{context.Background(), strings.NewReader("12345"), 4}
	if _, err := io.ReadAll(bounded); err == nil {
		t.Error("5 bytes were read of at most 4")
	}
}

func TestCUDA(t *testing.T) {
	dir := t.TempDir()
	lib := compile(t, dir, "libonnxruntime.so", "1.30.0", "lib")
	wantError(t, CUDA(lib), "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so", dir)

	compile(t, dir, "libonnxruntime_providers_shared.so", "", "shared")
	compile(t, dir, "libonnxruntime_providers_cuda.so", "", "cuda", "libcublas.so.77", "libcudnn.so.77", "libcuda.so.1")
	err := CUDA(lib)
	wantError(t, err, "libcublas.so.77", "libcudnn.so.77")
	if strings.Contains(err.Error(), "providers_") || strings.Contains(err.Error(), "libc.so") {
		t.Errorf("%v: it names what is there", err)
	}
	if strings.Count(err.Error(), "libcuda.so.1") > 1 {
		t.Errorf("%v: it names the driver twice", err)
	}
	found := t.TempDir()
	compile(t, found, "libcublas.so.77", "", "cublas")
	t.Setenv("LD_LIBRARY_PATH", found)
	if err := CUDA(lib); err == nil || strings.Contains(err.Error(), "libcublas") || !strings.Contains(err.Error(), "libcudnn.so.77") {
		t.Errorf("with libcublas.so.77: %v", err)
	}
	compile(t, dir, "libonnxruntime_providers_cuda.so", "", "cuda")
	wantError(t, CUDA(lib), "libcudnn.so")
}

// TestBinding compares the version with this module's go.mod.
func TestBinding(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/yalue/onnxruntime_go " + Binding + "\n"; !strings.Contains(string(mod), want) {
		t.Errorf("go.mod has not %q", want)
	}
	if err := TooOld("lib.so", "1.20.0"); !strings.Contains(err.Error(), "1.20.0") || !strings.Contains(err.Error(), Binding) {
		t.Errorf("%v does not name both versions", err)
	}
}
