package app

import (
	"bytes"
	"encoding/json"
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
	lines    *lineCounter
	assigned []string
	started  bool
	inArray  bool
}

func newRows(r io.Reader, assigned []string) *rows {
	lines := &lineCounter{r: r}
	return &rows{dec: jsontext.NewDecoder(lines), lines: lines, assigned: assigned}
}

// next gives the next row and the line on which it begins; io.EOF at the end.
// Any other error is final: the file is broken at that line.
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
		return nil, line, io.EOF
	}
	raw, err := r.dec.ReadValue()
	if err != nil {
		if errors.Is(err, io.EOF) && !r.inArray {
			return nil, line, io.EOF
		}
		if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			line, err = r.lines.at(syntax.ByteOffset), syntax.Err
		}
		return nil, line, fmt.Errorf("the file is not valid JSON here: %w", err)
	}
	return r.strip(raw), line, nil
}

// open steps into the array of rows.
func (r *rows) open() error {
	for {
		switch r.dec.PeekKind() {
		case '[':
			_, err := r.dec.ReadToken()
			r.inArray = true
			return err
		case '{':
			// A row, or the object around the rows: {"users": [ … tells.
			if !r.lines.looksWrapped() {
				return nil
			}
			for range 2 { // the brace and the name
				if _, err := r.dec.ReadToken(); err != nil {
					return err
				}
			}
		default:
			return nil
		}
	}
}

// line is the line on which the value begins that was peeked at.
func (r *rows) line() int {
	before := r.dec.InputOffset()
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

// strip takes out the fields that the server assigns.
func (r *rows) strip(raw jsontext.Value) []byte {
	if len(r.assigned) == 0 || raw.Kind() != '{' {
		return slices.Clone(raw)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return slices.Clone(raw)
	}
	found := false
	for _, name := range r.assigned {
		if _, has := fields[name]; has {
			found = true
			delete(fields, name)
		}
	}
	if !found {
		return slices.Clone(raw)
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return slices.Clone(raw)
	}
	return out
}

// lineCounter turns offsets into lines, for offsets that grow.
type lineCounter struct {
	r     io.Reader
	head  []byte  // the first bytes, to see what the file is
	read  int64   // bytes so far
	ends  []int64 // of lines not yet passed
	line  int     // lines passed
	total func(read int64)
}

func (l *lineCounter) Read(b []byte) (int, error) {
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
	if l.total != nil {
		l.total(l.read)
	}
	return n, err
}

func (l *lineCounter) at(offset int64) int {
	for len(l.ends) > 0 && l.ends[0] < offset {
		l.ends = l.ends[1:]
		l.line++
	}
	return l.line + 1
}

// looksWrapped says whether the file begins with an object whose first member
// is an array of objects.
func (l *lineCounter) looksWrapped() bool {
	dec := jsontext.NewDecoder(bytes.NewReader(l.head))
	for _, want := range []jsontext.Kind{'{', '"', '['} {
		token, err := dec.ReadToken()
		if err != nil || token.Kind() != want {
			return false
		}
	}
	k := dec.PeekKind()
	return k == '{' || k == ']'
}
