package property

import (
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/events"
)

// Listen acts on what other services tell.
func (s *Service) Listen(l *events.Listener) {
	events.On(l, s.accountDeleted)
}

// accountDeleted takes away what the account offered. Its tokens may hold for a
// while longer, so it is also remembered: with them nothing new can be offered.
func (s *Service) accountDeleted(tx *database.Tx, e market.AccountDeleted) error {
	if err := s.store.markDeleted(tx, e.User, e.At); err != nil {
		return err
	}
	return s.store.deletePropertiesOf(tx, e.User)
}
