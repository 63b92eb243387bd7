package auctions_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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

// TestBidComesAfterItsItem has one process change a bid, and take it back, while
// another has the item: it waits for that, and holds nothing meanwhile.
func TestBidComesAfterItsItem(t *testing.T) {
	at, ok := testenv.Require(t, "postgres")
	if !ok {
		return
	}
	o := database.Options{URL: at, Database: dbtest.NewName(t, at, "auctions"), Name: "auctions", Migrations: auctions.Migrations()}
	here, there := dbtest.OpenWith(t, o), dbtest.OpenWith(t, o)
	s, err := auctions.New(auctions.Options{DB: here, Now: fixed})
	if err != nil {
		t.Fatal(err)
	}
	stock(t, s, 1, 1)
	b, err := s.PlaceBid(t.Context(), auctions.NewBid{Item: "item1", User: "user1", Value: "1"})
	if err != nil {
		t.Fatal(err)
	}
	item, bid := there.Prepare(`SELECT id FROM items FOR UPDATE`), there.Prepare(`SELECT id FROM bids FOR UPDATE NOWAIT`)
	waiting := there.Prepare(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	for _, act := range []func() error{
		func() error {
			_, err := s.ChangeBid(t.Context(), b.ID, auctions.BidChange{Value: market.Some("2")}, anyVersion)
			return err
		},
		func() error { return s.RemoveBid(t.Context(), b.ID, anyVersion) },
	} {
		acted := make(chan error, 1)
		err := there.Update(t.Context(), func(tx *database.Tx) error {
			if _, err := tx.Exec(item); err != nil {
				return err
			}
			go func() { acted <- act() }()
			for n := 0; n == 0; time.Sleep(time.Millisecond) {
				if err := waiting.QueryRow(t.Context()).Scan(&n); err != nil {
					return err
				}
			}
			_, err := tx.Exec(bid)
			return err
		})
		if err := errors.Join(err, <-acted); err != nil {
			t.Error(err)
		}
	}
}
