package auctions_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"emporium/internal/auctions"
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/testenv"
)

// TestBidsTogether has good bids and such as cannot be placed come at once: each
// caller hears of its own alone.
func TestBidsTogether(t *testing.T) {
	const callers, rounds = 64, 6
	s := newService(t)
	stock(t, s, callers, 2)
	ctx := t.Context()
	var group sync.WaitGroup
	for n := range callers {
		group.Go(func() {
			for round := range rounds {
				bid := auctions.NewBid{Item: "item1", User: auctions.UserID(n + 1).String(), Value: strconv.Itoa(n%9 + 1)}
				var wrong []string
				if n%16 == 3 || n%16 == 7 {
					bid.Item = "item99"
					wrong = append(wrong, bid.Item)
				}
				if n%16 == 5 || n%16 == 7 {
					bid.User = "user999"
					wrong = append(wrong, bid.User)
				}
				if n%16 == 7 && round%2 == 0 {
					bid.Value = "-5"
					wrong = append(wrong, bid.Value)
				}
				b, err := s.PlaceBid(ctx, bid)
				if wrong == nil {
					stored, reading := s.Bid(ctx, b.ID)
					if err != nil || reading != nil || stored.ID != b.ID || stored.Seq != b.Seq || stored.User != auctions.UserID(n+1) || stored.Value != b.Value {
						t.Errorf("%+v was placed as %+v and is %+v: %v, %v", bid, b, stored, err, reading)
					}
					continue
				}
				refusal, ok := errors.AsType[*market.Error](err)
				if !ok || refusal.Kind != market.Invalid || len(refusal.Faults) != len(wrong) {
					t.Errorf("%+v: %v", bid, err)
					continue
				}
				for _, value := range wrong {
					if !slices.ContainsFunc(refusal.Faults, func(f market.Fault) bool { return strings.Contains(f.Message, value) }) {
						t.Errorf("%+v: %+v does not name %s", bid, refusal.Faults, value)
					}
				}
			}
		})
	}
	group.Wait()
	if err := fair(ctx, s, 1); err != nil {
		t.Error(err)
	}
	if bids := all(t, s.Bids(ctx, market.Page{})); len(bids) != callers*rounds*13/16 {
		t.Errorf("%d bids; want %d", len(bids), callers*rounds*13/16)
	}
}

// TestItemGoes takes an item away while it is bid on: a bid was there before, or
// is told that there is no such item; none is left.
func TestItemGoes(t *testing.T) {
	const callers, items = 32, 10
	s := newService(t)
	stock(t, s, callers, items)
	ctx := t.Context()
	for item := range auctions.ItemID(items) {
		id := item + 1
		var group sync.WaitGroup
		for n := range callers {
			group.Go(func() {
				if n == callers/2 {
					if err := s.RemoveItem(ctx, id, anyVersion); err != nil {
						t.Error(err)
					}
					return
				}
				_, err := s.PlaceBid(ctx, auctions.NewBid{Item: id.String(), User: auctions.UserID(n + 1).String(), Value: "5"})
				if err = unless(market.Invalid, err); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	if bids := all(t, s.Bids(ctx, market.Page{})); len(bids) != 0 {
		t.Errorf("%d bids outlived their items", len(bids))
	}
}

// TestBidsOfProcesses has two processes on one server bid on the same items: the
// places of an item's bids are 1, 2, 3, and so on, and the right one wins.
func TestBidsOfProcesses(t *testing.T) {
	at, ok := testenv.Require(t, "postgres")
	if !ok {
		return
	}
	const callers, rounds, items = 32, 10, 2
	o := database.Options{URL: at, Database: dbtest.NewName(t, at, "auctions"), Name: "auctions", Migrations: auctions.Migrations()}
	var processes []*auctions.Service
	for range 2 {
		s, err := auctions.New(auctions.Options{DB: dbtest.OpenWith(t, o), Now: fixed})
		if err != nil {
			t.Fatal(err)
		}
		processes = append(processes, s)
	}
	stock(t, processes[0], callers, items)
	var group sync.WaitGroup
	for n := range callers {
		group.Go(func() {
			for round := range rounds {
				bid := auctions.NewBid{Item: fmt.Sprint("item", (n/2+round)%items+1), User: auctions.UserID(n + 1).String(), Value: strconv.Itoa((n+round)%7 + 1)}
				if _, err := processes[n%2].PlaceBid(t.Context(), bid); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	next := map[auctions.ItemID][]int64{}
	for _, b := range all(t, processes[0].Bids(t.Context(), market.Page{})) {
		next[b.Item] = append(next[b.Item], b.Seq)
	}
	for item := range auctions.ItemID(items) {
		slices.Sort(next[item+1])
		if got := next[item+1]; !slices.Equal(got, sequence(callers*rounds/items)) {
			t.Errorf("the places in %s are %v", item+1, got)
		}
		if err := fair(t.Context(), processes[1], item+1); err != nil {
			t.Error(err)
		}
	}
}
