package inventory

import (
	"context"
	"fmt"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Service is the catalogue's use cases.
type Service struct {
	db    *database.DB
	store *store
}

// New makes the service on its database.
func New(db *database.DB) (*Service, error) {
	store, err := newStore(db)
	if err != nil {
		return nil, fmt.Errorf("prepare inventory: %w", err)
	}
	return &Service{db: db, store: store}, nil
}

// Movie gives one movie; NotFound when there is none of that id.
func (s *Service) Movie(ctx context.Context, id int64) (Movie, error) {
	return s.store.selectMovie(ctx, id)
}

// Movies walks the movies in id order whose titles contain a text, whatever its
// case; an empty text is in every title.
func (s *Service) Movies(ctx context.Context, title string, page market.Page) iter.Seq2[Movie, error] {
	key := database.Fold(title)
	return market.Chunks(page, func(m Movie) int64 { return m.ID }, func(after int64, limit int) ([]Movie, error) {
		return s.store.selectMovies(ctx, key, after, limit)
	})
}

// AddMovie puts a movie into the catalogue.
func (s *Service) AddMovie(ctx context.Context, c Change) (Movie, error) {
	m, err := c.apply(Movie{})
	if err != nil {
		return Movie{}, err
	}
	key := database.Fold(m.Title)
	added, err := database.Once(ctx, s.db, func(tx *database.Tx) (*Movie, error) {
		return &m, s.store.insertMovie(tx, &m, key)
	})
	if err != nil {
		return Movie{}, err
	}
	return *added, nil
}

// AddMovies puts movies into the catalogue in one transaction, all or none. Other
// changes wait meanwhile: some hundred at a time are right.
func (s *Service) AddMovies(ctx context.Context, changes []Change) error {
	movies, keys := make([]Movie, len(changes)), make([]string, len(changes))
	for i, c := range changes {
		var err error
		if movies[i], err = c.apply(Movie{}); err != nil {
			return fmt.Errorf("movie %d of %d: %w", i+1, len(changes), err)
		}
		keys[i] = database.Fold(movies[i].Title)
	}
	return s.db.Update(ctx, func(tx *database.Tx) error {
		for i := range movies {
			if err := s.store.insertMovie(tx, &movies[i], keys[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// ChangeMovie changes the fields that are set.
func (s *Service) ChangeMovie(ctx context.Context, id int64, c Change, match market.IfMatch) (Movie, error) {
	var changed Movie
	key := database.Fold(c.Title.Value)
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		m, err := s.store.selectMovieForUpdate(tx, id)
		if err != nil {
			return err
		}
		if m, err = c.apply(m); err != nil {
			return err
		}
		if err := match.Check(m.Version); err != nil {
			return err
		}
		if !c.Title.Set {
			key = database.Fold(m.Title)
		}
		changed, err = s.store.updateMovie(tx, m, key)
		return err
	})
	return changed, err
}

// RemoveMovie takes a movie out of the catalogue.
func (s *Service) RemoveMovie(ctx context.Context, id int64, match market.IfMatch) error {
	return s.db.Update(ctx, func(tx *database.Tx) error {
		m, err := s.store.selectMovieForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := match.Check(m.Version); err != nil {
			return err
		}
		return s.store.deleteMovie(tx, m)
	})
}

// RemoveMovies empties the catalogue. Ids go on from where they were.
func (s *Service) RemoveMovies(ctx context.Context) error {
	return s.db.Update(ctx, s.store.deleteMovies)
}
