package demo_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"emporium/internal/app/demo"
	"emporium/internal/market"
)

var now = time.Date(2026, 3, 14, 15, 9, 26, 535, time.UTC)

func shop() *demo.Data { return demo.New(demo.Seed, now) }

// everything is all that the demo gives, one list for each subject.
func everything(d *demo.Data) map[string][]any {
	return map[string][]any{
		"films": list(d.Films()), "coupons": list(d.Coupons()),
		"bidders": list(d.Bidders()), "items": list(d.Items()), "bids": list(d.Bids()),
		"accounts": list(d.Accounts()), "types": list(d.PropertyTypes()), "properties": list(d.Properties()),
		"products": list(d.Products()), "customers": list(d.Customers()), "purchases": list(d.Purchases()),
		"orders": list(d.Orders()),
	}
}

func list[T any](things iter.Seq[T]) []any {
	var out []any
	for t := range things {
		out = append(out, t)
	}
	return out
}

func TestHowMany(t *testing.T) {
	all := everything(shop())
	for subject, n := range map[string][2]int{
		"films": {3200, 3200}, "coupons": {300, 500}, "bidders": {12, 20}, "items": {40, 45}, "bids": {300, 700},
		"accounts": {6, 8}, "types": {5, 8}, "properties": {55, 65}, "products": {200, 200},
		"customers": {500, 500}, "purchases": {10_000, 10_000}, "orders": {200, 500},
	} {
		if got := len(all[subject]); got < n[0] || got > n[1] {
			t.Errorf("%d %s, want %d to %d", got, subject, n[0], n[1])
		}
	}
}

func TestSameSeedAndClockGiveTheSame(t *testing.T) {
	d := shop()
	first := everything(d)
	if again := everything(d); !reflect.DeepEqual(first, again) {
		t.Error("asking a second time gives other things")
	}
	if again := everything(shop()); !reflect.DeepEqual(first, again) {
		t.Error("the same seed and clock give other things")
	}
	other := everything(demo.New(demo.Seed+1, now))
	for _, subject := range []string{"coupons", "bids", "accounts", "properties", "products", "customers", "purchases", "orders"} {
		if reflect.DeepEqual(first[subject], other[subject]) {
			t.Errorf("another seed gives the same %s", subject)
		}
	}
}

// A loop that is left early must end the generator, not panic.
func TestLoopsMayBeLeft(t *testing.T) {
	d := shop()
	for range d.Films() {
		break
	}
	for range d.Coupons() {
		break
	}
	for range d.Items() {
		break
	}
	for range d.Bids() {
		break
	}
	for range d.Accounts() {
		break
	}
	for range d.Properties() {
		break
	}
	for range d.Products() {
		break
	}
	for range d.Customers() {
		break
	}
	for range d.Purchases() {
		break
	}
	for range d.Orders() {
		break
	}
}

// A value that any service would take: 1 to 255 characters, no control characters.
func checkText(t *testing.T, what, s string) {
	t.Helper()
	if n := utf8.RuneCountInString(s); n < 1 || n > 255 || !utf8.ValidString(s) ||
		strings.TrimSpace(s) != s || strings.ContainsFunc(s, unicode.IsControl) {
		t.Errorf("%s: %q", what, s)
	}
}

func TestFilms(t *testing.T) {
	sentence := regexp.MustCompile(`^An? [a-z].* released on \d{1,2} [A-Z][a-z]+ (19|20)\d\d( by .+)?\.( (Rated|Not rated|\d).*\.)?$`)
	titles := map[string]string{}
	for f := range shop().Films() {
		checkText(t, "title", f.Title)
		checkText(t, "description of "+f.Title, f.Description)
		if !sentence.MatchString(f.Description) || strings.Contains(f.Description, "  ") {
			t.Errorf("%s: %q", f.Title, f.Description)
		}
		titles[f.Title] = f.Description
	}
	for title, description := range map[string]string{
		"1776":                  "A historical drama, after a stage play, released on 9 November 1972 by Sony/Columbia. Rated PG, 7.0 of 10 on IMDb, 57% on Rotten Tomatoes.",
		"Léon":                  "A thriller by Luc Besson, released on 18 November 1994 by Sony Pictures. Rated R, 8.6 of 10 on IMDb.",
		"Alien³":                "A science fiction action film by David Fincher, released on 22 May 1992 by 20th Century Fox. Rated R, 6.3 of 10 on IMDb, 37% on Rotten Tomatoes.",
		"The Birth of a Nation": "A drama, after a book or short story, released on 8 February 1915. 7.1 of 10 on IMDb, 100% on Rotten Tomatoes.",
	} {
		if titles[title] != description {
			t.Errorf("%s: got  %q\nwant %q", title, titles[title], description)
		}
	}
}

func TestCoupons(t *testing.T) {
	phone := regexp.MustCompile(`^\(\d{3}\) 555-01\d\d$`)
	merchants, invalid, active, upcoming, expired, bare, dateless := map[string]bool{}, 0, 0, 0, 0, 0, 0
	codes := map[string]bool{}
	for c := range shop().Coupons() {
		for _, s := range []*string{c.Category, c.Code, c.Description, c.Merchant, c.Title} {
			if s != nil {
				checkText(t, "coupon", *s)
			}
		}
		if c.Code != nil {
			if codes[*c.Code] {
				t.Errorf("code %s is there twice", *c.Code)
			}
			codes[*c.Code] = true
		}
		merchants[*c.Merchant] = true
		switch {
		case c.PublishedAt == nil:
			dateless++
		case c.ExpireAt.Before(c.PublishedAt.Time):
			invalid++
		case c.PublishedAt.After(now):
			upcoming++
		case c.ExpireAt.Before(now):
			expired++
		default:
			active++
		}
		if c.Store == nil || c.Store.Lat == nil {
			bare++
			continue
		}
		if *c.Store.Lat < 18 || *c.Store.Lat > 72 || *c.Store.Long < -180 || *c.Store.Long > -65 {
			t.Errorf("%s lies at %v, %v", *c.Store.City, *c.Store.Lat, *c.Store.Long)
		}
		for _, x := range []float64{*c.Store.Lat, *c.Store.Long} {
			if math.Round(x*1e6)/1e6 != x {
				t.Errorf("%v has more than six decimals", x)
			}
		}
		if !phone.MatchString(*c.Store.Phone) || len(*c.Store.Zip) != 5 || len(*c.Store.State) != 2 {
			t.Errorf("store %s %s %s", *c.Store.Phone, *c.Store.Zip, *c.Store.State)
		}
	}
	if len(merchants) < 30 || invalid < 15 || active < 50 || upcoming < 10 || expired < 50 || bare < 5 || dateless < 5 {
		t.Errorf("%d merchants; %d coupons invalid, %d active, %d upcoming, %d expired, %d without a place, %d without dates",
			len(merchants), invalid, active, upcoming, expired, bare, dateless)
	}
}

func TestBids(t *testing.T) {
	d := shop()
	items, bidders := slices.Collect(d.Items()), slices.Collect(d.Bidders())
	high, ties, lower := map[int]market.Money{}, 0, 0
	for b := range d.Bids() {
		if b.Item < 1 || b.Item > len(items) || b.Bidder < 1 || b.Bidder > len(bidders) || b.Value <= 0 || b.Value > 20_000_00 {
			t.Fatalf("bid %+v", b)
		}
		switch h, any := high[b.Item]; {
		case any && b.Value == h:
			ties++
		case any && b.Value < h:
			lower++
		default:
			high[b.Item] = b.Value
		}
	}
	if n := len(items) - len(high); n < 3 || ties < 2 || lower < 5 || ties+lower > 100 {
		t.Errorf("%d items without bids, %d ties, %d lower bids", n, ties, lower)
	}
	if slices.Sort(items); len(slices.Compact(items)) != len(items) {
		t.Error("two items have the same name")
	}
}

func TestAccounts(t *testing.T) {
	mails := map[string]bool{}
	for a := range shop().Accounts() {
		for _, s := range []string{a.FirstName, a.LastName, a.Mail, a.Password} {
			checkText(t, a.Mail, s)
		}
		born, err := time.Parse(time.DateOnly, a.BirthDate)
		if err != nil || born.After(now.AddDate(-18, 0, 0)) || born.Before(now.AddDate(-90, 0, 0)) {
			t.Errorf("%s was born on %s", a.Mail, a.BirthDate)
		}
		if len(a.Password) < 12 || mails[a.Mail] {
			t.Errorf("account %+v", a)
		}
		mails[a.Mail] = true
	}
}

func TestProperties(t *testing.T) {
	d := shop()
	types, owners := slices.Collect(d.PropertyTypes()), slices.Collect(d.Accounts())
	owned, cities, used, bare := map[int]int{}, map[string]bool{}, map[int]bool{}, 0
	for p := range d.Properties() {
		for _, s := range []string{p.Name, p.Description, p.City} {
			checkText(t, p.Name, s)
		}
		if p.Type < 1 || p.Type > len(types) || p.Owner < 1 || p.Owner > len(owners) {
			t.Errorf("%s is of type %d and owner %d", p.Name, p.Type, p.Owner)
		}
		if len(p.Rooms) < 2 || len(p.Rooms) > 6 {
			t.Errorf("%s has %d rooms", p.Name, len(p.Rooms))
		}
		for _, r := range p.Rooms {
			checkText(t, p.Name, r.Name)
			checkText(t, p.Name, r.Description)
			if r.Characteristics == nil {
				bare++
			} else if m2, _ := r.Characteristics["surface_m2"].(float64); m2 < 1 || m2 > 60 {
				t.Errorf("%s in %s: %v", r.Name, p.Name, r.Characteristics)
			}
		}
		owned[p.Owner]++
		cities[p.City], used[p.Type] = true, true
	}
	if len(owned) != len(owners) || len(used) != len(types) || len(cities) < 30 || bare == 0 {
		t.Errorf("%d owners, %d types, %d cities, %d rooms without characteristics", len(owned), len(used), len(cities), bare)
	}
	for _, c := range []string{"Paris", "Évry", "Orléans", "Saint-Étienne", "Besançon", "Zürich", "Kraków"} {
		if !cities[c] {
			t.Errorf("nothing in %s", c)
		}
	}
}

func TestMegastore(t *testing.T) {
	d := shop()
	sold, faces := map[int]int{}, map[string]bool{}
	for p := range d.Products() {
		sold[p.ID] = 0
		faces[p.Face] = true
		checkText(t, "face", p.Face)
		if p.Size < 8 || p.Size > 72 || p.Price < 1 || p.Price > 10_000 {
			t.Errorf("product %+v", p)
		}
	}
	if len(faces) != len(sold) {
		t.Error("two products have the same face")
	}
	names, mails := map[string]int{}, map[string]bool{}
	for c := range d.Customers() {
		name, mail := strings.ToLower(c.Username), strings.ToLower(c.Email)
		if _, taken := names[name]; taken || mails[mail] || !regexp.MustCompile(`^[a-z.0-9]+@example\.(org|com|net)$`).MatchString(mail) {
			t.Errorf("customer %+v", c)
		}
		names[name], mails[mail] = 0, true
	}
	id, last := 0, now.AddDate(0, 0, -180)
	for p := range d.Purchases() {
		if id++; p.ID != id || p.Date.Before(last) || p.Date.After(now) {
			t.Fatalf("purchase %+v after %v", p, last)
		}
		_, known := sold[p.ProductID]
		if _, too := names[strings.ToLower(p.Username)]; !known || !too {
			t.Fatalf("purchase %+v of or by nobody", p)
		}
		last = p.Date.Time
		sold[p.ProductID]++
		names[strings.ToLower(p.Username)]++
	}
	counts := slices.SortedFunc(values(sold), func(a, b int) int { return cmp.Compare(b, a) })
	top := 0
	for _, n := range counts[:len(counts)/10] {
		top += n
	}
	idle := 0
	for _, n := range names {
		if n == 0 {
			idle++
		}
	}
	if top*2 <= id || counts[len(counts)-1] == 0 && counts[len(counts)/2] == 0 || idle != 50 {
		t.Errorf("the best tenth of the products has %d of %d purchases, the median %d, %d customers have none",
			top, id, counts[len(counts)/2], idle)
	}
}

func values[K comparable, V any](m map[K]V) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func TestOrders(t *testing.T) {
	d := shop()
	accounts := len(slices.Collect(d.Accounts()))
	for o := range d.Orders() {
		var user int
		if _, err := fmt.Sscan(o.UserID, &user); err != nil || user < 1 || user > accounts || o.Items < 1 || o.Total < 0 {
			t.Errorf("order %+v", o)
		}
	}
}

func TestFilesHaveTheFieldsOfTheAPI(t *testing.T) {
	fields := map[demo.Kind][]string{
		demo.Movies: {"description", "title"}, demo.Products: {"face", "id", "price", "size"},
		demo.Users: {"email", "username"}, demo.Purchases: {"date", "id", "product_id", "username"},
		demo.Coupons: {"category", "couponcode", "description", "expire_at", "merchant", "published_at", "store", "title"},
	}
	for _, kind := range demo.Kinds {
		var file bytes.Buffer
		if err := shop().WriteFile(&file, kind); err != nil {
			t.Fatal(err)
		}
		var rows []map[string]any
		if err := json.Unmarshal(file.Bytes(), &rows); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if lines := bytes.Count(file.Bytes(), []byte("\n")); lines != len(rows)+2 {
			t.Errorf("%s: %d lines for %d rows", kind, lines, len(rows))
		}
		seen := map[string]bool{}
		for _, row := range rows {
			for name := range row {
				seen[name] = true
			}
		}
		got := make([]string, 0, len(seen))
		for name := range seen {
			got = append(got, name)
		}
		if slices.Sort(got); !slices.Equal(got, fields[kind]) {
			t.Errorf("%s: fields %v, want %v", kind, got, fields[kind])
		}
	}
	if err := shop().WriteFile(&bytes.Buffer{}, "bids"); err == nil {
		t.Error("a file of bids was written")
	}
}

func BenchmarkEverything(b *testing.B) {
	for b.Loop() {
		everything(shop())
	}
}
