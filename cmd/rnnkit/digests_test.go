package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/cli"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/internal/onnxpb"
)

const digests = "testdata/digests.tsv"

// TestDigests trains what testdata/digests.tsv lists, on every variant of the
// kernels that the processor has. The files must be those of the table, but for
// their metadata. RNNKIT_UPDATE=1 writes the table anew, which a change that
// claims to compute the same must not need.
func TestDigests(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the table is of amd64: elsewhere the compiler may fuse a product and a sum")
	}
	variants := kernels.Variants()
	defer kernels.Use(variants[0])
	table := readDigests(t)
	t.Chdir(t.TempDir())
	writeData(t)
	for i, row := range table {
		for _, variant := range variants {
			if testing.Short() && variant != kernels.Variant() {
				continue
			}
			kernels.Use(variant)
			got := digestOf(t, row.command)
			if want := row.digests[variant]; got != want && os.Getenv("RNNKIT_UPDATE") == "" {
				t.Errorf("rnnkit train %s on %s: the file has digest %s, want %s", row.command, variant, got, want)
			}
			table[i].digests[variant] = got
		}
	}
	if os.Getenv("RNNKIT_UPDATE") != "" {
		writeDigests(t, table)
	}
}

// digestRow is a command line after "rnnkit train", and what it gives by variant.
type digestRow struct {
	command string
	digests map[string]string
}

// digestVariants are the columns of the table before the command.
var digestVariants = []string{"avx512", "avx2", "generic"}

func readDigests(t *testing.T) (table []digestRow) {
	t.Helper()
	data, err := os.ReadFile(digests)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		row := digestRow{fields[len(digestVariants)], map[string]string{}}
		for i, variant := range digestVariants {
			row.digests[variant] = fields[i]
		}
		table = append(table, row)
	}
	return table
}

func writeDigests(t *testing.T, table []digestRow) {
	t.Helper()
	var b bytes.Buffer
	for _, row := range table {
		for _, variant := range digestVariants {
			fmt.Fprintf(&b, "%s\t", row.digests[variant])
		}
		fmt.Fprintln(&b, row.command)
	}
	_, here, _, _ := runtime.Caller(0)
	if err := os.WriteFile(filepath.Join(filepath.Dir(here), digests), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// digestOf trains and returns the digest of the file without its metadata.
func digestOf(t *testing.T, command string) string {
	t.Helper()
	var said bytes.Buffer
	args := append(append([]string{"train"}, strings.Fields(command)...), "-o", "m.onnx")
	if status := cli.Main(args, strings.NewReader(""), &said, &said); status != 0 {
		t.Fatalf("rnnkit %q: status %d\n%s", args, status, said.Bytes())
	}
	data, err := os.ReadFile("m.onnx")
	if err != nil {
		t.Fatal(err)
	}
	var model onnxpb.ModelProto
	if err := proto.Unmarshal(data, &model); err != nil {
		t.Fatal(err)
	}
	model.MetadataProps, model.ProducerVersion = nil, nil
	data, err = proto.MarshalOptions{Deterministic: true}.Marshal(&model)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))[:32]
}

// writeData writes a series, a text and labelled sequences, from whole numbers, so
// that they are the same everywhere.
func writeData(t *testing.T) {
	t.Helper()
	state := uint32(1)
	random := func(n int) int {
		state = state*1664525 + 1013904223
		return int(state>>8) % n
	}
	var series, text, two, three bytes.Buffer
	fmt.Fprintln(&series, "day,sales")
	for i := range 240 {
		fmt.Fprintf(&series, "%d,%d.%02d\n", i+1, 100+i/4+(i%12)*(12-i%12)+random(9), random(100))
	}
	for range 300 {
		text.WriteString(strings.Fields("the cat sat on a mat, and that was that. Ünder dem Baum: 42!")[random(14)] + " ")
	}
	for range 60 {
		values := make([]string, 3+random(6))
		sum := 0
		for j := range values {
			v := random(20) - 10
			sum += v
			values[j] = fmt.Sprintf("%d.5", v)
		}
		sequence := strings.Join(values, ",")
		fmt.Fprintf(&two, "%s,%s\n", sequence, []string{"down", "up"}[min(1, max(0, sum))])
		fmt.Fprintf(&three, "%s,%s\n", sequence, []string{"low", "middle", "high"}[int(math.Max(0, math.Min(2, float64(sum/8+1))))])
	}
	for name, b := range map[string]*bytes.Buffer{"series.csv": &series, "text.txt": &text, "two.csv": &two, "three.csv": &three} {
		if err := os.WriteFile(name, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
