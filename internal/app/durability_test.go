package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/testenv"
)

// TestKillNine drives writes to every service from many connections, kills the
// program at random moments, repeats what was not answered, and then counts:
// each write is there once, and no winner, order or count is wrong.
func TestKillNine(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	data := t.TempDir()
	d := &driver{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}}
	program := programtest.Start(t, "--data="+data, "--no-log-requests")
	d.base.Store(&program.URL)

	s := prepare(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for _, w := range s.writers() {
		for range w.callers {
			writers.Go(func() {
				for ctx.Err() == nil {
					w.write(t)
				}
			})
		}
	}
	for range testenv.Rounds(t, 20) {
		time.Sleep(time.Duration(50+random.IntN(400)) * time.Millisecond)
		program.Kill()
		program = programtest.Start(t, "--data="+data, "--no-log-requests")
		d.base.Store(&program.URL)
	}
	cancel()
	writers.Wait()
	t.Logf("%d writes answered, %d of them after a repeat", d.answered.Load(), d.repeated.Load())
	if d.repeated.Load() == 0 {
		t.Error("no write was cut off: the test has shown nothing")
	}
	s.check(t, d)
}

// driver repeats each write until it is answered.
type driver struct {
	client             *http.Client
	base               atomic.Pointer[string]
	keys               atomic.Int64
	answered, repeated atomic.Int64
}

// once makes one attempt. The answer counts only when it was read to its end.
func (d *driver) once(method, path, body, key, token string) (int, []byte, error) {
	r, err := http.NewRequest(method, *d.base.Load()+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := d.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// do writes until it is answered, with one key, and wants one of the statuses.
func (d *driver) do(t *testing.T, method, path, body, token string, statuses ...int) []byte {
	key := ""
	if method == http.MethodPost {
		key = fmt.Sprintf("key-%d", d.keys.Add(1))
	}
	for try := 0; ; try++ {
		status, answer, err := d.once(method, path, body, key, token)
		if err != nil || status == http.StatusServiceUnavailable {
			time.Sleep(5 * time.Millisecond)
			if try > 6000 {
				t.Errorf("%s %s was never answered: %v", method, path, err)
				return nil
			}
			continue
		}
		d.answered.Add(1)
		if try > 0 {
			d.repeated.Add(1)
		}
		if slices.Contains(statuses, status) {
			return answer
		}
		t.Errorf("%s %s %s: %d %s", method, path, body, status, answer)
		return nil
	}
}

// get reads a JSON answer.
func (d *driver) get(t *testing.T, path, token string, into any) {
	t.Helper()
	status, answer, err := d.once(http.MethodGet, path, "", "", token)
	if err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %v %s", path, status, err, answer)
	}
	if err := json.NewDecoder(bytes.NewReader(answer)).Decode(into); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, answer)
	}
}

// ledger remembers what was answered: the name of each write, and the id that
// the answer gave it.
type ledger struct {
	mu    sync.Mutex
	names map[string]string
}

func (l *ledger) note(name, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil {
		l.names = map[string]string{}
	}
	l.names[name] = id
}

// same wants exactly the noted names, each once, each under its id.
func (l *ledger) same(t *testing.T, what string, stored [][2]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range stored {
		name, id := s[0], s[1]
		want, answered := l.names[name]
		switch {
		case seen[name]:
			t.Errorf("%s %q is there twice", what, name)
		case !answered:
			t.Errorf("%s %q is there, and its write was never answered", what, name)
		case want != "" && want != id:
			t.Errorf("%s %q was answered with id %s and is stored as %s", what, name, want, id)
		}
		seen[name] = true
	}
	for name := range l.names {
		if !seen[name] {
			t.Errorf("%s %q was answered and is lost", what, name)
		}
	}
	t.Logf("%d %s", len(stored), what)
}

// shop is the state of the test: what was written, by service.
type shop struct {
	d                                       *driver
	count                                   atomic.Int64
	movies, coupons, orders, homes, buyings ledger
	accounts                                ledger
	bids                                    ledger
	token                                   string
	items, bidders                          []string
	gone                                    sync.Map // userIds of deleted accounts
}

type writer struct {
	callers int
	write   func(t *testing.T)
}

const password = "correct horse battery"

// signUp makes an account and gives its id and a token.
func (s *shop) signUp(t *testing.T, mail string) (id int64, token string) {
	answer := s.d.do(t, http.MethodPost, "/api/user/", fmt.Sprintf(`{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":%q,"password":%q}`, mail, password), "", 201)
	var account struct {
		UserID int64 `json:"userId"`
	}
	_ = json.Unmarshal(answer, &account)
	answer = s.d.do(t, http.MethodPost, "/api/user/auth", fmt.Sprintf(`{"mail":%q,"password":%q}`, mail, password), "", 200)
	var auth struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal(answer, &auth)
	return account.UserID, auth.Token
}

func prepare(t *testing.T, d *driver) *shop {
	s := &shop{d: d}
	var owner int64
	owner, s.token = s.signUp(t, "owner@example.org")
	s.accounts.note("owner@example.org", strconv.FormatInt(owner, 10))
	d.do(t, http.MethodPost, "/api/type/", `{"typeId":1,"name":"house","description":"a house"}`, s.token, 201)
	for n := range 3 {
		s.items = append(s.items, field(d.do(t, http.MethodPost, "/api/v1/items", fmt.Sprintf(`{"item":{"name":"item %d"}}`, n), "", 201), "item_id"))
		s.bidders = append(s.bidders, field(d.do(t, http.MethodPost, "/api/v1/users", fmt.Sprintf(`{"name":"bidder %d"}`, n), "", 201), "user_id"))
	}
	d.do(t, http.MethodPost, "/api/users", `{"username":"buyer","email":"buyer@example.org"}`, "", 201)
	d.do(t, http.MethodPost, "/api/products", `{"id":1,"face":"( .-. )","size":20,"price":100}`, "", 201)
	return s
}

// field is one member of a JSON object, as text.
func field(answer []byte, name string) string {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	_ = d.Decode(&object)
	return fmt.Sprint(object[name])
}

func (s *shop) writers() []writer {
	name := func(kind string) string { return fmt.Sprintf("%s %d", kind, s.count.Add(1)) }
	return []writer{
		{4, func(t *testing.T) {
			n := name("movie")
			s.movies.note(n, field(s.d.do(t, "POST", "/api/movies", fmt.Sprintf(`{"title":%q}`, n), "", 200), "id"))
		}},
		{4, func(t *testing.T) {
			n := name("coupon")
			s.coupons.note(n, field(s.d.do(t, "POST", "/coupons", fmt.Sprintf(`{"title":%q}`, n), "", 201), "id"))
		}},
		{4, func(t *testing.T) {
			n := s.count.Add(1)
			body := fmt.Sprintf(`{"bid":{"item":%q,"value":%d.25,"user":%q}}`, s.items[n%3], n, s.bidders[n%2])
			s.bids.note(fmt.Sprintf("%d.25", n), field(s.d.do(t, "POST", "/api/v1/bids", body, "", 201), "bid_id"))
		}},
		{4, func(t *testing.T) {
			n := name("order")
			s.d.do(t, "POST", "/api/billing", fmt.Sprintf(`{"user_id":%q,"number_of_items":"5","total_amount":"180.5"}`, n), "", 200)
			s.orders.note(n, "")
		}},
		{2, func(t *testing.T) {
			n := name("home")
			s.homes.note(n, field(s.d.do(t, "POST", "/api/property/", fmt.Sprintf(`{"name":%q,"description":"d","city":"Paris","typeId":1}`, n), s.token, 201), "propertyId"))
		}},
		{2, func(t *testing.T) {
			answer := s.d.do(t, "POST", "/api/purchases", `{"product_id":1,"username":"buyer"}`, "", 201)
			var made struct {
				Purchase json.RawMessage `json:"purchase"`
			}
			_ = json.Unmarshal(answer, &made)
			id := field(made.Purchase, "id")
			s.buyings.note(id, id)
		}},
		{1, func(t *testing.T) {
			mail := strings.ReplaceAll(name("someone"), " ", "") + "@example.org"
			id, token := s.signUp(t, mail)
			s.d.do(t, "POST", "/api/property/", `{"name":"short-lived","description":"d","city":"Lyon","typeId":1}`, token, 201)
			s.d.do(t, "DELETE", fmt.Sprintf("/api/user/%d", id), "", token, 200, 401, 404) // a repeat finds it gone
			s.gone.Store(id, true)
		}},
	}
}

// settle waits until what travels by queue has arrived.
func settle(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s did not settle", what)
			return
		}
	}
}

func (s *shop) check(t *testing.T, d *driver) {
	var movies []struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
	}
	d.get(t, "/api/movies", "", &movies)
	pairs := func(n int, pair func(i int) [2]string) (all [][2]string) {
		for i := range n {
			all = append(all, pair(i))
		}
		return all
	}
	s.movies.same(t, "movies", pairs(len(movies), func(i int) [2]string { return [2]string{movies[i].Title, strconv.FormatInt(movies[i].ID, 10)} }))

	var coupons []struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
	}
	d.get(t, "/coupons", "", &coupons)
	s.coupons.same(t, "coupons", pairs(len(coupons), func(i int) [2]string { return [2]string{coupons[i].Title, strconv.FormatInt(coupons[i].ID, 10)} }))

	s.checkOrders(t, d)
	s.checkAuctions(t, d)

	var homes []struct {
		ID    int64  `json:"propertyId"`
		Name  string `json:"name"`
		Owner int64  `json:"userId"`
	}
	settle(t, "the homes of deleted accounts", func() bool {
		homes = nil
		d.get(t, "/api/property/", s.token, &homes)
		for _, h := range homes {
			if _, gone := s.gone.Load(h.Owner); gone {
				return false
			}
		}
		return true
	})
	s.homes.same(t, "homes", pairs(len(homes), func(i int) [2]string { return [2]string{homes[i].Name, strconv.FormatInt(homes[i].ID, 10)} }))

	var bought []([2]string)
	for skip := 0; ; skip += 1000 {
		var page struct {
			Purchases []struct {
				ID int64 `json:"id"`
			} `json:"purchases"`
		}
		d.get(t, fmt.Sprintf("/api/purchases/by_user/buyer?limit=1000&skip=%d", skip), "", &page)
		for _, p := range page.Purchases {
			bought = append(bought, [2]string{strconv.FormatInt(p.ID, 10), strconv.FormatInt(p.ID, 10)})
		}
		if len(page.Purchases) < 1000 {
			break
		}
	}
	s.buyings.same(t, "purchases", bought)

	var accounts []struct {
		ID   int64  `json:"userId"`
		Mail string `json:"mail"`
	}
	d.get(t, "/api/user/", "", &accounts)
	s.accounts.same(t, "accounts", pairs(len(accounts), func(i int) [2]string { return [2]string{accounts[i].Mail, strconv.FormatInt(accounts[i].ID, 10)} }))
}

func (s *shop) checkOrders(t *testing.T, d *driver) {
	var orders []struct {
		ID     int64       `json:"id"`
		User   string      `json:"user_id"`
		Amount json.Number `json:"total_amount"`
	}
	settle(t, "orders", func() bool {
		orders = nil
		d.get(t, "/api/billing/orders", "", &orders)
		return len(orders) >= len(s.orders.names)
	})
	var all [][2]string
	for _, o := range orders {
		all = append(all, [2]string{o.User, ""})
		if o.Amount != "180.5" {
			t.Errorf("order %d is about %s", o.ID, o.Amount)
		}
	}
	s.orders.same(t, "orders", all)
}

// checkAuctions looks at each bid, and at each item's winner: the highest bid,
// which is also in the item's list.
func (s *shop) checkAuctions(t *testing.T, d *driver) {
	type bid struct {
		ID  string `json:"bid_id"`
		Bid struct {
			Item  string      `json:"item"`
			Value json.Number `json:"value"`
			User  string      `json:"user"`
		} `json:"bid"`
	}
	var bids map[string]bid
	d.get(t, "/api/v1/bids", "", &bids)
	var all [][2]string
	best := map[string]bid{}
	perItem := map[string]int{}
	for id, b := range bids {
		all = append(all, [2]string{b.Bid.Value.String(), id})
		perItem[b.Bid.Item]++
		value, _ := b.Bid.Value.Float64()
		top, _ := best[b.Bid.Item].Bid.Value.Float64()
		if value > top {
			best[b.Bid.Item] = b
		}
	}
	s.bids.same(t, "bids", all)
	var items map[string]struct {
		Item struct {
			Winning *string  `json:"winning"`
			Bids    []string `json:"bids"`
		} `json:"item"`
	}
	d.get(t, "/api/v1/items", "", &items)
	for id, item := range items {
		if item.Item.Winning == nil || *item.Item.Winning != best[id].ID {
			t.Errorf("%s is won by %v; its highest bid is %s", id, item.Item.Winning, best[id].ID)
		}
		if len(item.Item.Bids) != perItem[id] {
			t.Errorf("%s lists %d bids of %d", id, len(item.Item.Bids), perItem[id])
		}
	}
}
