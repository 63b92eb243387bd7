package inventory

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const columns = `id, title, description, version`

// store is the service's SQL.
type store struct {
	db                                    *database.DB
	get, hold, insert, update, del, clear *database.Stmt
}

func newStore(db *database.DB) (*store, error) {
	s := &store{
		db:     db,
		get:    db.Prepare(`SELECT ` + columns + ` FROM movies WHERE id = $1`),
		hold:   db.PrepareForUpdate(`SELECT ` + columns + ` FROM movies WHERE id = $1`),
		insert: db.Prepare(`INSERT INTO movies (title, description, title_key) VALUES ($1, $2, $3) RETURNING id, version`),
		update: db.Prepare(`UPDATE movies SET title = $1, description = $2, title_key = $3, version = version + 1 WHERE id = $4 AND version = $5 RETURNING ` + columns),
		del:    db.Prepare(`DELETE FROM movies WHERE id = $1 AND version = $2`),
		clear:  db.Prepare(`DELETE FROM movies`),
	}
	return s, db.PrepareErr()
}

func scanMovie(row database.Row) (m Movie, err error) {
	err = row.Scan(&m.ID, &m.Title, &m.Description, &m.Version)
	return m, err
}

// found says in the service's words that there is no such movie.
func found(m Movie, err error, id int64) (Movie, error) {
	if errors.Is(err, database.ErrNoRows) {
		return m, market.Refuse(market.NotFound, "unknown_movie", "no movie has the id %d", id)
	}
	return m, err
}

func (s *store) selectMovie(ctx context.Context, id int64) (Movie, error) {
	m, err := scanMovie(s.get.QueryRow(ctx, id))
	return found(m, err, id)
}

// selectMovieForUpdate reads a movie and holds it until the change ends.
func (s *store) selectMovieForUpdate(tx *database.Tx, id int64) (Movie, error) {
	m, err := scanMovie(tx.QueryRow(s.hold, id))
	return found(m, err, id)
}

// selectMovies reads the movies after an id whose titles contain a folded text.
func (s *store) selectMovies(ctx context.Context, titleKey string, after int64, limit int) ([]Movie, error) {
	var f database.Filter
	f.And("id > ?", after)
	if titleKey != "" {
		f.And(`title_key LIKE ? ESCAPE '\'`, database.Contains(titleKey))
	}
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM movies`+f.Where()+` ORDER BY id LIMIT `+f.Arg(limit), f.Args()...)
	return database.All(rows, err, scanMovie)
}

// insertMovie gives m its id and version, which are there after the change.
func (s *store) insertMovie(tx *database.Tx, m *Movie, titleKey string) error {
	return tx.QueryRowLater(s.insert, m.Title, m.Description, titleKey).Scan(&m.ID, &m.Version)
}

func (s *store) updateMovie(tx *database.Tx, m Movie, titleKey string) (Movie, error) {
	return scanMovie(tx.QueryRow(s.update, m.Title, m.Description, titleKey, m.ID, m.Version))
}

func (s *store) deleteMovie(tx *database.Tx, m Movie) error {
	_, err := tx.Exec(s.del, m.ID, m.Version)
	return err
}

func (s *store) deleteMovies(tx *database.Tx) error {
	_, err := tx.Exec(s.clear)
	return err
}
