package billing

import (
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Delete acts as if an account was deleted.
func Delete(t testing.TB, s *Service, user market.UserID) {
	t.Helper()
	err := s.options.DB.Update(t.Context(), func(tx *database.Tx) error {
		return s.forgetAccount(tx, market.AccountDeleted{User: user, At: market.At(time.Now())})
	})
	if err != nil {
		t.Fatal(err)
	}
}
