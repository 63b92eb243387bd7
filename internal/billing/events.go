package billing

import (
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/events"
)

// Listen acts on what other services tell.
func (s *Service) Listen(l *events.Listener) {
	events.On(l, s.forgetAccount)
}

// forgetAccount takes the account's number from its orders, which stay for the
// books, and remembers it: some may still wait in the queue. In open mode a
// user_id is any text that somebody sent, and no account's.
func (s *Service) forgetAccount(tx *database.Tx, e market.AccountDeleted) error {
	if !s.options.Protected {
		return nil
	}
	return s.store.forgetAccount(tx, e.User, e.At)
}
