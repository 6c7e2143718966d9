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
	"github.com/rnnkit/rnnkit/models"
)

// A checkpoint consists of this line, the header as a line of JSON, blocks of
// little-endian numbers, and the SHA-256 of everything before. The blocks are those of
// fit.blocks, then the order of the examples as 64-bit integers. Dropout needs no state:
// its random numbers follow from the seed and the number of updates.
const (
	checkpointFormat = "rnnkit checkpoint "
	checkpointMagic  = checkpointFormat + "4\n"
)

// header is the part of a checkpoint that is JSON.
type header struct {
	Settings []setting     `json:"settings"`
	History  []Epoch       `json:"history"`
	Progress epochProgress `json:"progress"`
	Plateau  plateau       `json:"plateau"`
	BestLoss float64       `json:"best_loss"`
	Since    int           `json:"since"` // epochs since the best
	Shuffle  []byte        `json:"shuffle"`
}

// The errors of a file that is no checkpoint to resume from. A [CheckpointError] wraps
// them.
var (
	ErrNotCheckpoint     = errors.New("the file is not a checkpoint")
	ErrCheckpointVersion = errors.New("the checkpoint was written by another version of rnnkit")
	ErrCheckpointDamaged = errors.New("the checkpoint is damaged")
)

// CheckpointError is the error of a fit that cannot resume from a checkpoint.
type CheckpointError struct {
	Path string

	// Err is the reason: one of the errors of this package, an error of the file
	// system, a *MismatchError, or a *models.FieldError if Options.Epochs is less
	// than the number of epochs that were begun.
	Err error
}

func (e *CheckpointError) Error() string {
	return fmt.Sprintf("cannot resume from %s: %v: resume another checkpoint, or start without Resume", e.Path, e.Err)
}

func (e *CheckpointError) Unwrap() error { return e.Err }

// MismatchError reports a setting that was another one in the training that wrote a
// checkpoint.
type MismatchError struct {
	// Field is the setting: a field of models.Metadata or of Options, or
	// "train.Len()", "test.Len()" or "Validation.Len()", the numbers of examples.
	Field      string
	Checkpoint string // its value in the checkpoint
	Given      string // its value now
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the checkpoint belongs to another training: its %s is %s, not %s", e.Field, e.Checkpoint, e.Given)
}

// setting is something that decides the result of a fit, or what the result means.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// newSetting shortens a long value to its beginning and its digest.
func newSetting(name string, value any) setting {
	format := "%v"
	if _, ok := value.([]string); ok {
		format = "%q" // shows where each string ends
	}
	text := fmt.Sprintf(format, value)
	if len(text) > 100 {
		text = fmt.Sprintf("%.40s... (SHA-256 %x)", text, sha256.Sum256([]byte(text)))
	}
	return setting{name, text}
}

// settings lists what must be the same for a fit to resume from a checkpoint.
func (f *fit[T]) settings() []setting {
	var list []setting
	add := func(name string, value any) { list = append(list, newSetting(name, value)) }
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
	add("Target", f.meta.Target)
	add("Vocabulary", f.meta.Vocabulary)
	add("Labels", f.meta.Labels)
	add("DataDigest", f.opts.DataDigest)
	add("InputScale", f.meta.InputScale)
	add("OutputScale", f.meta.OutputScale)
	forecast, _ := json.Marshal(f.meta.Forecast) // by value: it has pointers in it
	add("Forecast", string(forecast))
	add("Loss", f.opts.Loss)
	add("MedianWeight", f.opts.MedianWeight)
	add("LearningRate", f.opts.LearningRate)
	add("ClipNorm", f.opts.ClipNorm)
	add("Batch", f.opts.Batch)
	add("Patience", f.patience())
	add("Seed", f.opts.Seed)
	add("NoShuffle", f.opts.NoShuffle)
	add("Stateful", f.opts.Stateful)
	add("train.Len()", f.train.Len())
	add("test.Len()", f.test.Len())
	if f.opts.Validation != nil {
		add("Validation.Len()", f.opts.Validation.Len())
	}
	return list
}

// patience returns Options.Patience, or "none" without early stopping.
func (f *fit[T]) patience() string {
	if f.opts.Patience == math.MaxInt {
		return "none"
	}
	return strconv.Itoa(f.opts.Patience)
}

// blocks lists the numbers of a checkpoint: the parameters, the moments of the
// optimizer, the best parameters, and the kept states of a stateful training.
func (f *fit[T]) blocks() [][]T {
	list := append([][]T{f.params.Data}, f.moments...)
	list = append(list, f.best.params)
	if f.kept > 0 {
		list = append(list, f.final.h, f.final.c)
	}
	return list
}

// start writes the first checkpoint, or resumes from one.
func (f *fit[T]) start() error {
	if !f.opts.Resume {
		if err := f.checkReplaceable(); err != nil {
			return err
		}
		return f.save()
	}
	data, err := os.ReadFile(f.opts.Checkpoint)
	if err == nil {
		err = f.restore(data)
	}
	if err != nil {
		return &CheckpointError{f.opts.Checkpoint, err}
	}
	f.saved = time.Now()
	if f.opts.OnEpoch != nil {
		for _, e := range f.history {
			f.opts.OnEpoch(e)
		}
	}
	return nil
}

// checkReplaceable returns an error if the checkpoint would replace a file of another
// kind.
func (f *fit[T]) checkReplaceable() error {
	file, err := os.Open(f.opts.Checkpoint)
	if err != nil {
		return nil // there is no such file, or writing it will fail
	}
	defer file.Close()
	start := make([]byte, len(checkpointFormat))
	n, _ := io.ReadFull(file, start)
	if n > 0 && string(start[:n]) != checkpointFormat {
		return fmt.Errorf("cannot write a checkpoint over %s: %w: name another file", f.opts.Checkpoint, ErrNotCheckpoint)
	}
	return nil
}

// saveIfDue writes the checkpoint if the last one is old enough.
func (f *fit[T]) saveIfDue() error {
	if f.opts.Checkpoint == "" || time.Since(f.saved) < f.opts.CheckpointEvery {
		return nil
	}
	return f.save()
}

// save writes the checkpoint, unless the fit has none.
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
		Settings: f.settings(),
		History:  f.history,
		Progress: f.progress,
		Plateau:  f.plateau,
		BestLoss: f.best.loss,
		Since:    f.best.epochs,
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

// restore takes a new fit to the point where the checkpoint in data was written. After
// an error the parameters are unchanged.
func (f *fit[T]) restore(data []byte) error {
	h, body, err := splitCheckpoint(data)
	if err != nil {
		return err
	}
	if err := f.sameSettings(h.Settings); err != nil {
		return err
	}
	if err := f.checkProgress(h); err != nil {
		return err
	}
	kept := f.keptAfter(h.Progress.Examples)
	numbers := len(body) - 8*len(f.order)
	if want := f.blocksSize(kept); numbers != want {
		return damaged("%d bytes follow its header, not %d", len(body), want+8*len(f.order))
	}
	order, err := f.readOrder(body[numbers:])
	if err != nil {
		return err
	}
	if err := f.shuffle.UnmarshalBinary(h.Shuffle); err != nil {
		return damaged("%w", err)
	}
	f.restoreProgress(h, order, kept)
	return f.readBlocks(body[:numbers])
}

// damaged returns an ErrCheckpointDamaged that says what is wrong.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCheckpointDamaged, fmt.Errorf(format, args...))
}

// splitCheckpoint returns the header of a checkpoint and the numbers that follow it.
func splitCheckpoint(data []byte) (h header, body []byte, err error) {
	body, ok := bytes.CutPrefix(data, []byte(checkpointMagic))
	switch {
	case !ok && bytes.HasPrefix(data, []byte(checkpointFormat)):
		return h, nil, ErrCheckpointVersion
	case !ok:
		return h, nil, ErrNotCheckpoint
	}
	end := len(data) - sha256.Size
	if end < len(checkpointMagic) || sha256.Sum256(data[:end]) != [sha256.Size]byte(data[end:]) {
		return h, nil, damaged("its SHA-256 does not match")
	}
	line, body, _ := bytes.Cut(body[:len(body)-sha256.Size], []byte("\n"))
	if err := json.Unmarshal(line, &h); err != nil {
		return h, nil, damaged("%w", err)
	}
	return h, body, nil
}

// sameSettings returns a *MismatchError for the first setting that differs.
func (f *fit[T]) sameSettings(theirs []setting) error {
	ours := f.settings()
	for i := range min(len(ours), len(theirs)) {
		switch {
		case theirs[i].Name != ours[i].Name:
			return ErrCheckpointVersion
		case theirs[i].Value != ours[i].Value:
			return &MismatchError{ours[i].Name, theirs[i].Value, ours[i].Value}
		}
	}
	if len(ours) != len(theirs) {
		return ErrCheckpointVersion
	}
	return nil
}

// checkProgress returns an error if the fit cannot continue from where h stands.
func (f *fit[T]) checkProgress(h header) error {
	if n := h.Progress.Examples; n < 0 || n > len(f.order) || n%f.opts.Batch != 0 && n != len(f.order) {
		return damaged("it stands at example %d", n)
	}
	if begun := len(h.History) + min(h.Progress.Examples, 1); begun > f.opts.Epochs {
		return &models.FieldError{Field: "Epochs", Value: f.opts.Epochs, Want: fmt.Sprintf("%d or more, which the checkpoint has begun", begun)}
	}
	return nil
}

// keptAfter returns the number of states that are kept in a stateful training when the
// given number of examples of an epoch have been used.
func (f *fit[T]) keptAfter(examples int) int {
	if !f.opts.Stateful || examples == 0 {
		return 0
	}
	return (examples-1)%f.opts.Batch + 1
}

// blocksSize returns the size in bytes of the blocks with the given number of kept
// states.
func (f *fit[T]) blocksSize(kept int) int {
	numbers := len(f.params.Data)*(1+len(f.moments)) + len(f.best.params) + 2*f.stateSize(kept)
	return numbers * binary.Size(f.params.Data[:1])
}

// readOrder reads the order of the training examples.
func (f *fit[T]) readOrder(data []byte) ([]int, error) {
	order := make([]int, len(f.order))
	seen := make([]bool, len(f.order))
	for i := range order {
		example := binary.LittleEndian.Uint64(data[8*i:])
		if example > math.MaxInt || int(example) >= len(seen) || seen[example] {
			return nil, damaged("its order of the examples is not a permutation")
		}
		order[i], seen[example] = int(example), true
	}
	return order, nil
}

// restoreProgress sets everything but the blocks.
func (f *fit[T]) restoreProgress(h header, order []int, kept int) {
	for i := range h.History {
		h.History[i].Examples = len(order)
	}
	f.order, f.history, f.progress, f.plateau = order, h.History, h.Progress, h.Plateau
	f.best.loss, f.best.epochs = h.BestLoss, h.Since
	f.updates = len(h.History)*f.batches() + f.batchesOf(h.Progress.Examples)
	f.kept = kept
	kernels.Grow(&f.final.h, f.stateSize(kept))
	kernels.Grow(&f.final.c, f.stateSize(kept))
}

// readBlocks reads the blocks.
func (f *fit[T]) readBlocks(data []byte) error {
	for _, block := range f.blocks() {
		n, err := binary.Decode(data, binary.LittleEndian, block)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
