package trainer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strconv"
	"time"

	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/internal/kernels"
)

// A checkpoint is this line, a line of JSON, which is the header, blocks of
// little-endian numbers, and the SHA-256 of all that. The blocks are those of
// fit.blocks, then the order of the examples in 64-bit integers. Dropout needs
// no state: its draws follow from the seed and the number of updates.
//
// Format 2 had no digest of the data, no vocabulary and no labels among its
// terms, and so could be taken for a fit of other data.
const (
	checkpointFormat = "rnnkit checkpoint "
	checkpointMagic  = checkpointFormat + "3\n"
)

type header struct {
	Terms    []term   `json:"terms"`
	History  []Epoch  `json:"history"`
	At       position `json:"at"`
	Plateau  plateau  `json:"plateau"`
	BestLoss float64  `json:"best_loss"`
	Since    int      `json:"since"` // epochs, the best
	Shuffle  []byte   `json:"shuffle"`
}

// term is something that decides the result of a fit, or what it means.
type term struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// newTerm keeps of a value that is longer than a line its beginning and digest.
func newTerm(name string, value any) term {
	format := "%v"
	if _, ok := value.([]string); ok {
		format = "%q" // which tells where one ends
	}
	text := fmt.Sprintf(format, value)
	if len(text) > 100 {
		text = fmt.Sprintf("%.40s... (SHA-256 %x)", text, sha256.Sum256([]byte(text)))
	}
	return term{name, text}
}

// terms lists what must be the same for a fit to go on from a checkpoint.
func (f *fit[T]) terms() []term {
	var list []term
	add := func(name string, value any) { list = append(list, newTerm(name, value)) }
	for _, part := range []any{f.meta.Spec, f.opts.Optimizer, f.opts.Schedule} {
		v := reflect.ValueOf(part)
		for i := range v.NumField() {
			add(v.Type().Name()+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
	add("Task", f.meta.Task)
	add("Window", f.meta.Window)
	add("Horizon", f.meta.Horizon)
	add("Columns", f.meta.Columns)
	if f.meta.Target != "" {
		add("Target", f.meta.Target)
	}
	add("Vocabulary", f.meta.Vocabulary)
	add("Labels", f.meta.Labels)
	add("DataDigest", f.opts.DataDigest)
	add("InputScale", f.meta.InputScale)
	add("OutputScale", f.meta.OutputScale)
	add("Loss", f.opts.Loss)
	add("LearningRate", f.opts.LearningRate)
	add("ClipNorm", f.opts.ClipNorm)
	add("Batch", f.opts.Batch)
	add("Patience", f.patience())
	add("Seed", f.opts.Seed)
	add("NoShuffle", f.opts.NoShuffle)
	add("Carry", f.opts.Carry)
	add("number of training examples", f.train.Len())
	add("number of test examples", f.test.Len())
	if f.opts.Validation != nil {
		add("number of validation examples", f.opts.Validation.Len())
	}
	return list
}

// patience is Options.Patience in words.
func (f *fit[T]) patience() string {
	if f.opts.Patience == math.MaxInt {
		return "without end"
	}
	return strconv.Itoa(f.opts.Patience)
}

// blocks lists the numbers of a checkpoint: the parameters, the optimizer's
// moments, the best parameters, and the states that are carried.
func (f *fit[T]) blocks() [][]T {
	list := append([][]T{f.params.Data}, f.moments...)
	list = append(list, f.best.params)
	if f.carried > 0 {
		list = append(list, f.last.h, f.last.c)
	}
	return list
}

// CheckpointError is the error of a fit that cannot go on from a checkpoint, which is of
// a run with another model, other data or other options.
type CheckpointError struct {
	Checkpoint   string // its path
	Field        string // what differs, such as "Optimizer.Method" or "Labels"
	Saved, Given string // what the checkpoint has, and what the fit was given
}

func (e *CheckpointError) Error() string {
	return fmt.Sprintf("cannot resume from %s: it is a checkpoint of another run: its %s is %s, not %s: give what that run was given, or start anew",
		e.Checkpoint, e.Field, e.Saved, e.Given)
}

// start takes the fit to where it is to begin.
func (f *fit[T]) start() error {
	if !f.opts.Resume {
		if err := f.mayReplace(); err != nil {
			return err
		}
		return f.save()
	}
	data, err := os.ReadFile(f.opts.Checkpoint)
	if err != nil {
		return fmt.Errorf("cannot resume: %w: name the checkpoint of an earlier run, or start anew", err)
	}
	if err := f.restore(data); err != nil {
		var other *CheckpointError
		if errors.As(err, &other) {
			return err
		}
		return fmt.Errorf("cannot resume from %s: %w", f.opts.Checkpoint, err)
	}
	f.saved = time.Now()
	if f.opts.OnEpoch != nil {
		for _, e := range f.history {
			f.opts.OnEpoch(e)
		}
	}
	return nil
}

// mayReplace is an error if the checkpoint would replace a file of another kind.
func (f *fit[T]) mayReplace() error {
	file, err := os.Open(f.opts.Checkpoint)
	if err != nil {
		return nil // none is there, or writing tells
	}
	defer file.Close()
	start := make([]byte, len(checkpointFormat))
	n, _ := io.ReadFull(file, start)
	if n > 0 && string(start[:n]) != checkpointFormat {
		return fmt.Errorf("%s is there, and is no checkpoint: name another file", f.opts.Checkpoint)
	}
	return nil
}

func (f *fit[T]) saveIfDue() error {
	if f.opts.Checkpoint == "" || time.Since(f.saved) < f.opts.CheckpointEvery {
		return nil
	}
	return f.save()
}

// save writes the checkpoint, if there is to be one.
func (f *fit[T]) save() error {
	if f.opts.Checkpoint == "" {
		return nil
	}
	data, err := f.marshal()
	if err == nil {
		err = atomicfile.Write(f.opts.Checkpoint, data)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	f.saved = time.Now()
	return nil
}

func (f *fit[T]) marshal() ([]byte, error) {
	h := header{
		Terms:    f.terms(),
		History:  f.history,
		At:       f.at,
		Plateau:  f.plateau,
		BestLoss: f.best.loss,
		Since:    f.best.since,
	}
	var err error
	if h.Shuffle, err = f.shuffle.MarshalBinary(); err != nil {
		return nil, err
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	data := append([]byte(checkpointMagic), line...)
	data = append(data, '\n')
	for _, block := range f.blocks() {
		if data, err = binary.Append(data, binary.LittleEndian, block); err != nil {
			return nil, err
		}
	}
	for _, example := range f.order {
		data = binary.LittleEndian.AppendUint64(data, uint64(example))
	}
	sum := sha256.Sum256(data)
	return append(data, sum[:]...), nil
}

// restore takes a new fit to where the one was that wrote data. After an error
// it leaves the parameters as they were.
func (f *fit[T]) restore(data []byte) error {
	damaged := func(what string) error {
		return fmt.Errorf("the checkpoint is damaged: %s: start anew", what)
	}
	body, ok := bytes.CutPrefix(data, []byte(checkpointMagic))
	switch {
	case !ok && bytes.HasPrefix(data, []byte(checkpointFormat)):
		return fmt.Errorf("it is a checkpoint of another version of rnnkit: start anew")
	case !ok:
		return fmt.Errorf("it is not a checkpoint: name another file, or start anew")
	}
	end := len(data) - sha256.Size
	if end < len(checkpointMagic) || sha256.Sum256(data[:end]) != [sha256.Size]byte(data[end:]) {
		return damaged("its SHA-256 does not match")
	}
	line, body, _ := bytes.Cut(body[:len(body)-sha256.Size], []byte("\n"))
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return damaged(err.Error())
	}
	if err := f.sameTerms(h.Terms); err != nil {
		return err
	}
	if at := h.At.Examples; at < 0 || at > len(f.order) || at%f.opts.Batch != 0 && at != len(f.order) {
		return damaged(fmt.Sprintf("it stands at example %d", at))
	}
	if begun := len(h.History) + min(h.At.Examples, 1); begun > f.opts.Epochs {
		return &CheckpointError{f.opts.Checkpoint, "Epochs", fmt.Sprintf("%d or more", begun), strconv.Itoa(f.opts.Epochs)}
	}
	size := binary.Size(f.params.Data)*(1+len(f.moments)) + binary.Size(f.best.params) + 8*len(f.order)
	carried := f.carriedAt(h.At)
	size += 2 * binary.Size(f.params.Data[:1]) * f.states(carried)
	if len(body) != size {
		return damaged(fmt.Sprintf("%d bytes follow its header, not %d", len(body), size))
	}
	order, err := f.readOrder(body[size-8*len(f.order):])
	if err != nil {
		return damaged(err.Error())
	}
	if err := f.shuffle.UnmarshalBinary(h.Shuffle); err != nil {
		return damaged(err.Error())
	}

	for i := range h.History {
		h.History[i].Examples = len(order)
	}
	f.order, f.history, f.at, f.plateau = order, h.History, h.At, h.Plateau
	f.best.loss, f.best.since = h.BestLoss, h.Since
	f.updates = len(h.History)*f.batches() + f.batchesOf(h.At.Examples)
	f.carried = carried
	kernels.Grow(&f.last.h, f.states(carried))
	kernels.Grow(&f.last.c, f.states(carried))
	for _, block := range f.blocks() {
		n, err := binary.Decode(body, binary.LittleEndian, block)
		if err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

// carriedAt is the number of examples whose state is carried from there on.
func (f *fit[T]) carriedAt(at position) int {
	if !f.opts.Carry || at.Examples == 0 {
		return 0
	}
	return (at.Examples-1)%f.opts.Batch + 1
}

// sameTerms returns an error that names the first term that is another here.
func (f *fit[T]) sameTerms(theirs []term) error {
	ours := f.terms()
	version := fmt.Errorf("it is a checkpoint of another version of rnnkit: start anew")
	for i := range min(len(ours), len(theirs)) {
		switch {
		case theirs[i].Name != ours[i].Name:
			return version
		case theirs[i].Value != ours[i].Value:
			return &CheckpointError{f.opts.Checkpoint, ours[i].Name, theirs[i].Value, ours[i].Value}
		}
	}
	if len(ours) != len(theirs) {
		return version
	}
	return nil
}

// readOrder reads a permutation of the training examples.
func (f *fit[T]) readOrder(data []byte) ([]int, error) {
	order := make([]int, len(f.order))
	seen := make([]bool, len(f.order))
	for i := range order {
		example := binary.LittleEndian.Uint64(data[8*i:])
		if example > math.MaxInt || int(example) >= len(seen) || seen[example] {
			return nil, fmt.Errorf("its order of the examples is none")
		}
		order[i], seen[example] = int(example), true
	}
	return order, nil
}
