package app

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// rows reads an import file a row at a time: an array of objects, objects one
// after the other (JSON Lines), or an object whose one array holds them, as the
// data API answers.
type rows struct {
	dec      *jsontext.Decoder
	base     int64 // where in the file the decoder's input began
	lines    *lineCounter
	assigned []string
	started  bool
	inArray  bool
	wrapped  bool // an object stands around the array
	resumed  bool // after a row that cannot be read
}

// brokenRowError is what is wrong with the text of one row. The next one is still
// there.
type brokenRowError struct{ error }

// lenient leaves to the server what is wrong within a row, so that it is refused
// alone.
var lenient = jsontext.AllowDuplicateNames(true)

func newRows(r io.Reader, assigned []string) *rows {
	in := bufio.NewReader(r)
	if start, _ := in.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
		_, _ = in.Discard(len(byteOrderMark))
	}
	lines := &lineCounter{r: in}
	return &rows{dec: newDecoder(lines), lines: lines, assigned: assigned}
}

// byteOrderMark begins the files of some editors. It is no part of the text.
const byteOrderMark = "\uFEFF"

func newDecoder(r io.Reader) *jsontext.Decoder {
	return jsontext.NewDecoder(r, lenient, jsontext.AllowInvalidUTF8(true))
}

// next gives the next row and the line on which it begins; io.EOF at the end.
// After a brokenRowError there is more; any other error is final, and the file is
// broken at that line.
func (r *rows) next() (row []byte, line int, err error) {
	if !r.started {
		r.started = true
		if err := r.open(); err != nil {
			return nil, r.line(), err
		}
	}
	kind := r.dec.PeekKind()
	line = r.line()
	if r.inArray && kind == ']' {
		return nil, line, r.close()
	}
	raw, err := r.dec.ReadValue()
	if err == nil {
		return r.strip(raw), line, nil
	}
	if errors.Is(err, io.EOF) && !r.inArray {
		return nil, line, io.EOF
	}
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return nil, line, fmt.Errorf("read the file: %w", err)
	}
	err = fmt.Errorf("the file is not valid JSON here: %w", syntax.Err)
	at := r.base + syntax.ByteOffset
	if errors.Is(syntax.Err, io.ErrUnexpectedEOF) || !r.resume() {
		return nil, r.lines.at(at), err
	}
	return nil, line, brokenRowError{err}
}

// open steps into the array of rows.
func (r *rows) open() error {
	r.dec.PeekKind() // reads the head
	names := r.lines.wrapped()
	if r.wrapped = names > 0; r.wrapped {
		if _, err := r.dec.ReadToken(); err != nil {
			return err
		}
		for range 2*names - 1 { // names, and the values of all but the last
			if err := r.dec.SkipValue(); err != nil {
				return err
			}
		}
	}
	if r.dec.PeekKind() != '[' {
		return nil
	}
	_, err := r.dec.ReadToken()
	r.inArray = true
	return err
}

// close steps out of the array of rows. It gives io.EOF when that was all.
func (r *rows) close() error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	if r.wrapped && !r.resumed {
		for r.dec.PeekKind() == '"' { // what stands beside the rows says something about them
			if err := errors.Join(r.dec.SkipValue(), r.dec.SkipValue()); err != nil {
				return err
			}
		}
		if _, err := r.dec.ReadToken(); err != nil {
			return err
		}
	}
	if r.resumed && r.wrapped {
		return io.EOF // the decoder has not seen what the array stands in
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more follows after the rows")
	}
	return io.EOF
}

// resume goes on after a row that cannot be read: with the next line that begins
// an object. It says whether there is one.
func (r *rows) resume() bool {
	begins := r.base + r.dec.InputOffset() + int64(leading(r.dec.UnreadBuffer()))
	r.lines.unread(r.dec.UnreadBuffer())
	at, found := r.lines.skip(r.base+r.dec.InputOffset(), begins)
	if !found {
		return false
	}
	r.base, r.resumed = at, true
	if r.inArray { // the decoder is to know that it is in one
		r.lines.unread([]byte{'['})
		r.base--
	}
	r.dec = newDecoder(r.lines)
	if r.inArray {
		_, err := r.dec.ReadToken()
		return err == nil
	}
	return true
}

// line is the line on which the value begins that was peeked at.
func (r *rows) line() int {
	before := r.base + r.dec.InputOffset()
	return r.lines.at(before + int64(leading(r.dec.UnreadBuffer())))
}

// leading counts what stands before a value.
func leading(b []byte) int {
	for i, c := range b {
		if !bytes.ContainsRune([]byte(" \t\r\n,"), rune(c)) {
			return i
		}
	}
	return len(b)
}

// strip takes out the fields that the server assigns, and leaves the rest as it
// is, right or wrong.
func (r *rows) strip(raw jsontext.Value) []byte {
	if len(r.assigned) == 0 || raw.Kind() != '{' {
		return slices.Clone(raw)
	}
	dec := newDecoder(bytes.NewReader(raw))
	if _, err := dec.ReadToken(); err != nil {
		return slices.Clone(raw)
	}
	out := []byte{'{'}
	for dec.PeekKind() == '"' {
		from := len(out)
		if from > 1 {
			out = append(out, ',')
		}
		name, err := dec.ReadValue()
		if err != nil {
			return slices.Clone(raw)
		}
		text, _ := jsontext.AppendUnquote(nil, name)
		out = append(append(out, name...), ':')
		value, err := dec.ReadValue()
		if err != nil {
			return slices.Clone(raw)
		}
		if out = append(out, value...); slices.Contains(r.assigned, string(text)) {
			out = out[:from]
		}
	}
	return append(out, '}')
}

// lineCounter turns offsets into lines, for offsets that grow.
type lineCounter struct {
	r    io.Reader
	back []byte  // read before, to be read again
	head []byte  // the first bytes, to see what the file is
	read int64   // bytes so far
	ends []int64 // of lines not yet passed
	line int     // lines passed
}

func (l *lineCounter) Read(b []byte) (int, error) {
	if len(l.back) > 0 {
		n := copy(b, l.back)
		l.back = l.back[n:]
		return n, nil
	}
	n, err := l.r.Read(b)
	if room := 4096 - len(l.head); room > 0 {
		l.head = append(l.head, b[:min(n, room)]...)
	}
	for i, c := range b[:n] {
		if c == '\n' {
			l.ends = append(l.ends, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// unread has bytes read again, before all others.
func (l *lineCounter) unread(b []byte) {
	l.back = slices.Concat(b, l.back)
}

// skip reads from an offset to the next line that begins an object, and that
// begins itself after another offset. It gives where that is.
func (l *lineCounter) skip(from, after int64) (at int64, found bool) {
	b := make([]byte, 4096)
	blank := false // so far, in this line
	for {
		n, err := l.Read(b)
		for i, c := range b[:n] {
			switch {
			case c == '\n':
				blank = from+int64(i) >= after
			case blank && c == '{':
				l.unread(b[i:n])
				return from + int64(i), true
			case !bytes.ContainsRune([]byte(" \t\r,"), rune(c)):
				blank = false
			}
		}
		from += int64(n)
		if err != nil {
			return from, false
		}
	}
}

func (l *lineCounter) at(offset int64) int {
	for len(l.ends) > 0 && l.ends[0] < offset {
		l.ends = l.ends[1:]
		l.line++
	}
	return l.line + 1
}

// wrapped says which member of an object, with which the file begins, is an
// array of objects; 0 when there is none.
func (l *lineCounter) wrapped() (member int) {
	dec := newDecoder(bytes.NewReader(l.head))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return 0
	}
	for member = 1; dec.PeekKind() == '"'; member++ {
		if err := dec.SkipValue(); err != nil {
			return 0
		}
		if dec.PeekKind() == '[' {
			_, err := dec.ReadToken()
			if kind := dec.PeekKind(); err == nil && (kind == '{' || kind == ']' && member == 1) {
				return member
			}
			return 0
		}
		if err := dec.SkipValue(); err != nil {
			return 0
		}
	}
	return 0
}
