package infer_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/native"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// TestMutatedFiles opens and runs files that were changed at random: half of them as
// bytes, half as messages, of which fields are dropped, doubled, swapped and set to
// extremes, as deep as they lie. None may panic, take more time than it is given or
// more memory than the limit.
//
// RNNKIT_MUTATIONS=100000 sets how many there are, and has time and memory measured
// too; RNNKIT_SEED, the seed of the first.
func TestMutatedFiles(t *testing.T) {
	count, measured := 300, false
	if n, err := strconv.Atoi(os.Getenv("RNNKIT_MUTATIONS")); err == nil {
		count, measured = n, true
	}
	seed, _ := strconv.ParseUint(os.Getenv("RNNKIT_SEED"), 10, 64)
	files := mutableFiles(t)
	opened, ran := 0, 0
	for i := range count {
		m := &mutator{rand.New(rand.NewPCG(seed+uint64(i), 1))}
		file := files[m.IntN(len(files))]
		data := m.file(file.data)
		try := func() {
			opens, runs := survives(t, data)
			opened, ran = opened+opens, ran+runs
		}
		if measured {
			within(t, len(data), try)
		} else {
			try()
		}
		if t.Failed() {
			t.Fatalf("seed %d, of %s", seed+uint64(i), file.name)
		}
	}
	t.Logf("of %d files %d were opened, and %d ran", count, opened, ran)
	if opened < count/10 || ran < count/20 {
		t.Errorf("of %d files only %d were opened, and %d ran", count, opened, ran)
	}
}

type namedFile struct {
	name string
	data []byte
}

// mutableFiles returns models of ours and small ones from elsewhere.
func mutableFiles(t *testing.T) (files []namedFile) {
	for _, spec := range everySpec() {
		files = append(files, namedFile{fmt.Sprint(spec), exported(t, spec)})
	}
	root := testenv.SharedRoot(t)
	for _, pattern := range []string{
		"onnx-tests/*/*/*/model.onnx", "models/*/model.onnx", "malformed/*/model.onnx", "field/engine/*/model.onnx",
		"field/hostile/*.onnx",
	} {
		paths, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, path := range paths {
			if data, err := os.ReadFile(path); err == nil && len(data) < 1<<16 {
				files = append(files, namedFile{path, data})
			}
		}
	}
	return files
}

const (
	mutatedMemory = 32 << 20
	mutatedTime   = 200 * time.Millisecond
)

// survives opens and runs a file in all ways, and counts whether it could be.
func survives(t *testing.T, data []byte) (opened, ran int) {
	spec := models.Spec{Cell: models.LSTM, Features: 2, Hidden: 3, Layers: 1, Readout: models.ReadAll, Outputs: 2}
	_, err := export.LoadParams(models.NewParams[float32](spec), spec, data)
	said(t, err)
	m, err := infer.OpenBytes(data, infer.With(native.New(native.MaxMemory(mutatedMemory))))
	if said(t, err) {
		return 0, 0
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), mutatedTime)
	defer cancel()
	inputs := map[string]tensor.Tensor{}
	for _, in := range m.Inputs() {
		inputs[in.Name] = zerosFor(in)
	}
	for range 2 {
		if _, err = m.Run(ctx, inputs); said(t, err) {
			break
		}
		ran = 1
	}
	_, err = m.StepTensors(ctx, m.NewState(), inputs)
	said(t, err)
	if f, err := infer.NewForecaster(m); !said(t, err) {
		_, err := f.Forecast(ctx, make([]float64, 20), 2)
		said(t, err)
	}
	if c, err := infer.NewClassifier(m); !said(t, err) {
		_, err := c.Classify(ctx, zerosFor(m.Inputs()[0]))
		said(t, err)
	}
	if g, err := infer.NewGenerator(m); !said(t, err) {
		for _, err := range g.Generate(ctx, "a", infer.GenerateOptions{Length: 3}) {
			said(t, err)
		}
	}
	return 1, ran
}

// said reports whether there is an error, which must be one line and not tell of a bug.
func said(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return false
	}
	if text := err.Error(); strings.Contains(text, "which is a bug") || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("%q", text)
	}
	return true
}

// within does what takes no more than 2 s, nor more memory than the limit and a quarter
// with some times what the file, of so many bytes, has.
func within(t *testing.T, size int, do func()) {
	runtime.GC()
	before := heap()
	debug.SetMemoryLimit(int64(before) + mutatedMemory*5/4)
	var most atomic.Uint64
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				most.Store(max(most.Load(), heap()))
			}
		}
	}()
	start := time.Now()
	do()
	took := time.Since(start)
	close(done)
	debug.SetMemoryLimit(math.MaxInt64)
	if took > 2*time.Second {
		t.Errorf("it takes %v", took)
	}
	if limit := before + mutatedMemory*5/4 + 16*uint64(size) + 4<<20; most.Load() > limit {
		t.Errorf("it takes %d MiB", (most.Load()-before)>>20)
	}
}

// heap returns how many bytes objects take, those among them that nobody needs any more
// and that are not swept yet.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// zerosFor returns a small tensor that fits an input.
func zerosFor(in tensor.Info) tensor.Tensor {
	shape, size := make([]int, len(in.Shape)), 1
	for i, d := range in.Shape {
		if shape[i] = 2; d.Symbol == "" && d.Size >= 0 {
			shape[i] = d.Size
		}
		if size *= min(shape[i], 1<<12); size > 1<<16 {
			return tensor.Zeros(in.Type, 1)
		}
	}
	return tensor.Zeros(in.Type, shape...)
}

// mutator changes files.
type mutator struct{ *rand.Rand }

func (m *mutator) file(data []byte) []byte {
	bytewise := m.IntN(2) == 0
	for range 1 + m.IntN(1+m.IntN(4)) {
		if bytewise {
			data = m.bytes(data)
		} else {
			data = m.message(data)
		}
	}
	return data
}

// bytes changes some bytes, or takes some away, or puts some twice.
func (m *mutator) bytes(data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	from := m.IntN(len(data))
	to := min(len(data), from+1+m.IntN(16))
	out := append([]byte{}, data[:from]...)
	switch m.IntN(4) {
	case 0: // is dropped
	case 1:
		out = append(append(out, data[from:to]...), data[from:to]...)
	case 2:
		return out // the rest is
	default:
		for range to - from {
			out = append(out, byte(m.Uint32()))
		}
	}
	return append(out, data[to:]...)
}

// message changes one field of a message, or of a message within it.
func (m *mutator) message(data []byte) []byte {
	var fields [][]byte
	for rest := data; len(rest) > 0; {
		_, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return m.bytes(data)
		}
		fields, rest = append(fields, rest[:n]), rest[n:]
	}
	if len(fields) == 0 {
		return data
	}
	i, j := m.IntN(len(fields)), m.IntN(len(fields))
	switch m.IntN(16) {
	case 0:
		fields[i] = nil
	case 1:
		fields[i] = append(append([]byte{}, fields[i]...), fields[i]...)
	case 2:
		fields[i], fields[j] = fields[j], fields[i]
	case 3:
		fields[i] = fields[j]
	default:
		fields[i] = m.field(fields[i])
	}
	var out []byte
	for _, f := range fields {
		out = append(out, f...)
	}
	return out
}

// extremes are numbers that sizes, axes, types and counts are often wrong for.
var extremes = []uint64{
	0, 1, 2, 3, 7, 10, 11, 255, 1 << 16, 1 << 31, 1 << 40, 1 << 62, math.MaxInt64, 1 << 63, math.MaxUint64,
	math.MaxUint64 - 1,
}

// field changes the value of a field.
func (m *mutator) field(field []byte) []byte {
	num, typ, n := protowire.ConsumeTag(field)
	tag, value := field[:n:n], field[n:]
	if m.IntN(40) == 0 {
		return append(protowire.AppendTag(nil, 1+protowire.Number(m.IntN(25)), typ), value...)
	}
	number := extremes[m.IntN(len(extremes))]
	switch typ {
	case protowire.VarintType:
		return protowire.AppendVarint(tag, number)
	case protowire.Fixed32Type:
		return binary.LittleEndian.AppendUint32(tag, m.Uint32())
	case protowire.BytesType:
		content, _ := protowire.ConsumeBytes(value)
		return protowire.AppendBytes(protowire.AppendTag(nil, num, typ), m.content(content, number))
	}
	return field
}

// content changes what a field holds: a message, a name, or packed numbers.
func (m *mutator) content(content []byte, number uint64) []byte {
	const names = "axis perm to x y h0 c0 W R B input output hidden_size direction reverse " +
		"Loop If Scan LSTM GRU Gather Reshape ConstantOfShape Expand Tile Range TopK"
	switch m.IntN(10) {
	case 0:
		words := strings.Fields(names)
		return []byte(words[m.IntN(len(words))])
	case 1:
		return protowire.AppendVarint(append([]byte{}, content...), number)
	case 2:
		return m.bytes(content)
	case 3:
		return binary.LittleEndian.AppendUint64(nil, number)
	}
	if len(content) == 0 {
		return []byte("\n\x1b[2J")
	}
	return m.message(content)
}
