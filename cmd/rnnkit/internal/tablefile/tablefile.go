// Package tablefile opens tables in CSV, JSON Lines, Parquet and Arrow, and reads them row
// by row, so that they may be larger than memory. Answers of Prometheus to range queries,
// which it keeps in memory, are tables too.
//
// The first bytes of a file tell its format. Its name must agree: a name that claims
// another format is an error. Text may be compressed with gzip or zstd, and so may an
// Arrow stream.
package tablefile

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
	"github.com/rnnkit/rnnkit/datasets"
)

// Rows reads a table of any format.
type Rows struct {
	datasets.RowReader
	Format string // CSV, JSON Lines, Parquet, Arrow or Prometheus

	close []func() error
}

// Close closes the file and removes what was written beside it.
func (r *Rows) Close() error {
	var all []error
	for _, c := range slices.Backward(r.close) {
		all = append(all, c())
	}
	return errors.Join(all...)
}

// Roles returns what the columns are for: as given, and what that leaves open where the
// format tells.
func (r *Rows) Roles(given datasets.Roles) datasets.Roles {
	if answer, ok := r.RowReader.(*prometheus.Rows); ok {
		return answer.Roles(given)
	}
	return given
}

// Notes returns what a person should know about the file, a sentence each.
func (r *Rows) Notes() []string {
	if answer, ok := r.RowReader.(*prometheus.Rows); ok {
		return answer.Notes()
	}
	return nil
}

// The formats.
const (
	csv         = "CSV"
	jsonLines   = "JSON Lines"
	parquetFile = "Parquet"
	arrowFile   = "Arrow"
	streamed    = "a stream of Arrow"
	queryAnswer = "Prometheus"
)

// suffixes lists what the suffix of a name claims of the contents.
var suffixes = map[string]string{
	".csv": csv, ".tsv": csv, ".tab": csv,
	".jsonl": jsonLines, ".ndjson": jsonLines, ".json": jsonLines,
	".parquet": parquetFile, ".pq": parquetFile,
	".arrow": arrowFile, ".arrows": arrowFile, ".ipc": arrowFile, ".feather": arrowFile,
	".gz": gzipped, ".zst": zstandard,
}

// variants lists the formats that have the suffixes of another.
var variants = map[string]string{streamed: arrowFile, queryAnswer: jsonLines}

// The compressions.
const (
	gzipped   = "compressed with gzip"
	zstandard = "compressed with zstd"
)

// headSize is how many bytes tell the format.
const headSize = 1 << 16

// maxWindow limits the memory that a file compressed with zstd may ask for.
const maxWindow = 1 << 27

// Open opens the table at path, or the one in stdin for "-". Close it after use.
func Open(path string, stdin io.Reader) (*Rows, error) {
	rows, name := &Rows{}, path
	source := stdin
	if path == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read the data: %w", err)
		}
		rows.close = append(rows.close, f.Close)
		source = f
	}
	if err := rows.open(source, name); err != nil {
		rows.Close()
		return nil, err
	}
	return rows, nil
}

// open finds out the format.
func (r *Rows) open(source io.Reader, name string) error {
	at := &place{file: name}
	text := bufio.NewReaderSize(source, headSize)
	plain, suffix, err := r.uncompressed(text, name)
	if err != nil {
		return at.errorf("%w", err)
	}
	if plain != text {
		source = nil
	}
	head, err := peek(plain)
	if err != nil {
		return at.errorf("%w", err)
	}
	format, err := formatOf(head)
	if err != nil {
		return at.errorf("%w", err)
	}
	if claimed := suffixes[suffix]; claimed != "" && claimed != format && variants[format] != claimed {
		return at.errorf("%w", errSuffix(suffix, format))
	}
	return r.read(format, plain, source, at)
}

func errSuffix(suffix, contents string) error {
	return fmt.Errorf("called %s, and its contents are %s; give the file its true suffix", suffix, contents)
}

// uncompressed returns what text holds, text itself if that is not compressed, and the
// suffix that the name has without that of the compression.
func (r *Rows) uncompressed(text *bufio.Reader, name string) (plain *bufio.Reader, suffix string, err error) {
	head, err := peek(text)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the data: %w", err)
	}
	name = strings.ToLower(name)
	suffix = filepath.Ext(name)
	compression, claimed := compressionOf(head), suffixes[suffix]
	switch {
	case claimed == compression, claimed == "" && compression != "":
	case compression != "" || claimed == gzipped || claimed == zstandard:
		return nil, "", errSuffix(suffix, cmp.Or(compression, "not compressed"))
	}
	if compression == "" {
		return text, suffix, nil
	}
	if plain, err = r.decompress(text, compression); err != nil {
		return nil, "", fmt.Errorf("damaged or cut off: %w", err)
	}
	return plain, filepath.Ext(strings.TrimSuffix(name, suffix)), nil
}

// peek returns the first bytes of r, or all that it has.
func peek(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(headSize)
	if err == io.EOF {
		err = nil
	}
	return head, err
}

// decompress returns what r holds, which is compressed.
func (r *Rows) decompress(text io.Reader, compression string) (*bufio.Reader, error) {
	if compression == gzipped {
		z, err := gzip.NewReader(text)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(&decompressor{z}, headSize), nil
	}
	z, err := zstd.NewReader(text, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, func() error { z.Close(); return nil })
	return bufio.NewReaderSize(&decompressor{z}, headSize), nil
}

// decompressor says of errors that they are those of compressed data.
type decompressor struct{ io.Reader }

func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("the compressed data is damaged or cut off: %w", err)
	}
	return n, err
}

// read begins to read a table. The source holds all of text, or is nil if that is
// compressed.
func (r *Rows) read(format string, text *bufio.Reader, source io.Reader, at *place) (err error) {
	r.Format = format
	switch format {
	case jsonLines:
		r.RowReader, err = newJSONReader(text, at.file)
	case queryAnswer:
		r.RowReader, err = newAnswer(text, at)
	case streamed:
		r.Format = arrowFile
		r.RowReader, err = newArrowStream(text, at.file)
	case csv:
		r.RowReader, err = datasets.NewCSVRows(text, at.file)
	default:
		err = r.readFile(format, text, source, at)
	}
	return err
}

// newAnswer reads answers of Prometheus.
func newAnswer(text *bufio.Reader, at *place) (datasets.RowReader, error) {
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" {
		text.Discard(3)
	}
	matrix, err := prometheus.Decode(text)
	if err != nil {
		return nil, at.errorf("%w", err)
	}
	return matrix.Rows(at.file), nil
}

// readFile begins to read a table in a format that is not read in order.
func (r *Rows) readFile(format string, text *bufio.Reader, source io.Reader, at *place) (err error) {
	f, isFile := source.(*os.File)
	if !isFile || !isRegular(f) {
		if f, err = r.spool(text); err != nil {
			return at.errorf("it cannot be kept in a temporary file, as this format needs: %w", err)
		}
	}
	if format == arrowFile {
		r.RowReader, err = newArrowFile(f, at.file)
	} else {
		r.RowReader, err = newParquetReader(f, at.file)
	}
	return err
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// spool copies text to a temporary file, which is removed by Close.
func (r *Rows) spool(text io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "rnnkit-*")
	if err != nil {
		return nil, err
	}
	r.close = append(r.close, func() error { return errors.Join(f.Close(), os.Remove(f.Name())) })
	_, err = io.Copy(f, text)
	return f, err
}

// compressionOf returns how data that begins with head is compressed, "" if it is not.
func compressionOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstandard
	}
	return ""
}

// foreign lists the first bytes of files that are no table which can be read, and what
// to do about them.
var foreign = []struct{ magic, advice string }{
	{"PK\x03\x04", "a ZIP archive, as spreadsheets are; save the table as CSV"},
	{"\xd0\xcf\x11\xe0", "an old spreadsheet; save the table as CSV"},
	{"FEA1", "Feather version 1; write it with version 2"},
	{"PARE", "Parquet with an encrypted index; write it without encryption"},
	{"ORC", "ORC; write the table as Parquet"},
	{"Obj\x01", "Avro; write the table as Parquet"},
	{"\x89HDF", "HDF5; write the table as Parquet"},
	{"SQLite format 3", "a database of SQLite; write the table as CSV"},
	{"BZh", "compressed with bzip2; compress it with gzip or zstd"},
	{"\xfd7zXZ", "compressed with xz; compress it with gzip or zstd"},
	{"\x1f\x8b", "compressed twice; decompress it"},
	{"\x28\xb5\x2f\xfd", "compressed twice; decompress it"},
}

// formatOf returns the format of data that begins with head.
func formatOf(head []byte) (string, error) {
	switch {
	case len(head) == 0:
		return "", errors.New("no data; give it a row for each value")
	case bytes.HasPrefix(head, []byte{0xff, 0xff, 0xff, 0xff}):
		return streamed, nil
	case isText(head), bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}): // UTF-16
		return textFormat(head)
	case bytes.HasPrefix(head, []byte("PAR1")):
		return parquetFile, nil
	case bytes.HasPrefix(head, []byte("ARROW1")):
		return arrowFile, nil
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return "", errors.New(f.advice)
		}
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return "", errors.New("neither text nor Parquet nor Arrow; give it a table in one of these formats")
	}
	return textFormat(head)
}

// isText reports whether data has no control characters but those of text. The header of
// a CSV file may begin like a binary file.
func isText(head []byte) bool {
	return !bytes.ContainsFunc(head, func(c rune) bool { return c < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1a\x1b", c) })
}

// textFormat tells answers of Prometheus, JSON Lines and CSV, by what comes first.
func textFormat(head []byte) (string, error) {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	line, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case prometheus.IsAnswer(head):
		return queryAnswer, nil
	case isHTML(head):
		return "", errors.New("a page of HTML, such as one that asks for a password; fetch the data itself")
	case bytes.HasPrefix(head, []byte("# HELP ")), bytes.HasPrefix(head, []byte("# TYPE ")):
		return "", errors.New("metrics as an exporter writes them, of one time; ask Prometheus, which has scraped it, by query_range")
	case bytes.HasPrefix(head, []byte("{")) && (json.Valid(line) || bytes.HasPrefix(bytes.TrimLeft(head[1:], " \t\r\n"), []byte(`"`))):
		return jsonLines, nil
	case bytes.HasPrefix(head, []byte("[")) && bytes.HasPrefix(bytes.TrimLeft(head[1:], " \t\r\n"), []byte("{")):
		return "", errors.New("a JSON list; write one object on each line, without the brackets and commas around them")
	}
	return csv, nil
}

// isHTML reports whether head begins a page of HTML.
func isHTML(head []byte) bool {
	head = bytes.ToLower(head[:min(len(head), 16)])
	return bytes.HasPrefix(head, []byte("<!doctype html")) || bytes.HasPrefix(head, []byte("<html"))
}
