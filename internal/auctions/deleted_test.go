package auctions_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"emporium/internal/auctions"
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

// deletable is a service of one process, with a way to end accounts in another.
func deletable(t *testing.T) (s *auctions.Service, end func(market.UserID)) {
	t.Helper()
	here, there := dbtest.OpenTwice(t, "auctions", auctions.Migrations())
	s, err := auctions.New(auctions.Options{DB: here, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	other, err := auctions.New(auctions.Options{DB: there, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s, func(user market.UserID) {
		err := there.Update(t.Context(), func(tx *database.Tx) error {
			return other.ForgetAccount(tx, market.AccountDeleted{User: user, At: market.At(time.Now())})
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A token holds for a while after its account was deleted: with it nobody comes
// back as a bidder.
func TestDeletedAccountGetsNoBidder(t *testing.T) {
	s, end := deletable(t)
	stock(t, s, 0, 1)
	end(7)
	ctx := market.WithIdentity(t.Context(), market.Identity{User: 7, Protected: true})
	if _, err := s.PlaceBid(ctx, auctions.NewBid{Item: "item1", Value: "1"}); market.KindOf(err) != market.Unauthenticated {
		t.Errorf("a deleted account bids: %v", err)
	}
	if _, err := s.AddUser(ctx, auctions.NewUser{Name: "Albert", Account: 7}); market.KindOf(err) != market.Unauthenticated {
		t.Errorf("a deleted account gets a bidder: %v", err)
	}
}

// Accounts bid for the first time, many at once, while they are deleted: what was
// recorded stays, and nobody's bidder is tied to an account that is gone.
func TestNoBidderOutlivesItsAccount(t *testing.T) {
	s, end := deletable(t)
	stock(t, s, 0, 1)
	var all sync.WaitGroup
	var mu sync.Mutex
	placed := 0
	for account := market.UserID(1); account <= 40; account++ {
		ctx := market.WithIdentity(t.Context(), market.Identity{User: account, Protected: true})
		for n := range 3 {
			all.Go(func() {
				_, err := s.PlaceBid(ctx, auctions.NewBid{Item: "item1", Value: fmt.Sprint(account*3 + market.UserID(n))})
				switch {
				case err == nil:
					mu.Lock()
					placed++
					mu.Unlock()
				case market.KindOf(err) != market.Unauthenticated:
					t.Error(err)
				}
			})
		}
		all.Go(func() { end(account) })
	}
	all.Wait()
	for u, err := range s.Users(t.Context(), market.Page{}) {
		if err != nil || u.Account != 0 || u.Name != "Deleted account" {
			t.Errorf("left is %+v %v", u, err)
		}
	}
	bids := 0
	for _, err := range s.Bids(t.Context(), market.Page{}) {
		if err != nil {
			t.Fatal(err)
		}
		bids++
	}
	if bids != placed {
		t.Errorf("%d bids stay of %d", bids, placed)
	}
	if err := fair(t.Context(), s, 1); err != nil {
		t.Error(err)
	}
}
