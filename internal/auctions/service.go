package auctions

import (
	"fmt"
	"time"

	"emporium/internal/platform/database"
)

// Options are what the service needs from around it.
type Options struct {
	DB  *database.DB
	Now func() time.Time // when bids are placed
}

// Service is the use cases of the auctions.
type Service struct {
	db    *database.DB
	now   func() time.Time
	store *store
}

// New makes the service on its database.
func New(o Options) (*Service, error) {
	store, err := newStore(o.DB)
	if err != nil {
		return nil, fmt.Errorf("prepare auctions: %w", err)
	}
	return &Service{db: o.DB, now: o.Now, store: store}, nil
}
