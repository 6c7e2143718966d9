package tablefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	flatbuffers "github.com/google/flatbuffers/go"
)

// The library for Arrow allocates by the lengths that the descriptions in a file state,
// and follows their fields to any depth. So the descriptions are checked before it reads
// them. They are tables of FlatBuffers, whose slots Arrow's Schema.fbs, Message.fbs and
// File.fbs number.

const (
	maxFields = 1 << 17 // of a schema, with those within others
	maxDepth  = 64      // of fields within fields

	schemaHeader, dictionaryHeader, batchHeader = 1, 2, 3 // kinds of messages
)

var errDescription = errors.New("a description with a length that cannot be")

// descriptions checks tables. It panics, as reading out of their bytes does.
type descriptions struct {
	fields int // so far
}

// table returns the table in a slot.
func table(t flatbuffers.Table, slot flatbuffers.VOffsetT) (inner flatbuffers.Table, ok bool) {
	offset := flatbuffers.UOffsetT(t.Offset(slot))
	return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(offset + t.Pos)}, offset != 0
}

// vector returns where the elements in a slot begin, and their number.
func vector(t flatbuffers.Table, slot flatbuffers.VOffsetT, size int) (start flatbuffers.UOffsetT, n int) {
	offset := flatbuffers.UOffsetT(t.Offset(slot))
	if offset == 0 {
		return 0, 0
	}
	start, n = t.Vector(offset), t.VectorLen(offset)
	if n < 0 || int(start)+n*size > len(t.Bytes) {
		panic(errDescription)
	}
	return start, n
}

// message checks what precedes a batch or is a schema, and returns the size of what
// follows.
func (d *descriptions) message(b []byte) (body int64) {
	m := flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}
	vector(m, 12, 4)
	header, ok := table(m, 8)
	switch m.GetByteSlot(6, 0) {
	case schemaHeader:
		d.schema(header)
	case dictionaryHeader:
		header, ok = table(header, 6)
		d.batch(header)
	case batchHeader:
		d.batch(header)
	}
	if body = m.GetInt64Slot(10, 0); !ok || body < 0 {
		panic(errDescription)
	}
	return body
}

func (d *descriptions) schema(t flatbuffers.Table) {
	vector(t, 8, 4)
	d.children(t, 6, 0)
}

// children checks the fields in a slot.
func (d *descriptions) children(t flatbuffers.Table, slot flatbuffers.VOffsetT, depth int) {
	start, n := vector(t, slot, 4)
	if d.fields += n; d.fields > maxFields || depth > maxDepth {
		panic(fmt.Errorf("more than %d fields, or more than %d within each other", maxFields, maxDepth))
	}
	for i := range n {
		field := flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(start + flatbuffers.UOffsetT(4*i))}
		vector(field, 16, 4)
		if kind, ok := table(field, 10); ok && field.GetByteSlot(8, 0) == 14 { // a union
			vector(kind, 6, 4)
		}
		d.children(field, 14, depth+1)
	}
}

func (d *descriptions) batch(t flatbuffers.Table) {
	vector(t, 6, 16)
	_, buffers := vector(t, 8, 16)
	start, n := vector(t, 12, 8)
	for i := range n {
		if count := t.GetInt64(start + flatbuffers.UOffsetT(8*i)); count < 0 || count > int64(buffers) {
			panic(errDescription)
		}
	}
}

// checkFile checks the descriptions in a file of Arrow.
func (a *arrowReader) checkFile(r io.ReaderAt, size int64) (err error) {
	defer a.guard(&err)
	const ending = 10 // the length of the index and ARROW1
	end := make([]byte, ending)
	if _, err := r.ReadAt(end, max(0, size-ending)); err != nil || !bytes.HasSuffix(end, []byte("ARROW1")) {
		return a.errorf("cut off: it does not end in ARROW1; write it again")
	}
	index, err := description(r, size-ending, -int64(binary.LittleEndian.Uint32(end)))
	if err != nil {
		return a.damaged(err)
	}
	d := &descriptions{}
	footer := flatbuffers.Table{Bytes: index, Pos: flatbuffers.GetUOffsetT(index)}
	schema, ok := table(footer, 6)
	if !ok {
		panic(errDescription)
	}
	d.schema(schema)
	vector(footer, 12, 4)
	for _, slot := range []flatbuffers.VOffsetT{8, 10} { // dictionaries and batches
		start, n := vector(footer, slot, 24)
		for i := range n {
			at := start + flatbuffers.UOffsetT(24*i)
			b, err := description(r, footer.GetInt64(at), int64(footer.GetInt32(at+8)))
			if err != nil {
				return a.damaged(err)
			}
			if bytes.HasPrefix(b, arrowEnd[:4]) {
				b = b[4:]
			}
			d.message(b[4:])
		}
	}
	return nil
}

// description reads so many bytes from an offset on, or up to it if their number is
// negative.
func description(r io.ReaderAt, at, n int64) ([]byte, error) {
	if n < 0 {
		at, n = at+n, -n
	}
	if n > maxMetadata || at < 0 {
		return nil, errDescription
	}
	b := make([]byte, n)
	_, err := r.ReadAt(b, at)
	return b, err
}

// checkedStream hands on a stream of Arrow whose descriptions are in order.
type checkedStream struct {
	r     io.Reader
	d     descriptions
	head  []byte // of the current message, as far as it is not handed on
	body  int64  // and how many bytes follow
	ended bool   // the mark of the end was read
}

var arrowEnd = []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0} // ends a stream

func (s *checkedStream) Read(p []byte) (n int, err error) {
	if len(s.head) == 0 && s.body == 0 && !s.ended {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	if len(s.head) > 0 {
		n = copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	}
	if s.ended {
		return s.r.Read(p)
	}
	n, err = s.r.Read(p[:min(int64(len(p)), s.body)])
	s.body -= int64(n)
	if err == io.EOF && s.body > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads the head of the next message.
func (s *checkedStream) next() error {
	var begin [8]byte
	if _, err := io.ReadFull(s.r, begin[:]); err != nil {
		return fmt.Errorf("the mark of its end is missing: %w", io.ErrUnexpectedEOF)
	}
	length := binary.LittleEndian.Uint32(begin[4:])
	s.head, s.ended = begin[:], length == 0
	switch {
	case !bytes.Equal(begin[:4], arrowEnd[:4]):
		return errors.New("no message where one should begin")
	case s.ended:
		return nil
	case length > maxMetadata:
		return errDescription
	}
	s.head = append(s.head, make([]byte, length)...)
	if _, err := io.ReadFull(s.r, s.head[8:]); err != nil {
		return fmt.Errorf("a message that is not whole: %w", io.ErrUnexpectedEOF)
	}
	s.body = s.d.message(s.head[8:])
	return nil
}
