package app

import (
	"errors"
	"io"
	"strings"
)

// Row is what the reader of import files makes of a row.
type Row struct {
	Text string // "" when it cannot be read
	Line int
}

// ReadRows reads an import file to its end, leaving out some fields. The error is
// nil when all of it was seen.
func ReadRows(file string, assigned ...string) (all []Row, err error) {
	r := newRows(strings.NewReader(file), assigned)
	var broken brokenRowError
	for {
		row, line, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case errors.As(err, &broken):
			all = append(all, Row{Line: line})
		case err != nil:
			return all, err
		default:
			all = append(all, Row{string(row), line})
		}
	}
}

// ModeOf is who may do what with these settings.
func ModeOf(c *Config) string {
	mode, _ := c.mode()
	return string(mode)
}

// OnThisMachine is whether a command takes the server of a data folder for one of
// this machine, whose certificate need not have its address as a name.
func OnThisMachine(base string) bool { return onThisMachine(base) }
