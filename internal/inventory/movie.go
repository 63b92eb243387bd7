// Package inventory keeps the movies of the streaming platform.
package inventory

import (
	"embed"
	"io/fs"

	"emporium/internal/market"
)

//go:embed migrations
var files embed.FS

// Migrations make the service's tables: a folder for each engine.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Movie is one film of the catalogue.
type Movie struct {
	ID          int64
	Title       string
	Description *string
	Version     int64
}

// Bounds of the texts, in bytes: far above any real title, far below what would
// make a list hard to read.
const (
	maxTitle       = 1000
	maxDescription = 100_000
)

// Change is what a caller asks a movie to become. A field that is not set
// stays.
type Change struct {
	ID          market.Opt[int64] // read-only: may only repeat what is stored
	Title       market.Opt[string]
	Description market.Opt[string]
}

// apply gives the movie as it would be, or every fault of the change.
func (c Change) apply(m Movie) (Movie, error) {
	var faults market.Faults
	if c.ID.Set && c.ID.Value != m.ID {
		faults.Add("body.id", c.ID.Value, "id is read-only; it is %d", m.ID)
	}
	if c.Title.Set {
		m.Title = c.Title.Value
	}
	m.Description = c.Description.Or(m.Description)
	switch {
	case m.Title == "":
		faults.Add("body.title", nil, "title must not be empty")
	case len(m.Title) > maxTitle:
		faults.Add("body.title", nil, "title may have at most %d bytes; it has %d", maxTitle, len(m.Title))
	}
	if m.Description != nil && len(*m.Description) > maxDescription {
		faults.Add("body.description", nil, "description may have at most %d bytes; it has %d", maxDescription, len(*m.Description))
	}
	return m, faults.Err("invalid_movie")
}
