package auctions

import (
	"errors"

	"emporium/internal/platform/database"
)

// store is the service's SQL.
type store struct {
	db    *database.DB
	users userStatements
	items itemStatements
	bids  bidStatements
}

func newStore(db *database.DB) (*store, error) {
	s := &store{db: db, users: prepareUsers(db), items: prepareItems(db), bids: prepareBids(db)}
	return s, db.PrepareErr()
}

// orRefuse puts a refusal in the place of "no rows".
func orRefuse(err error, refusal func() error) error {
	if errors.Is(err, database.ErrNoRows) {
		return refusal()
	}
	return err
}
