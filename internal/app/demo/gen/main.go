// Command gen shrinks movies.json of the npm package vega-datasets to what the
// demo shows of a film, and mends what is known to be wrong in it. From the
// folder above:
//
//	npm pack vega-datasets@3.2.1 && tar xzf vega-datasets-3.2.1.tgz
//	go run ./gen package/data/movies.json films.csv.gz
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"
)

// source is a film as the package has it; what may be null is a pointer.
type source struct {
	Title       any      `json:"Title"` // a number for films like 1776
	Released    string   `json:"Release Date"`
	Rating      string   `json:"MPAA Rating"`
	Minutes     *int     `json:"Running Time min"`
	Distributor string   `json:"Distributor"`
	After       string   `json:"Source"`
	Genre       string   `json:"Major Genre"`
	Kind        string   `json:"Creative Type"`
	Director    string   `json:"Director"`
	Tomatoes    *int     `json:"Rotten Tomatoes Rating"`
	IMDB        *float64 `json:"IMDB Rating"`
}

// newest is the last year of the data: its dates were written with two digits
// of the year, and 1915 became 2015.
const newest = 2011

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: gen movies.json films.csv.gz")
	}
	if err := shrink(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func shrink(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var sources []source
	if err := json.Unmarshal(raw, &sources); err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	var rows [][]string
	for _, s := range sources {
		row, err := s.row()
		if err != nil {
			return err
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Or(cmp.Compare(a[1], b[1]), cmp.Compare(a[0], b[0])) })
	packed, err := pack(rows)
	if err != nil {
		return err
	}
	log.Printf("%d films, %d bytes", len(rows), len(packed))
	return os.WriteFile(to, packed, 0o644)
}

// row gives the columns that package demo reads, or nil for a film without a title.
func (s source) row() ([]string, error) {
	title := ""
	switch t := s.Title.(type) {
	case string:
		title = t
	case float64:
		title = strconv.FormatFloat(t, 'f', -1, 64)
	case nil:
		return nil, nil
	}
	if front, found := strings.CutSuffix(title, ", The"); found {
		title = "The " + front
	}
	day, err := time.Parse("Jan 02 2006", s.Released)
	if err != nil {
		return nil, fmt.Errorf("date of %q: %w", title, err)
	}
	if day.Year() > newest {
		day = day.AddDate(-100, 0, 0)
	}
	minutes, tomatoes, imdb := "", "", ""
	if s.Minutes != nil {
		minutes = strconv.Itoa(*s.Minutes)
	}
	if s.Tomatoes != nil {
		tomatoes = strconv.Itoa(*s.Tomatoes)
	}
	if s.IMDB != nil {
		imdb = strconv.FormatFloat(*s.IMDB, 'f', 1, 64)
	}
	return []string{
		mend(title), day.Format(time.DateOnly), s.Rating, minutes, mend(s.Distributor),
		s.After, s.Genre, s.Kind, mend(s.Director), tomatoes, imdb,
	}, nil
}

// mend undoes a conversion that took Windows' characters for a Macintosh's
// (LÈon is Léon), and takes out doubled spaces.
func mend(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	old, err := charmap.Macintosh.NewEncoder().String(s)
	if err != nil {
		return s // Alien³: a character that no Macintosh had was not converted
	}
	mended, err := charmap.Windows1252.NewDecoder().String(old)
	if err != nil {
		return s
	}
	return mended
}

func pack(rows [][]string) ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if err := csv.NewWriter(zip).WriteAll(rows); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
