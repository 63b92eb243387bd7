package popular_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"emporium/internal/market"
	"emporium/internal/platform/cache"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/popular"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a data API in memory that counts what it is asked for.
type shop struct {
	mu        sync.Mutex
	users     map[string]market.Customer
	products  map[int64]market.Product
	purchases []market.Purchase // newest first
	asked     map[string]int
	down      error
	left      func(market.Purchase) bool // rows that are left out of a page after it was counted; may be nil
	ignore    bool                       // of limits in ByUser, and of skips
	wait      time.Duration
}

func newShop(users ...string) *shop {
	s := &shop{users: map[string]market.Customer{}, products: map[int64]market.Product{}, asked: map[string]int{}}
	for _, name := range users {
		s.users[name] = market.Customer{Username: name, Email: name + "@example.com"}
	}
	return s
}

// sells adds a purchase that is newer than all before it, and its product.
func (s *shop) sells(product int64, to ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.products[product] = market.Product{ID: product, Face: fmt.Sprintf("(%d◕‿◕)", product), Size: 20 + product, Price: 1000 + product}
	for _, name := range to {
		s.purchases = slices.Insert(s.purchases, 0, market.Purchase{ID: int64(len(s.purchases) + 1), ProductID: product, Username: name})
	}
}

// ask counts a question and waits as long as it takes.
func (s *shop) ask(ctx context.Context, what string, args ...any) (unlock func(), err error) {
	s.mu.Lock()
	wait := s.wait
	s.asked[fmt.Sprintf(what, args...)]++
	s.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	if s.down != nil {
		defer s.mu.Unlock()
		return nil, s.down
	}
	return s.mu.Unlock, nil
}

func (s *shop) User(ctx context.Context, username string) (market.Customer, error) {
	unlock, err := s.ask(ctx, "user %s", username)
	if err != nil {
		return market.Customer{}, err
	}
	defer unlock()
	if u, ok := s.users[username]; ok {
		return u, nil
	}
	return market.Customer{}, market.Refuse(market.NotFound, "unknown_user", "no such user")
}

func (s *shop) Product(ctx context.Context, id int64) (market.Product, error) {
	unlock, err := s.ask(ctx, "product %d", id)
	if err != nil {
		return market.Product{}, err
	}
	defer unlock()
	if p, ok := s.products[id]; ok {
		return p, nil
	}
	return market.Product{}, market.Refuse(market.NotFound, "unknown_product", "no such product")
}

func (s *shop) ByUser(ctx context.Context, username string, skip, limit int) ([]market.Purchase, error) {
	return s.page(ctx, func(p market.Purchase) bool { return p.Username == username }, skip, limit, "by_user %s %d %d", username, skip, limit)
}

func (s *shop) ByProduct(ctx context.Context, product int64, skip, limit int) ([]market.Purchase, error) {
	return s.page(ctx, func(p market.Purchase) bool { return p.ProductID == product }, skip, limit, "by_product %d %d %d", product, skip, limit)
}

func (s *shop) page(ctx context.Context, match func(market.Purchase) bool, skip, limit int, what string, args ...any) ([]market.Purchase, error) {
	unlock, err := s.ask(ctx, what, args...)
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []market.Purchase
	for _, p := range s.purchases {
		if match(p) {
			all = append(all, p)
		}
	}
	if !s.ignore {
		all = all[min(skip, len(all)):]
	}
	if !s.ignore || limit == 1000 {
		all = all[:min(limit, len(all))]
	}
	if s.left != nil {
		all = slices.DeleteFunc(all, s.left)
	}
	return all, nil
}

func (s *shop) questions() (asked map[string]int, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked = map[string]int{}
	for what, n := range s.asked {
		asked[what] = n
		all += n
	}
	return asked, all
}

type bench struct {
	*shop
	*popular.Service
	clock cachetest.Clock
	cache cache.Cache
}

func newBench(tb testing.TB, s *shop) *bench {
	tb.Helper()
	b := &bench{shop: s}
	c, err := cache.NewMemory(cache.MemoryOptions{Now: b.clock.Now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	b.cache = c
	if b.Service, err = popular.New(popular.Options{Purchases: s, Cache: c}); err != nil {
		tb.Fatal(err)
	}
	return b
}

// answers fails the test unless Answer and RecentPurchases give this.
func (b *bench) answers(t *testing.T, username, want string) {
	t.Helper()
	got, err := b.Answer(t.Context(), username)
	if err != nil || string(got) != want {
		t.Fatalf("Answer gave %s, %v\nwant %s", got, err, want)
	}
	list, err := b.RecentPurchases(t.Context(), username)
	if err != nil || list == nil || len(list) != strings.Count(want, `"id"`) {
		t.Fatalf("RecentPurchases gave %v, %v", list, err)
	}
}

func TestAnswer(t *testing.T) {
	s := newShop("ann", "bob", "eve", "nobody", "évry/%2F ?")
	s.sells(6, "ann") // too long ago
	s.sells(5, "ann", "bob")
	s.sells(4, "ann")
	s.sells(3, "eve", "eve", "ann")
	s.sells(2, "bob", "ann")
	s.sells(1, "ann")
	s.sells(7, "évry/%2F ?")
	b := newBench(t, s)
	// 3 was bought three times (twice by eve); 2 and 5 twice, 2 bought later by ann; 1 and 4 once.
	b.answers(t, "ann", `[{"id":3,"face":"(3◕‿◕)","price":1003,"size":23,"recent":["ann","eve"]},`+
		`{"id":2,"face":"(2◕‿◕)","price":1002,"size":22,"recent":["ann","bob"]},`+
		`{"id":5,"face":"(5◕‿◕)","price":1005,"size":25,"recent":["bob","ann"]},`+
		`{"id":1,"face":"(1◕‿◕)","price":1001,"size":21,"recent":["ann"]},`+
		`{"id":4,"face":"(4◕‿◕)","price":1004,"size":24,"recent":["ann"]}]`)
	asked, all := s.questions()
	if all != 12 || asked["by_user ann 0 5"] != 1 || asked["by_product 3 0 1000"] != 1 {
		t.Errorf("asked %v", asked)
	}
	b.answers(t, "nobody", `[]`)
	b.answers(t, "évry/%2F ?", `[{"id":7,"face":"(7◕‿◕)","price":1007,"size":27,"recent":["évry/%2F ?"]}]`)
}

func TestEachProductOnce(t *testing.T) {
	s := newShop("ann")
	s.sells(2, "ann")
	s.sells(1, "ann", "ann")
	s.sells(2, "ann")
	s.sells(1, "ann")
	s.sells(3, "ann") // 3 1 2 1 1: the first 2 is the sixth
	b := newBench(t, s)
	list, err := b.RecentPurchases(t.Context(), "ann")
	if err != nil || len(list) != 3 || list[0].ID != 1 || list[1].ID != 2 || list[2].ID != 3 {
		t.Errorf("got %v, %v; want products 1 2 3", list, err)
	}
}

// TestTakesWhatComes has a server that gives more than five, in an order of its own.
func TestTakesWhatComes(t *testing.T) {
	s := newShop("ann")
	for id := range int64(8) {
		s.sells(8-id, "ann")
	}
	s.ignore = true
	s.purchases = append(s.purchases, market.Purchase{ID: 99, Username: "ann"}) // of no product
	list, err := newBench(t, s).RecentPurchases(t.Context(), "ann")
	if err != nil || len(list) != 8 || list[0].ID != 1 || list[7].ID != 8 {
		t.Errorf("got %v, %v; want eight, as they came", list, err)
	}
}

func TestUnknownUsers(t *testing.T) {
	s := newShop("ann")
	b := newBench(t, s)
	for _, name := range []string{"", "Ann", "\xff", "bob", "bob"} {
		_, err := b.Answer(t.Context(), name)
		if market.KindOf(err) != market.NotFound || err.Error() != fmt.Sprintf("User with username of '%s' was not found", name) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if asked, all := s.questions(); all != 4 {
		t.Errorf("asked %v, want the user and the purchases of Ann and bob once", asked)
	}
	s.mu.Lock()
	s.users["bob"] = market.Customer{Username: "bob"}
	s.mu.Unlock()
	b.clock.Pass(time.Minute)
	b.answers(t, "bob", `[]`)
}

func TestNameThatCannotBe(t *testing.T) {
	s := newShop()
	s.down = market.Refuse(market.Invalid, "refused", "no")
	if _, err := newBench(t, s).Answer(t.Context(), "a\x00b"); market.KindOf(err) != market.NotFound {
		t.Errorf("got %v, want an unknown user", err)
	}
}

func TestProductWithoutRecord(t *testing.T) {
	s := newShop("ann")
	s.sells(1, "ann")
	s.sells(2, "ann")
	record := s.products[2]
	delete(s.products, 2)
	b := newBench(t, s)
	want := `{"id":1,"face":"(1◕‿◕)","price":1001,"size":21,"recent":["ann"]}`
	b.answers(t, "ann", `[`+want+`]`)
	s.products[2] = record
	if err := b.cache.Drop(t.Context(), market.ProductKey(2)); err != nil {
		t.Fatal(err)
	}
	b.answers(t, "ann", `[{"id":2,"face":"(2◕‿◕)","price":1002,"size":22,"recent":["ann"]},`+want+`]`)
}

func TestPagesOfBuyers(t *testing.T) {
	for _, c := range []struct {
		buyers, pages int
	}{{899, 1}, {900, 2}, {1000, 2}, {1899, 2}, {2500, 3}} {
		s := newShop("ann")
		for i := range c.buyers - 1 {
			s.sells(1, fmt.Sprint("buyer", i%1200))
		}
		s.sells(1, "ann")
		list, err := newBench(t, s).RecentPurchases(t.Context(), "ann")
		if err != nil || len(list) != 1 || len(list[0].Recent) != min(c.buyers, 1201) || list[0].Recent[0] != "ann" {
			t.Errorf("%d buyers: %d names, %v", c.buyers, len(list[0].Recent), err)
		}
		if _, all := s.questions(); all != 3+c.pages {
			t.Errorf("%d buyers: asked %v", c.buyers, s.asked)
		}
	}
}

// TestPagesWithGaps has a server that leaves a few rows out of each page, so that
// the next one overlaps; what comes twice counts once.
func TestPagesWithGaps(t *testing.T) {
	s := newShop("ann")
	for range 1500 {
		s.sells(1, "bob")
		s.sells(2, "bob")
	}
	for range 1490 {
		s.sells(2, "bob")
	}
	s.sells(1, "ann")
	s.sells(2, "ann") // 2991 of product 2
	s.left = func(p market.Purchase) bool { return p.ProductID == 2 && p.ID%100 == 0 }
	list, err := newBench(t, s).RecentPurchases(t.Context(), "ann")
	if err != nil || len(list) != 2 || list[0].ID != 2 || !slices.Equal(list[0].Recent, []string{"ann", "bob"}) {
		t.Errorf("got %v, %v", list, err)
	}
}

// TestServerWithoutSkip gives the same full page for ever, with ids and without.
func TestServerWithoutSkip(t *testing.T) {
	for _, ids := range []bool{true, false} {
		s := newShop("ann")
		for range 1500 {
			s.sells(1, "bob")
		}
		s.sells(1, "ann")
		for i := range s.purchases {
			if !ids {
				s.purchases[i].ID = 0
			}
		}
		s.ignore = true
		list, err := newBench(t, s).RecentPurchases(t.Context(), "ann")
		if _, all := s.questions(); err != nil || len(list) != 1 || all != 5 {
			t.Errorf("ids %t: %v, %v after %v", ids, list, err, s.asked)
		}
	}
}

func TestManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its clock stands still while anything runs
		s := newShop("ann", "bob")
		for id := range int64(5) {
			s.sells(id+1, "ann", "bob")
		}
		s.wait = 20 * time.Millisecond
		b := newBench(t, s)
		var callers sync.WaitGroup
		began := time.Now()
		for i := range 200 {
			callers.Go(func() {
				if _, err := b.Answer(t.Context(), []string{"ann", "bob"}[i%2]); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		asked, all := s.questions()
		if all != 14 {
			t.Errorf("asked %v, want each once", asked)
		}
		if took, want := time.Since(began), 3*s.wait; took > want {
			t.Errorf("it took %s, want %s: what is needed is asked for at the same time", took, want)
		}
	})
}

func TestDataAPIDown(t *testing.T) {
	s := newShop("ann", "bob")
	s.sells(1, "ann")
	b := newBench(t, s)
	want := `[{"id":1,"face":"(1◕‿◕)","price":1001,"size":21,"recent":["ann"]}]`
	b.answers(t, "ann", want)
	s.mu.Lock()
	s.down = errors.New("connection refused")
	s.mu.Unlock()
	b.answers(t, "ann", want)
	b.clock.Pass(3 * time.Hour)
	b.answers(t, "ann", want) // stale
	_, err := b.Answer(t.Context(), "bob")
	var e *market.Error
	if !errors.As(err, &e) || e.Kind != market.Unavailable || strings.Contains(e.Detail, "refused") || !strings.Contains(e.Cause.Error(), "refused") {
		t.Errorf("got %v, want unavailable with a cause for the log", err)
	}
	b.clock.Pass(24 * time.Hour)
	if _, err := b.Answer(t.Context(), "ann"); market.KindOf(err) != market.Unavailable {
		t.Errorf("got %v for what is over a day old", err)
	}
	s.mu.Lock()
	s.down = nil
	s.mu.Unlock()
	s.sells(1, "bob")
	b.answers(t, "ann", `[{"id":1,"face":"(1◕‿◕)","price":1001,"size":21,"recent":["bob","ann"]}]`)
}

func TestCallerLeaves(t *testing.T) {
	s := newShop("ann")
	s.wait = time.Second
	b := newBench(t, s)
	ctx, leave := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, leave)
	if _, err := b.Answer(ctx, "ann"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestDropsAreExact changes the shop under many readers: who asks after a drop
// sees at least what was sold before it.
func TestDropsAreExact(t *testing.T) {
	s := newShop("ann")
	s.sells(1, "ann")
	b := newBench(t, s)
	var sold atomic.Int64
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				least := int(sold.Load())
				answer, err := b.Answer(t.Context(), "ann")
				if n := strings.Count(string(answer), "buyer"); err != nil || n < least {
					t.Errorf("saw %d buyers, %v, after %d were dropped", n, err, least)
					return
				}
			}
		})
	}
	for i := range 200 {
		name := fmt.Sprint("buyer", i)
		s.sells(1, name)
		if err := b.cache.Drop(t.Context(), market.PurchasesOfKey(name), market.BuyersOfKey(1)); err != nil {
			t.Error(err)
		}
		sold.Store(int64(i + 1))
		if answer, err := b.Answer(t.Context(), "ann"); err != nil || !strings.Contains(string(answer), `"`+name+`"`) {
			t.Fatalf("right after the drop: %s, %v; want %s in it", answer, err, name)
		}
	}
	close(done)
	readers.Wait()
}

func TestNewNeedsBoth(t *testing.T) {
	if _, err := popular.New(popular.Options{}); err == nil {
		t.Error("it was made of nothing")
	}
}

// BenchmarkAnswer gives a cached answer, from the cache of the process and from
// one in Redis.
func BenchmarkAnswer(b *testing.B) {
	measure := func(b *testing.B, c cache.Cache) {
		b.Helper()
		s := newShop("ann")
		for id := range int64(5) {
			s.sells(id+1, "ann", "bob", "eve")
		}
		service, err := popular.New(popular.Options{Purchases: s, Cache: c})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := service.Answer(b.Context(), "ann"); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("memory", func(b *testing.B) {
		c, err := cache.NewMemory(cache.MemoryOptions{Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		measure(b, c)
	})
	b.Run("redis", func(b *testing.B) {
		server, ok := cachetest.StartRedis(b)
		if !ok {
			return
		}
		c, err := cache.OpenRedis(b.Context(), cache.RedisOptions{URL: server.URL(), Prefix: "bench:", Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		measure(b, c)
	})
}
