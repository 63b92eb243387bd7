package demo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// Kind is what a file to import holds.
type Kind string

// The kinds of files that `emporium import` reads.
const (
	Movies    Kind = "movies"
	Coupons   Kind = "coupons"
	Products  Kind = "products"
	Users     Kind = "users"
	Purchases Kind = "purchases"
)

// Kinds are all of them, those that others refer to first.
var Kinds = []Kind{Movies, Coupons, Products, Users, Purchases}

// WriteFile writes what there is of a kind as a file to import: a JSON array
// with one object on each line.
func (d *Data) WriteFile(w io.Writer, k Kind) error {
	switch k {
	case Movies:
		return writeLines(w, d.Films())
	case Coupons:
		return writeLines(w, d.Coupons())
	case Products:
		return writeLines(w, d.Products())
	case Users:
		return writeLines(w, d.Customers())
	case Purchases:
		return writeLines(w, d.Purchases())
	}
	return fmt.Errorf("there is no file of %q: one of %v", k, Kinds)
}

func writeLines[T any](to io.Writer, things iter.Seq[T]) error {
	w := bufio.NewWriter(to)
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // so that faces and names stay readable
	separator := "[\n"
	for thing := range things {
		line.Reset()
		if err := encoder.Encode(thing); err != nil {
			return fmt.Errorf("write %T: %w", thing, err)
		}
		if _, err := fmt.Fprintf(w, "%s%s", separator, bytes.TrimSuffix(line.Bytes(), []byte("\n"))); err != nil {
			return err
		}
		separator = ",\n"
	}
	if _, err := w.WriteString("\n]\n"); err != nil {
		return err
	}
	return w.Flush()
}
