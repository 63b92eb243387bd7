package auctions_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"emporium/internal/auctions"
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/events"
)

var anyVersion market.IfMatch

// all reads a walk to its end.
func all[T any](t testing.TB, walk func(yield func(T, error) bool)) []T {
	t.Helper()
	var rows []T
	for row, err := range walk {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// stock adds bidders and items.
func stock(t testing.TB, s *auctions.Service, users, items int) {
	t.Helper()
	if _, err := s.AddUsers(t.Context(), times(users, auctions.NewUser{Name: "Bidder"})); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddItems(t.Context(), times(items, auctions.NewItem{Name: "Item"})); err != nil {
		t.Fatal(err)
	}
}

// fair says what is wrong with an item: its stored winner must be the one that
// the rule gives, and its bids those that there are.
func fair(ctx context.Context, s *auctions.Service, id auctions.ItemID) error {
	i, err := s.Item(ctx, id)
	if err != nil {
		return err
	}
	whole, bids, err := s.ItemAndBids(ctx, id)
	if err != nil {
		return err
	}
	var ranked []auctions.Bid
	for _, b := range bids {
		full, err := s.Bid(ctx, b.ID)
		if err != nil {
			return err
		}
		if full.Item != id || full.Value != b.Value || full.User != b.User {
			return fmt.Errorf("%s of %s is shown as %+v and is %+v", b.ID, id, b, full)
		}
		ranked = append(ranked, full)
	}
	want := auctions.Winner(ranked)
	if show(i.Winning) != show(want) || show(whole.Winning) != show(want) {
		return fmt.Errorf("%s is won by %s; want %s", id, show(i.Winning), show(want))
	}
	if len(i.Bids) != len(bids) {
		return fmt.Errorf("%s shows %d bids and has %d", id, len(i.Bids), len(bids))
	}
	return nil
}

func show(id *auctions.BidID) string {
	if id == nil {
		return "nobody"
	}
	return id.String()
}

// TestBidsRace has many callers place, change and delete bids on one item, and
// its bidders go, while others read it.
func TestBidsRace(t *testing.T) {
	const callers, rounds = 64, 6
	s := newService(t)
	stock(t, s, callers, 1)
	ctx := t.Context()
	var mu sync.Mutex
	var placed []auctions.BidID
	each := func(act func(n int, r *rand.Rand) error) {
		t.Helper()
		var group sync.WaitGroup
		for n := range callers {
			group.Go(func() {
				r := rand.New(rand.NewPCG(1, uint64(n)))
				for range rounds {
					if err := act(n, r); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if err := fair(ctx, s, 1); err != nil {
			t.Fatal(err)
		}
	}
	place := func(n int, r *rand.Rand) error {
		b, err := s.PlaceBid(ctx, auctions.NewBid{Item: "item1", User: auctions.UserID(n + 1).String(), Value: strconv.Itoa(1 + r.IntN(9))})
		mu.Lock()
		defer mu.Unlock()
		placed = append(placed, b.ID)
		return err
	}
	some := func(r *rand.Rand) auctions.BidID {
		mu.Lock()
		defer mu.Unlock()
		return placed[r.IntN(len(placed))]
	}
	change := func(_ int, r *rand.Rand) error {
		_, err := s.ChangeBid(ctx, some(r), auctions.BidChange{Value: market.Some(strconv.Itoa(1 + r.IntN(9)))}, anyVersion)
		return unless(market.NotFound, err)
	}
	remove := func(_ int, r *rand.Rand) error {
		return unless(market.NotFound, s.RemoveBid(ctx, some(r), anyVersion))
	}
	read := func(int, *rand.Rand) error {
		i, bids, err := s.ItemAndBids(ctx, 1)
		if err != nil {
			return err
		}
		// What one answer shows is of one moment.
		best := market.Money(0)
		for _, b := range bids {
			best = max(best, b.Value)
		}
		for _, b := range bids {
			if i.Winning != nil && b.ID == *i.Winning && b.Value != best {
				return fmt.Errorf("%s wins with %s against %s", b.ID, b.Value, best)
			}
		}
		return nil
	}
	each(place)
	if bids := all(t, s.Bids(ctx, market.Page{})); len(bids) != callers*rounds {
		t.Fatalf("%d bids; want %d", len(bids), callers*rounds)
	}
	each(change)
	each(func(n int, r *rand.Rand) error {
		return []func(int, *rand.Rand) error{place, change, remove, read}[n%4](n, r)
	})
	each(remove)
	// Half of the bidders go; those of them who meanwhile bid are refused.
	each(func(n int, r *rand.Rand) error {
		if n%2 == 0 {
			return unless(market.NotFound, s.RemoveUser(ctx, auctions.UserID(n+1), anyVersion))
		}
		_, err := s.PlaceBid(ctx, auctions.NewBid{Item: "item1", User: auctions.UserID(n).String(), Value: "9"})
		return unless(market.Invalid, err)
	})
	for _, b := range all(t, s.Bids(ctx, market.Page{})) {
		if b.User%2 == 1 {
			t.Fatalf("%s outlived its bidder %s", b.ID, b.User)
		}
	}
}

// unless lets a kind of refusal pass.
func unless(kind market.Kind, err error) error {
	if market.KindOf(err) == kind {
		return nil
	}
	return err
}

// TestHistory does what comes, one after the other, and holds every item against
// a book kept by hand after each step.
func TestHistory(t *testing.T) {
	s := newService(t)
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		users, err := s.AddUsers(ctx, times(3, auctions.NewUser{Name: "Bidder"}))
		if err != nil {
			rt.Fatal(err)
		}
		items, err := s.AddItems(ctx, times(2, auctions.NewItem{Name: "Item"}))
		if err != nil {
			rt.Fatal(err)
		}
		var book []auctions.Bid // what there should be; Seq is the step it counts from
		step := int64(0)
		user := func() auctions.UserID { return rapid.SampledFrom(users).Draw(rt, "user").ID }
		value := func() market.Money { return market.Money(rapid.Int64Range(1, 4).Draw(rt, "value")) }
		which := func() int {
			if len(book) == 0 {
				rt.Skip("there is no bid")
			}
			return rapid.IntRange(0, len(book)-1).Draw(rt, "bid")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				step++
				for _, item := range items {
					mine := slices.DeleteFunc(slices.Clone(book), func(b auctions.Bid) bool { return b.Item != item.ID })
					got, err := s.Item(ctx, item.ID)
					if err != nil {
						rt.Fatal(err)
					}
					if show(got.Winning) != show(auctions.Winner(mine)) || len(got.Bids) != len(mine) {
						rt.Fatalf("%s: won by %s with %d bids; want %s with %d", item.ID, show(got.Winning), len(got.Bids), show(auctions.Winner(mine)), len(mine))
					}
				}
			},
			"place": func(rt *rapid.T) {
				b := auctions.Bid{Item: rapid.SampledFrom(items).Draw(rt, "item").ID, User: user(), Value: value(), Seq: step}
				placed, err := s.PlaceBid(ctx, auctions.NewBid{Item: b.Item.String(), User: b.User.String(), Value: b.Value.String()})
				if err != nil {
					rt.Fatal(err)
				}
				b.ID = placed.ID
				book = append(book, b)
			},
			"change the value": func(rt *rapid.T) {
				b := &book[which()]
				if v := value(); v != b.Value {
					b.Value, b.Seq = v, step
				}
				if _, err := s.ChangeBid(ctx, b.ID, auctions.BidChange{Value: market.Some(b.Value.String())}, anyVersion); err != nil {
					rt.Fatal(err)
				}
			},
			"change the user": func(rt *rapid.T) {
				b := &book[which()]
				b.User = user()
				if _, err := s.ChangeBid(ctx, b.ID, auctions.BidChange{User: market.Some(b.User.String())}, anyVersion); err != nil {
					rt.Fatal(err)
				}
			},
			"delete": func(rt *rapid.T) {
				n := which()
				if err := s.RemoveBid(ctx, book[n].ID, anyVersion); err != nil {
					rt.Fatal(err)
				}
				book = slices.Delete(book, n, n+1)
			},
			"delete a user": func(rt *rapid.T) {
				n := rapid.IntRange(0, len(users)-1).Draw(rt, "which")
				gone := users[n].ID
				if err := s.RemoveUser(ctx, gone, anyVersion); err != nil {
					rt.Fatal(err)
				}
				more, err := s.AddUsers(ctx, times(1, auctions.NewUser{Name: "Another"}))
				if err != nil {
					rt.Fatal(err)
				}
				users[n] = more[0]
				book = slices.DeleteFunc(book, func(b auctions.Bid) bool { return b.User == gone })
			},
		})
	})
}

// times repeats a value.
func times[T any](n int, v T) []T { return slices.Repeat([]T{v}, n) }

// TestVersions: an item's version changes with everything that is shown of it,
// and with nothing else.
func TestVersions(t *testing.T) {
	s := newService(t)
	stock(t, s, 2, 1)
	ctx := t.Context()
	last := int64(1)
	check := func(what string, changes bool, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		i, err := s.Item(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if (i.Version != last) != changes {
			t.Errorf("%s: version %d after %d", what, i.Version, last)
		}
		last = i.Version
	}
	for range 3 {
		_, err := s.PlaceBid(ctx, auctions.NewBid{Item: "item1", User: "user1", Value: "5"})
		check("place", true, err)
	}
	_, err := s.ChangeBid(ctx, 3, auctions.BidChange{Value: market.Some("6")}, anyVersion)
	check("change a value", true, err)
	_, err = s.ChangeBid(ctx, 3, auctions.BidChange{Value: market.Some("6.0")}, anyVersion)
	check("change to the same value", false, err)
	_, err = s.ChangeBid(ctx, 3, auctions.BidChange{User: market.Some("user2")}, anyVersion)
	check("change a user", true, err)
	check("delete a bid", true, s.RemoveBid(ctx, 2, anyVersion))
	_, err = s.ChangeUser(ctx, 1, auctions.UserChange{Name: "Albert"}, anyVersion)
	check("rename a user", false, err)
	check("delete a user", true, s.RemoveUser(ctx, 2, anyVersion))
	_, err = s.ChangeItem(ctx, 1, auctions.ItemChange{Name: market.Some("Lute")}, anyVersion)
	check("rename", true, err)
	_, err = s.ChangeItem(ctx, 1, auctions.ItemChange{Name: market.Some("Lute")}, anyVersion)
	check("rename to the same", false, err)
}

// TestManyBids: items with very many bids end a chunk early, and none is left
// out.
func TestManyBids(t *testing.T) {
	const each = 11_000
	s := newService(t)
	stock(t, s, 1, 6)
	for _, item := range []string{"item2", "item3", "item5"} {
		if _, err := s.PlaceBids(t.Context(), times(each, auctions.NewBid{Item: item, User: "user1", Value: "1"})); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{0, 2, 5, 6, 100} {
		want := []int{0, each, each, 0, each, 0}
		if limit > 0 {
			want = want[:min(limit, len(want))]
		}
		var got []int
		for _, i := range all(t, s.Items(t.Context(), market.Page{Limit: limit})) {
			got = append(got, len(i.Bids))
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: items with %v bids; want %v", limit, got, want)
		}
	}
}

// TestBatches: many are added all or none.
func TestBatches(t *testing.T) {
	s := newService(t)
	ctx := t.Context()
	if _, err := s.AddUsers(ctx, []auctions.NewUser{{Name: "Albert", Account: 7}, {Name: "Berta", Account: 7}}); market.KindOf(err) != market.Conflict {
		t.Errorf("two bidders of one account: %v", err)
	}
	if _, err := s.AddItems(ctx, []auctions.NewItem{{Name: "Lute"}, {}}); market.KindOf(err) != market.Invalid {
		t.Errorf("an item without a name: %v", err)
	}
	stock(t, s, 1, 1)
	if _, err := s.PlaceBids(ctx, []auctions.NewBid{{Item: "item1", User: "user1", Value: "5"}, {Item: "item1", User: "user9", Value: "5"}}); market.KindOf(err) != market.Invalid {
		t.Errorf("a bid of nobody: %v", err)
	}
	if users, items, bids := all(t, s.Users(ctx, market.Page{})), all(t, s.Items(ctx, market.Page{})), all(t, s.Bids(ctx, market.Page{})); len(users) != 1 || len(items) != 1 || len(bids) != 0 {
		t.Errorf("%d users, %d items, %d bids; want 1, 1, 0", len(users), len(items), len(bids))
	}
}

// TestOnce has many callers repeat one request: its bid is there once, and every
// one of them reads it.
func TestOnce(t *testing.T) {
	s := newService(t)
	stock(t, s, 1, 1)
	bid := auctions.NewBid{Item: "item1", User: "user1", Value: "5"}
	ctx := market.WithOnceKey(t.Context(), market.OnceKey{Key: "k", Caller: "anyone", Operation: "place-bid", Body: []byte("x")})
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			if b, err := s.PlaceBid(ctx, bid); err != nil || b.ID != 1 || b.Value != 500 || b.User != 1 || b.Item != 1 {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
	group.Wait()
	if err := s.RemoveBid(t.Context(), 1, anyVersion); err != nil {
		t.Fatal(err)
	}
	if b, err := s.PlaceBid(ctx, bid); err != nil || b.ID != 1 {
		t.Errorf("a repeat after the bid was deleted: %+v, %v", b, err)
	}
	other := market.WithOnceKey(t.Context(), market.OnceKey{Key: "k", Caller: "anyone", Operation: "place-bid", Body: []byte("y")})
	if _, err := s.PlaceBid(other, bid); market.KindOf(err) != market.Conflict {
		t.Errorf("the same key with another body: %v", err)
	}
	if bids := all(t, s.Bids(t.Context(), market.Page{})); len(bids) != 0 {
		t.Errorf("%d bids; want none", len(bids))
	}
}

// TestForgetAccount: the bids of a deleted account stay, and its name goes.
func TestForgetAccount(t *testing.T) {
	db := dbtest.Open(t, "auctions", auctions.Migrations())
	s, err := auctions.New(auctions.Options{DB: db, Now: fixed})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := s.AddUsers(ctx, []auctions.NewUser{{Name: "Albert", Account: 7}, {Name: "Berta", Account: 8}, {Name: "Chris"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddItems(ctx, []auctions.NewItem{{Name: "Lute"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PlaceBid(ctx, auctions.NewBid{Item: "item1", User: "user1", Value: "5"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Update(ctx, func(tx *database.Tx) error {
			return s.ForgetAccount(tx, market.AccountDeleted{User: 7})
		}); err != nil {
			t.Fatal(err)
		}
	}
	want := []auctions.User{
		{ID: 1, Name: "Deleted account", Version: 2},
		{ID: 2, Name: "Berta", Account: 8, Version: 1},
		{ID: 3, Name: "Chris", Version: 1},
	}
	if got := all(t, s.Users(ctx, market.Page{})); !slices.Equal(got, want) {
		t.Errorf("%+v; want %+v", got, want)
	}
	if b, err := s.Bid(ctx, 1); err != nil || b.User != 1 {
		t.Errorf("%+v, %v", b, err)
	}
	listener, err := events.NewListener(events.ListenerOptions{Service: "auctions", DB: db, Now: fixed})
	if err != nil {
		t.Fatal(err)
	}
	s.Listen(listener)
	if got := listener.Events(); !slices.Equal(got, []string{"account_deleted.v1"}) {
		t.Errorf("it listens to %v", got)
	}
}

// TestGone: a caller who has gone changes nothing.
func TestGone(t *testing.T) {
	s := newService(t)
	stock(t, s, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.PlaceBid(ctx, auctions.NewBid{Item: "item1", User: "user1", Value: "5"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled bid: %v", err)
	}
	if bids := all(t, s.Bids(t.Context(), market.Page{})); len(bids) != 0 {
		t.Errorf("%d bids; want none", len(bids))
	}
}

// TestFirstBids has one account place its first bids at once, in protected mode:
// one bidder is made for it, whose all of them are.
func TestFirstBids(t *testing.T) {
	s := newService(t)
	item, err := s.AddItem(t.Context(), auctions.NewItem{Name: "Violin"})
	if err != nil {
		t.Fatal(err)
	}
	as := func(user market.UserID) context.Context {
		return market.WithIdentity(t.Context(), market.Identity{User: user, Protected: true})
	}
	const callers = 32
	bids := make(chan auctions.Bid, callers)
	var bidding sync.WaitGroup
	for n := range callers {
		bidding.Go(func() {
			b, err := s.PlaceBid(as(market.UserID(7+n%2)), auctions.NewBid{Item: item.ID.String(), Value: strconv.Itoa(n + 1)})
			if err != nil {
				t.Error(err)
			}
			bids <- b
		})
	}
	bidding.Wait()
	close(bids)
	whose := map[auctions.UserID]int{}
	for b := range bids {
		whose[b.User]++
	}
	if len(whose) != 2 {
		t.Fatalf("the bids of two accounts have the bidders %v", whose)
	}
	for id, n := range whose {
		u, err := s.User(t.Context(), id)
		if err != nil || n != callers/2 || u.Name != "Bidder "+strings.TrimPrefix(id.String(), "user") {
			t.Errorf("%v has %d bids, %v", u, n, err)
		}
		own := market.UserID(7)
		if u.Account == own {
			own = 8
		}
		// Another's bidder is refused before anything else is looked at, whether or
		// not one has a bidder.
		for _, by := range []market.UserID{own, 99} {
			_, err = s.PlaceBid(as(by), auctions.NewBid{Item: "item99", User: id.String(), Value: "x"})
			if market.KindOf(err) != market.Denied {
				t.Errorf("account %d bids as %s: %v", by, id, err)
			}
		}
		if _, err = s.PlaceBid(as(u.Account), auctions.NewBid{Item: item.ID.String(), User: id.String(), Value: "1000"}); err != nil {
			t.Errorf("with one's own bidder: %v", err)
		}
	}
	if n := len(users(t, s)); n != 2 {
		t.Errorf("%d bidders, want 2: what was refused left none", n)
	}
	if _, err := s.PlaceBid(as(99), auctions.NewBid{Item: "item99", Value: "1"}); market.KindOf(err) != market.Invalid {
		t.Errorf("a first bid on nothing: %v", err)
	}
	if n := len(users(t, s)); n != 2 {
		t.Errorf("%d bidders, want 2: a bid that was refused left one", n)
	}
}

func users(t *testing.T, s *auctions.Service) []auctions.User {
	t.Helper()
	return all(t, s.Users(t.Context(), market.Page{}))
}
