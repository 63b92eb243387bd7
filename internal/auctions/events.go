package auctions

import (
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/events"
)

// Listen declares what the service does when others tell it something.
func (s *Service) Listen(l *events.Listener) {
	events.On(l, s.ForgetAccount)
}

// ForgetAccount takes the name from the bidder of a deleted account, and the
// tie between them. Its bids stay. Its tokens may hold for a while longer, so it
// is also remembered: with them no new bidder is made. Hearing of it again
// changes nothing.
func (s *Service) ForgetAccount(tx *database.Tx, e market.AccountDeleted) error {
	if err := s.store.markDeleted(tx, e.User, e.At); err != nil {
		return err
	}
	return s.store.forgetAccount(tx, e.User)
}
