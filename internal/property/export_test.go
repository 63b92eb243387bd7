package property

import (
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Delete acts as if an account was deleted.
func Delete(t testing.TB, s *Service, user market.UserID) {
	t.Helper()
	err := s.db.Update(t.Context(), func(tx *database.Tx) error {
		return s.accountDeleted(tx, market.AccountDeleted{User: user, At: market.At(time.Now())})
	})
	if err != nil {
		t.Fatal(err)
	}
}
