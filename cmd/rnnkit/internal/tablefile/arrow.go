package tablefile

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/rnnkit/rnnkit/datasets"
)

const (
	maxBatch    = 1 << 29 // bytes of a record batch, as it is in the file and decompressed
	maxMetadata = 1 << 24 // bytes that describe it
)

// arrowReader reads the IPC format of Apache Arrow, batch by batch.
type arrowReader struct {
	place
	batches batches
	budget  *budget
	zones   []*time.Location // of the columns
	texts   []texts

	values []func(row int) (datasets.Field, error) // of the columns in the batch
	left   int                                     // rows of the batch
	at     int                                     // the next of them
	row    int
	fields []datasets.Field
}

// batches reads record batches from a file or a stream.
type batches interface {
	Schema() *arrow.Schema

	// Read returns the next batch, which is valid until the next call. After the last one
	// the error is io.EOF.
	Read() (arrow.RecordBatch, error)
}

// newArrowFile reads what comes last in a file, the index.
func newArrowFile(r ipc.ReadAtSeeker, name string) (a *arrowReader, err error) {
	a = newArrowReader(name)
	defer a.guard(&err)
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, a.errorf("%w", err)
	}
	if err := a.checkFile(r, size); err != nil {
		return nil, err
	}
	file, err := ipc.NewFileReader(r, a.limits()...)
	if err != nil {
		return nil, a.damaged(err)
	}
	return a, a.begin(file)
}

// newArrowStream reads what comes first in a stream, the schema.
func newArrowStream(r io.Reader, name string) (a *arrowReader, err error) {
	a = newArrowReader(name)
	defer a.guard(&err)
	source := &checkedStream{r: r}
	stream, err := ipc.NewReaderFromMessageReader(ipc.NewMessageReader(source, a.limits()...), a.limits()...)
	if err != nil {
		return nil, a.damaged(err)
	}
	return a, a.begin(&arrowStream{stream, source})
}

func newArrowReader(name string) *arrowReader {
	return &arrowReader{place: place{file: name, unit: "row"}, budget: &budget{memory.NewGoAllocator(), maxBatch}}
}

func (a *arrowReader) limits() []ipc.Option {
	return []ipc.Option{ipc.WithAllocator(a.budget), ipc.WithBodySizeLimit(maxBatch), ipc.WithMetadataSizeLimit(maxMetadata)}
}

// begin reads the columns.
func (a *arrowReader) begin(b batches) error {
	a.batches = b
	fields := b.Schema().Fields()
	if len(fields) > maxColumns {
		return a.errorf("%d columns; keep at most %d", len(fields), maxColumns)
	}
	for _, f := range fields {
		a.columns = append(a.columns, f.Name)
	}
	for i, f := range fields {
		zone, err := zoneOf(f.Type)
		if err != nil {
			return a.At(0, i+1, err)
		}
		a.zones, a.texts = append(a.zones, zone), append(a.texts, texts{})
	}
	a.fields = make([]datasets.Field, len(fields))
	return nil
}

// zoneOf returns the time zone of a type, UTC for one without.
func zoneOf(t arrow.DataType) (*time.Location, error) {
	if d, ok := t.(*arrow.DictionaryType); ok {
		return zoneOf(d.ValueType)
	}
	stamp, ok := t.(*arrow.TimestampType)
	if !ok {
		return time.UTC, nil
	}
	zone, err := stamp.GetZone()
	if err != nil || zone == time.Local {
		return nil, fmt.Errorf("the time zone %.40q is not known; write the column in UTC", stamp.TimeZone)
	}
	return zone, nil
}

// guard makes an error of what the library for Arrow panics with on a damaged file.
func (p *place) guard(err *error) {
	if panicked := recover(); panicked != nil {
		*err = p.damaged(fmt.Errorf("%v", panicked))
	}
}

// damaged says that a file cannot be decoded.
func (p *place) damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.errorf("cut off; write it again: %w", err)
	}
	return p.errorf("damaged, or too large a part of it to read at once; write it again: %w", err)
}

// Next returns the next row.
func (a *arrowReader) Next() (fields []datasets.Field, row int, err error) {
	defer a.guard(&err)
	for a.at == a.left {
		if err := a.nextBatch(); err != nil {
			return nil, 0, err
		}
	}
	a.row++
	for i, value := range a.values {
		if a.fields[i], err = value(a.at); err != nil {
			return nil, 0, a.At(a.row, i+1, err)
		}
	}
	a.at++
	return a.fields, a.row, nil
}

func (a *arrowReader) nextBatch() error {
	a.budget.left = maxBatch
	batch, err := a.batches.Read()
	switch {
	case err == io.EOF:
		return err
	case err != nil:
		return a.damaged(err)
	}
	a.at, a.left, a.values = 0, int(batch.NumRows()), a.values[:0]
	for i, column := range batch.Columns() {
		value, err := a.getter(column, i)
		if err != nil {
			return a.damaged(err)
		}
		a.values = append(a.values, value)
	}
	return nil
}

// arrowStream reads a stream, and finds out whether anything follows.
type arrowStream struct {
	*ipc.Reader
	source *checkedStream
}

func (s *arrowStream) Read() (arrow.RecordBatch, error) {
	batch, err := s.Reader.Read()
	if err != io.EOF {
		return batch, err
	}
	if n, err := io.Copy(io.Discard, s.source); n > 0 || err != nil {
		return nil, fmt.Errorf("%d bytes after the end of the stream", n)
	}
	return nil, io.EOF
}

// budget is an allocator for a limited number of bytes. It panics, which the reader of
// Arrow makes an error.
type budget struct {
	memory.Allocator
	left int
}

func (b *budget) Allocate(size int) []byte {
	b.spend(size)
	return b.Allocator.Allocate(size)
}

func (b *budget) Reallocate(size int, old []byte) []byte {
	b.spend(size)
	return b.Allocator.Reallocate(size, old)
}

func (b *budget) spend(size int) {
	if size < 0 || size > b.left {
		panic(fmt.Errorf("a record batch of more than %d bytes; write smaller ones", maxBatch))
	}
	b.left -= size
}

// getter returns a function that returns the values of a column of the batch.
func (a *arrowReader) getter(column arrow.Array, i int) (func(row int) (datasets.Field, error), error) {
	if _, ok := column.(*array.Null); ok {
		return func(int) (datasets.Field, error) { return missing, nil }, nil
	}
	value, err := a.present(column, i)
	if err != nil || value == nil {
		field := unsupported(column.DataType().String())
		return func(int) (datasets.Field, error) { return field, nil }, err
	}
	return func(row int) (datasets.Field, error) {
		if column.IsNull(row) {
			return missing, nil
		}
		return value(row)
	}, array.ValidateFull(column)
}

// present returns a function that returns those values of a column that are not missing,
// or nil if no table holds them.
func (a *arrowReader) present(column arrow.Array, i int) (func(row int) (datasets.Field, error), error) {
	if value := numberOf(column); value != nil {
		return func(row int) (datasets.Field, error) { return value(row), nil }, nil
	}
	switch c := column.(type) {
	case *array.Dictionary:
		value, err := a.getter(c.Dictionary(), i)
		return func(row int) (datasets.Field, error) { return value(c.GetValueIndex(row)) }, err
	case array.StringLike:
		return func(row int) (datasets.Field, error) { return a.texts[i].field([]byte(c.Value(row))) }, nil
	}
	return timeOf(column, a.zones[i]), nil
}

// numberOf returns a function that returns the values of a column of numbers or
// booleans, or nil for another.
func numberOf(column arrow.Array) func(row int) datasets.Field {
	switch c := column.(type) {
	case *array.Boolean:
		return func(row int) datasets.Field { return boolean(c.Value(row)) }
	case *array.Int8:
		return integers(c.Value)
	case *array.Int16:
		return integers(c.Value)
	case *array.Int32:
		return integers(c.Value)
	case *array.Int64:
		return integers(c.Value)
	case *array.Uint8:
		return integers(c.Value)
	case *array.Uint16:
		return integers(c.Value)
	case *array.Uint32:
		return integers(c.Value)
	case *array.Uint64:
		return func(row int) datasets.Field { return unsigned(c.Value(row)) }
	case *array.Float16:
		return func(row int) datasets.Field { return number(float64(c.Value(row).Float32())) }
	case *array.Float32:
		return func(row int) datasets.Field { return number(float64(c.Value(row))) }
	case *array.Float64:
		return func(row int) datasets.Field { return number(c.Value(row)) }
	}
	return decimalOf(column)
}

func integers[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](value func(int) T) func(int) datasets.Field {
	return func(row int) datasets.Field { return integer(int64(value(row))) }
}

// decimalOf returns a function that returns the values of a column of decimals, or nil
// for another.
func decimalOf(column arrow.Array) func(row int) datasets.Field {
	d, ok := column.DataType().(arrow.DecimalType)
	if !ok || d.GetScale() > maxScale || d.GetScale() < -maxScale {
		return nil
	}
	scale := d.GetScale()
	switch c := column.(type) {
	case *array.Decimal32:
		return func(row int) datasets.Field { return decimal(big.NewInt(int64(c.Value(row))), scale) }
	case *array.Decimal64:
		return func(row int) datasets.Field { return decimal(big.NewInt(int64(c.Value(row))), scale) }
	case *array.Decimal128:
		return func(row int) datasets.Field { return decimal(c.Value(row).BigInt(), scale) }
	case *array.Decimal256:
		return func(row int) datasets.Field { return decimal(c.Value(row).BigInt(), scale) }
	}
	return nil
}

// timeOf returns a function that returns the values of a column of times, or nil for
// another.
func timeOf(column arrow.Array, zone *time.Location) func(row int) (datasets.Field, error) {
	perSecond := int64(1)
	if t, ok := column.DataType().(arrow.TemporalWithUnit); ok {
		perSecond = int64(time.Second / t.TimeUnit().Multiplier())
	}
	switch c := column.(type) {
	case *array.Date32:
		return func(row int) (datasets.Field, error) { return date(int32(c.Value(row))) }
	case *array.Date64:
		return func(row int) (datasets.Field, error) { return instant(int64(c.Value(row)), 1000, time.UTC) }
	case *array.Timestamp:
		return func(row int) (datasets.Field, error) { return instant(int64(c.Value(row)), perSecond, zone) }
	case *array.Time32:
		return func(row int) (datasets.Field, error) { return clock(int64(c.Value(row)), perSecond) }
	case *array.Time64:
		return func(row int) (datasets.Field, error) { return clock(int64(c.Value(row)), perSecond) }
	}
	return nil
}
