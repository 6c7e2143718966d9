package tablefile

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/rnnkit/rnnkit/datasets"
)

const rowsAtOnce = 256 // of a column that are decoded

var errEarly = errors.New("the column ends before the others; write the file again")

// parquetReader reads a Parquet file. Of each column it holds one page at a time.
type parquetReader struct {
	place
	reader  *file.Reader
	columns []parquetColumn
	group   int   // the next row group
	left    int64 // rows of the current one
	row     int
	fields  []datasets.Field
}

// newParquetReader reads what comes last in the file, the schema.
func newParquetReader(r parquet.ReaderAtSeeker, name string) (p *parquetReader, err error) {
	p = &parquetReader{place: place{file: name, unit: "row"}}
	defer p.guard(&err)
	properties := parquet.NewReaderProperties(nil)
	properties.BufferedStreamEnabled = true
	properties.BufferSize = 1 << 16
	properties.PageStreamingEnabled = true
	if p.reader, err = file.NewParquetReader(r, file.WithReadProps(properties)); err != nil {
		return nil, p.damaged(err)
	}
	info := p.reader.MetaData()
	zones := zonesOf(info.KeyValueMetadata())
	root := info.Schema.Root()
	if root.NumFields() > maxColumns {
		return nil, p.errorf("%d columns; keep at most %d", root.NumFields(), maxColumns)
	}
	leaves := map[schema.Node]int{}
	for i := range info.Schema.NumColumns() {
		leaves[info.Schema.Column(i).SchemaNode()] = i
	}
	for i := range root.NumFields() {
		node := root.Field(i)
		p.place.columns = append(p.place.columns, node.Name())
		leaf, ok := leaves[node]
		if !ok || node.RepetitionType() == parquet.Repetitions.Repeated {
			p.columns = append(p.columns, nested(node))
			continue
		}
		p.columns = append(p.columns, columnOf(info.Schema.Column(leaf), leaf, zones[node.Name()]))
	}
	p.fields = make([]datasets.Field, len(p.columns))
	return p, nil
}

// zonesOf returns the time zones of columns, which Parquet itself does not know. Programs
// that write Arrow's columns to Parquet leave Arrow's schema in the file.
func zonesOf(values metadata.KeyValueMetadata) map[string]*time.Location {
	text := values.FindValue("ARROW:schema")
	if text == nil {
		return nil
	}
	message, err := base64.StdEncoding.DecodeString(*text)
	if err != nil {
		return nil
	}
	schema, err := newArrowStream(bytes.NewReader(message), "")
	if err != nil {
		return nil
	}
	zones := map[string]*time.Location{}
	for i, name := range schema.columns {
		zones[name] = schema.zones[i]
	}
	return zones
}

// Next returns the next row.
func (p *parquetReader) Next() (fields []datasets.Field, row int, err error) {
	defer p.guard(&err)
	for p.left == 0 {
		if err := p.nextGroup(); err != nil {
			return nil, 0, err
		}
	}
	p.left--
	p.row++
	for i, c := range p.columns {
		if p.fields[i], err = c.next(); err != nil {
			return nil, 0, p.At(p.row, i+1, err)
		}
	}
	return p.fields, p.row, nil
}

// nextGroup goes to the next row group.
func (p *parquetReader) nextGroup() error {
	if p.group == p.reader.NumRowGroups() {
		return io.EOF
	}
	g := p.reader.RowGroup(p.group)
	p.group++
	if p.left = g.NumRows(); p.left < 0 {
		return p.errorf("damaged: a row group of %d rows; write it again", p.left)
	}
	for i, c := range p.columns {
		if err := c.open(g); err != nil {
			return p.At(p.row+1, i+1, err)
		}
	}
	return nil
}

// parquetColumn gives out the values of a column of a Parquet file.
type parquetColumn interface {
	// open goes to the beginning of a row group.
	open(*file.RowGroupReader) error

	// next returns the next value.
	next() (datasets.Field, error)
}

// other is a column of values of a type that no table holds.
type other string

// nested returns the column of lists, maps or structs.
func nested(node schema.Node) other {
	switch t := node.LogicalType(); {
	case !t.IsNone():
		return other(strings.ToLower(t.String()))
	case node.RepetitionType() == parquet.Repetitions.Repeated:
		return "list"
	}
	return "struct"
}

func (other) open(*file.RowGroupReader) error { return nil }
func (o other) next() (datasets.Field, error) { return unsupported(string(o)), nil }

// chunkReader reads a column of a row group.
type chunkReader[T any] interface {
	ReadBatchInPage(size int64, values []T, definitions, repetitions []int16) (rows int64, present int, err error)
	Err() error
	Close() error
}

// columnReader reads a column of a physical type of Parquet.
type columnReader[T any] struct {
	leaf     int
	optional bool
	field    func(T) (datasets.Field, error)

	reader  chunkReader[T]
	present []int16 // for each row in memory 1, or 0 where the value is missing
	values  []T     // of the rows that have one
	row     int     // the next row in memory
	value   int     // and its value
	rows    int
}

func (c *columnReader[T]) open(g *file.RowGroupReader) error {
	if c.reader != nil {
		c.reader.Close()
	}
	reader, err := g.Column(c.leaf)
	if err != nil {
		return err
	}
	c.reader = reader.(chunkReader[T])
	c.row, c.rows = 0, 0
	return nil
}

func (c *columnReader[T]) next() (datasets.Field, error) {
	if c.row == c.rows {
		if err := c.fill(); err != nil {
			return datasets.Field{}, err
		}
	}
	c.row++
	if c.optional && c.present[c.row-1] == 0 {
		return missing, nil
	}
	c.value++
	return c.field(c.values[c.value-1])
}

// fill decodes the next rows.
func (c *columnReader[T]) fill() error {
	if c.values == nil {
		c.values, c.present = make([]T, rowsAtOnce), make([]int16, rowsAtOnce)
	}
	rows, present, err := c.reader.ReadBatchInPage(rowsAtOnce, c.values[:rowsAtOnce], c.present, nil)
	if err == nil {
		err = c.reader.Err()
	}
	if err != nil {
		return err
	}
	if rows == 0 {
		return errEarly
	}
	c.row, c.value, c.rows, c.values = 0, 0, int(rows), c.values[:present]
	return nil
}

// columnOf returns the column of a leaf of the schema.
func columnOf(c *schema.Column, leaf int, zone *time.Location) parquetColumn {
	if zone == nil {
		zone = time.UTC
	}
	optional := c.MaxDefinitionLevel() > 0
	switch c.PhysicalType() {
	case parquet.Types.Boolean:
		return &columnReader[bool]{leaf: leaf, optional: optional, field: sure(boolean)}
	case parquet.Types.Float:
		return &columnReader[float32]{leaf: leaf, optional: optional, field: sure(func(v float32) datasets.Field { return number(float64(v)) })}
	case parquet.Types.Double:
		return &columnReader[float64]{leaf: leaf, optional: optional, field: sure(number)}
	case parquet.Types.Int96:
		return &columnReader[parquet.Int96]{leaf: leaf, optional: optional, field: func(v parquet.Int96) (datasets.Field, error) { return int96(v, zone) }}
	case parquet.Types.Int32:
		if field := int32Field(c.LogicalType()); field != nil {
			return &columnReader[int32]{leaf: leaf, optional: optional, field: field}
		}
	case parquet.Types.Int64:
		if field := int64Field(c.LogicalType(), zone); field != nil {
			return &columnReader[int64]{leaf: leaf, optional: optional, field: field}
		}
	case parquet.Types.ByteArray:
		if field := bytesField(c.LogicalType()); field != nil {
			return &columnReader[parquet.ByteArray]{leaf: leaf, optional: optional, field: func(v parquet.ByteArray) (datasets.Field, error) { return field(v) }}
		}
	case parquet.Types.FixedLenByteArray:
		if field := fixedField(c.LogicalType()); field != nil {
			return &columnReader[parquet.FixedLenByteArray]{leaf: leaf, optional: optional, field: func(v parquet.FixedLenByteArray) (datasets.Field, error) { return field(v) }}
		}
	}
	what := c.PhysicalType().String()
	if t := c.LogicalType(); !t.IsNone() {
		what = t.String()
	}
	return other(what)
}

// sure makes a function return no error.
func sure[T any](field func(T) datasets.Field) func(T) (datasets.Field, error) {
	return func(v T) (datasets.Field, error) { return field(v), nil }
}

// int96 returns a time as old programs write it: nanoseconds of a day and its Julian
// number.
func int96(v parquet.Int96, zone *time.Location) (datasets.Field, error) {
	const julian1970 = 2440588
	nanoseconds := int64(binary.LittleEndian.Uint64(v[:8]))
	day := int64(binary.LittleEndian.Uint32(v[8:])) - julian1970
	if nanoseconds < 0 || nanoseconds >= 24*60*60*1e9 {
		return datasets.Field{}, errors.New("no time of day; write the column as a TIMESTAMP")
	}
	f, err := instant(day*24*60*60, 1, zone)
	f.Time = f.Time.Add(time.Duration(nanoseconds))
	return f, err
}

// int32Field returns what makes fields of a column of 32 bits, or nil if no table holds
// its type.
func int32Field(t schema.LogicalType) func(int32) (datasets.Field, error) {
	switch t := t.(type) {
	case schema.NoLogicalType:
		return sure(func(v int32) datasets.Field { return number(float64(v)) })
	case schema.IntLogicalType:
		if t.IsSigned() {
			return sure(func(v int32) datasets.Field { return number(float64(v)) })
		}
		return sure(func(v int32) datasets.Field { return number(float64(uint32(v))) })
	case schema.DecimalLogicalType:
		return decimals(t, func(v int32) *big.Int { return big.NewInt(int64(v)) })
	case schema.DateLogicalType:
		return date
	case schema.TimeLogicalType:
		return func(v int32) (datasets.Field, error) { return clock(int64(v), perSecond(t.TimeUnit())) }
	case schema.NullLogicalType:
		return sure(func(int32) datasets.Field { return missing })
	}
	return nil
}

// int64Field is int32Field for 64 bits.
func int64Field(t schema.LogicalType, zone *time.Location) func(int64) (datasets.Field, error) {
	switch t := t.(type) {
	case schema.NoLogicalType:
		return sure(integer)
	case schema.IntLogicalType:
		if t.IsSigned() {
			return sure(integer)
		}
		return sure(func(v int64) datasets.Field { return unsigned(uint64(v)) })
	case schema.DecimalLogicalType:
		return decimals(t, big.NewInt)
	case schema.TimeLogicalType:
		return func(v int64) (datasets.Field, error) { return clock(v, perSecond(t.TimeUnit())) }
	case schema.TimestampLogicalType:
		return func(v int64) (datasets.Field, error) { return instant(v, perSecond(t.TimeUnit()), zone) }
	}
	return nil
}

// bytesField is int32Field for bytes of any number.
func bytesField(t schema.LogicalType) func([]byte) (datasets.Field, error) {
	switch t := t.(type) {
	case schema.StringLogicalType, *schema.StringLogicalType, schema.EnumLogicalType, schema.JSONLogicalType:
		return texts{}.field
	case schema.DecimalLogicalType:
		return decimals(t, bigEndian)
	}
	return nil
}

// fixedField is int32Field for bytes of a fixed number.
func fixedField(t schema.LogicalType) func([]byte) (datasets.Field, error) {
	switch t := t.(type) {
	case schema.DecimalLogicalType:
		return decimals(t, bigEndian)
	case schema.Float16LogicalType:
		return sure(func(v []byte) datasets.Field { return number(float64(float16.FromLEBytes(v).Float32())) })
	case schema.UUIDLogicalType:
		return sure(func(v []byte) datasets.Field {
			return datasets.Field{Text: fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])}
		})
	}
	return nil
}

// decimals returns what makes fields of a column of decimals, or nil if they have too
// many digits after the point.
func decimals[T any](t schema.DecimalLogicalType, whole func(T) *big.Int) func(T) (datasets.Field, error) {
	scale := t.Scale()
	if scale < 0 || scale > maxScale {
		return nil
	}
	return sure(func(v T) datasets.Field { return decimal(whole(v), scale) })
}

// perSecond returns how many units a second has.
func perSecond(unit schema.TimeUnitType) int64 {
	switch unit {
	case schema.TimeUnitMillis:
		return 1e3
	case schema.TimeUnitMicros:
		return 1e6
	}
	return 1e9
}
