package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/testenv"
)

// shapes are the ways in which the whole shop can run. Each gives the address of
// its gateway, or none where the machine lacks what it needs.
var shapes = map[string]func(t *testing.T) string{
	"in one process": func(t *testing.T) string {
		return programtest.Start(t, "--data="+t.TempDir()).URL
	},
	"one process per service": func(t *testing.T) string { return split(t, "--data="+t.TempDir())["gateway"].URL },
	"in one process, on servers": func(t *testing.T) string {
		settings, ok := onServers(t)
		if !ok {
			return ""
		}
		return programtest.Start(t, settings...).URL
	},
	"one process per service, on servers": func(t *testing.T) string {
		settings, ok := onServers(t)
		if !ok {
			return ""
		}
		return split(t, settings...)["gateway"].URL
	},
}

// onServers gives the settings that put data on PostgreSQL, messages on RabbitMQ
// and the cache on Redis.
func onServers(t *testing.T) (settings []string, ok bool) {
	t.Helper()
	postgres, hasPostgres := testenv.Require(t, "postgres")
	redis, hasRedis := testenv.Require(t, "redis")
	rabbitmq, hasRabbitMQ := testenv.VirtualHost(t)
	if !hasPostgres || !hasRedis || !hasRabbitMQ {
		return nil, false
	}
	settings, _ = onServer(t, postgres)
	return append(settings, "--queue-url="+rabbitmq, "--cache-url="+redis, "--cache-prefix="+cachetest.Prefix(t, redis)), true
}

// split runs every service in a process of its own, and gives all by name.
func split(t *testing.T, settings ...string) map[string]*programtest.Program {
	t.Helper()
	all := map[string]*programtest.Program{}
	start := func(name string, more ...string) {
		args := append(append([]string{}, settings...), more...)
		all[name] = programtest.Start(t, append(args, name)...)
	}
	at := func(name string) string { return "--" + name + "-url=" + all[name].URL }
	var addresses []string
	start("accounts")
	for _, name := range []string{"coupons", "auctions", "inventory", "billing", "purchases", "property"} {
		start(name, at("accounts"))
		addresses = append(addresses, at(name))
	}
	start("popular", at("purchases"), at("accounts"), "--popular-cache-ttl=100ms") // each process has a cache of its own
	start("gateway", append(addresses, at("accounts"), at("popular"))...)
	return all
}

// visitor asks the shop over HTTP.
type visitor struct {
	base, token string
}

// ask makes one call, of which the status must be as given.
func (v visitor) ask(t *testing.T, status int, method, path, body string, header ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, v.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, resp.StatusCode, answer, status)
	}
	return string(answer)
}

// shows is what a GET has to answer, now or soon: what travels by queue, or is
// cached in another process, takes a moment.
func (v visitor) shows(t *testing.T, path, want string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = v.ask(t, 200, "GET", path, ""); got == want {
			return
		}
	}
	t.Errorf("GET %s: %s, want %s", path, got, want)
}

// The whole shop does the same, however it is run.
func TestScenario(t *testing.T) {
	for name, start := range shapes {
		t.Run(name, func(t *testing.T) {
			v := visitor{base: start(t)}
			if v.base == "" {
				return
			}
			t.Run("coupons", v.coupons)
			t.Run("auctions", v.auctions)
			t.Run("movies", v.movies)
			t.Run("billing", v.billing)
			t.Run("purchases", v.purchases)
			t.Run("property", v.property)
			t.Run("documents", v.documents)
			t.Run("nothing", func(t *testing.T) {
				v.ask(t, 404, "GET", "/api/nothing", "")
				v.ask(t, 404, "GET", "/coupons/1/more", "")
				v.ask(t, 405, "PATCH", "/api/movies", "")
			})
		})
	}
}

func (v visitor) coupons(t *testing.T) {
	date := `"2030-01-02T03:04:05.678Z"`
	first := v.ask(t, 201, "POST", "/coupons", `{"title":"Ten percent","merchant":"Évry","published_at":`+date+`,"expire_at":`+date+`}`, "Idempotency-Key", "c1")
	again := v.ask(t, 201, "POST", "/coupons", `{"title":"Ten percent","merchant":"Évry","published_at":`+date+`,"expire_at":`+date+`}`, "Idempotency-Key", "c1")
	if first != `{"id":1}` || again != first {
		t.Errorf("%s %s", first, again)
	}
	v.ask(t, 409, "POST", "/coupons", `{"title":"Other"}`, "Idempotency-Key", "c1")
	if got := v.ask(t, 200, "GET", "/coupons?status=valid", ""); !strings.HasPrefix(got, `[{`) || !strings.Contains(got, `"expire_at":`+date) {
		t.Errorf("%s", got)
	}
	v.ask(t, 400, "GET", "/coupons?typo=1", "")
	v.ask(t, 400, "GET", "/coupons/abc", "")
	v.ask(t, 200, "PUT", "/coupons/1/", `{"title":"Twenty percent"}`, "If-Match", "*")
	v.ask(t, 412, "PUT", "/coupons/1", `{"title":"x"}`, "If-Match", `"no"`)
	v.ask(t, 204, "DELETE", "/coupons/1", "")
	v.ask(t, 404, "GET", "/coupons/1", "")
	if got := v.ask(t, 201, "POST", "/coupons", `{}`); got != `{"id":2}` {
		t.Errorf("an id is used again: %s", got)
	}
}

func (v visitor) auctions(t *testing.T) {
	v.ask(t, 201, "POST", "/api/v1/users", `{"name":"Albert"}`)
	v.ask(t, 201, "POST", "/api/v1/users", `{"name":"Berta"}`)
	v.ask(t, 201, "POST", "/api/v1/items", `{"item":{"name":"Violin"}}`)
	for i, bid := range []string{`"value":10,"user":"user1"`, `"value":"12.5","user":"user2"`, `"value":12.50,"user":"user1"`} {
		v.ask(t, 201, "POST", "/api/v1/bids", `{"bid":{"item":"item1",`+bid+`}}`, "Idempotency-Key", fmt.Sprint("b", i))
	}
	v.shows(t, "/api/v1/items/item1", `{"item":{"name":"Violin","winning":"bid2","bids":["bid1","bid2","bid3"]}}`)
	v.ask(t, 400, "POST", "/api/v1/bids", `{"bid":{"item":"item9","value":1,"user":"user1"}}`)
	v.ask(t, 204, "DELETE", "/api/v1/users/user2", "")
	v.shows(t, "/api/v1/items/item1?winningOnly=1", `{"item":{"name":"Violin","winning":"bid3"}}`)
}

func (v visitor) movies(t *testing.T) {
	if got := v.ask(t, 200, "POST", "/api/movies", `{"title":"Alien","description":"In space"}`); got != `{"id":1,"title":"Alien","description":"In space"}` {
		t.Errorf("%s", got)
	}
	v.ask(t, 400, "POST", "/api/movies", `{"title":"","colour":1}`)
	v.ask(t, 415, "POST", "/api/movies", `{"title":"x"}`, "Content-Type", "text/plain")
	v.ask(t, 413, "POST", "/api/movies", `{"title":"`+strings.Repeat("x", 2<<20)+`"}`)
	v.shows(t, "/api/movies?title=ALI", `[{"id":1,"title":"Alien","description":"In space"}]`)
	v.ask(t, 204, "DELETE", "/api/movies/", "")
	v.shows(t, "/api/movies", `[]`)
}

func (v visitor) billing(t *testing.T) {
	for range 3 { // one order, however often it is sent
		if got := v.ask(t, 200, "POST", "/api/billing", order, "Idempotency-Key", "o1"); got != `{"message":"Message posted"}` {
			t.Errorf("%s", got)
		}
	}
	v.ask(t, 400, "POST", "/api/billing/", `{"user_id":"3","number_of_items":"0","total_amount":"180"}`)
	v.ask(t, 405, "GET", "/api/billing", "")
	v.shows(t, "/api/billing/orders", `[{"id":1,"user_id":"3","number_of_items":5,"total_amount":180}]`)
	v.shows(t, "/api/billing/orders/1", `{"id":1,"user_id":"3","number_of_items":5,"total_amount":180}`)
}

func (v visitor) purchases(t *testing.T) {
	v.ask(t, 404, "GET", "/api/recent_purchases/Ann", "")
	for _, name := range []string{"Ann", "Ben"} {
		v.ask(t, 201, "POST", "/api/users", `{"username":"`+name+`","email":"`+name+`@example.org"}`)
	}
	v.ask(t, 201, "POST", "/api/products", `{"id":7,"face":"。◕‿◕。","size":20,"price":100}`)
	v.ask(t, 201, "POST", "/api/products", `{"id":8,"face":"(-_-)","size":30,"price":200}`)
	for _, p := range []string{`"product_id":8,"username":"Ann"`, `"product_id":7,"username":"Ben"`, `"product_id":7,"username":"Ann"`} {
		v.ask(t, 201, "POST", "/api/purchases", `{`+p+`}`)
	}
	v.ask(t, 409, "POST", "/api/users", `{"username":"Ann","email":"x@example.org"}`)
	var recent []struct {
		ID     int64
		Recent []string
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/api/recent_purchases/Ann", http.NoBody)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK { // that there is no Ann is remembered for a short while
			continue
		}
		if err := json.Unmarshal(text, &recent); err != nil {
			t.Fatal(err)
		}
		if len(recent) == 2 && len(recent[0].Recent) == 2 {
			break
		}
	}
	if len(recent) != 2 || recent[0].ID != 7 || len(recent[0].Recent) != 2 || recent[1].ID != 8 || len(recent[1].Recent) != 1 {
		t.Errorf("%+v", recent)
	}
}

func (v visitor) property(t *testing.T) {
	signUp := func(mail string) visitor {
		v.ask(t, 201, "POST", "/api/user/", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"`+mail+`","password":"correct horse battery"}`)
		answer := v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"`+mail+`","password":"correct horse battery"}`)
		return visitor{base: v.base, token: field([]byte(answer), "access_token")}
	}
	v.ask(t, 401, "GET", "/api/property/", "")
	ann, ben := signUp("ann@example.org"), signUp("ben@example.org")
	v.ask(t, 409, "POST", "/api/user/", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"ANN@example.org","password":"correct horse battery"}`)
	ann.ask(t, 201, "POST", "/api/type/", `{"name":"House","description":"a house"}`)
	ann.ask(t, 201, "POST", "/api/property/", `{"name":"Home","description":"d","city":"Paris","typeId":1}`)
	ben.ask(t, 201, "POST", "/api/property/", `{"name":"Hut","description":"d","city":"Lyon","typeId":1}`)
	ben.ask(t, 403, "POST", "/api/property/1/rooms", `{"name":"Room","description":"d"}`)
	ann.ask(t, 201, "POST", "/api/property/1/rooms", `{"name":"Room","description":"d","characteristics":{"surface_m2":12.5}}`)
	bidder := field([]byte(ann.ask(t, 201, "POST", "/api/v1/users", `{"name":"Ann","account_id":1}`)), "user_id")
	ann.ask(t, 201, "POST", "/api/v1/bids", `{"bid":{"item":"item1","value":"7.5","user":"`+bidder+`"}}`)
	ann.ask(t, 200, "POST", "/api/billing", `{"user_id":"1","number_of_items":2,"total_amount":3}`)
	ann.personalData(t, bidder)
	ben.ask(t, 403, "GET", "/api/personal-data/1", "")
	ben.ask(t, 404, "GET", "/api/personal-data/99", "")
	v.ask(t, 401, "GET", "/api/personal-data/1", "")
	ann.ask(t, 200, "DELETE", "/api/user/1", "")

	// Its homes go, and its bids stay under a name that says nothing.
	ben.shows(t, "/api/property/", `[{"propertyId":2,"name":"Hut","description":"d","city":"Lyon","typeId":1,"userId":2}]`)
	ben.ask(t, 404, "GET", "/api/room/1", "")
	for deadline := time.Now().Add(30 * time.Second); strings.Contains(v.ask(t, 200, "GET", "/api/v1/users/"+bidder, ""), "Ann"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the bidder keeps the name of a deleted account")
		}
	}
}

// One call tells everything about the first account, once its order is there.
func (v visitor) personalData(t *testing.T, bidder string) {
	t.Helper()
	want := `[{"service":"accounts","kind":"account","data":{"userId":1,"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"ann@example.org","staff":false}},` +
		`{"service":"property","kind":"property","data":{"propertyId":1,"name":"Home","description":"d","city":"Paris","typeId":1,"userId":1}},` +
		`{"service":"property","kind":"room","data":{"roomId":1,"name":"Room","description":"d","propertyId":1,"characteristics":{"surface_m2":12.5}}},` +
		`{"service":"auctions","kind":"bidder","data":{"user_id":"` + bidder + `","name":"Ann"}},` +
		`{"service":"auctions","kind":"bid","data":{"bid_id":"bid4","bid":{"item":"item1","value":7.5,"user":"` + bidder + `"},"placed_at":AT}},` +
		`{"service":"billing","kind":"order","data":{"id":2,"user_id":"1","number_of_items":2,"total_amount":3}}]`
	at := regexp.MustCompile(`"placed_at":"[^"]*Z"`)
	var got string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = at.ReplaceAllString(v.ask(t, 200, "GET", "/api/personal-data/1", ""), `"placed_at":AT`); got == want {
			return
		}
	}
	t.Errorf("GET /api/personal-data/1:\n%s\nwant\n%s", got, want)
}

// The documents and the pages say everything in every shape.
func (v visitor) documents(t *testing.T) {
	doc := v.ask(t, 200, "GET", "/openapi.json", "")
	for _, op := range operations(t) {
		if !strings.Contains(doc, `"`+op.ID+`"`) {
			t.Errorf("/openapi.json has no %s", op.ID)
		}
	}
	v.ask(t, 200, "GET", "/docs", "")
	v.ask(t, 200, "GET", "/swagger.json", "")
	ready := v.ask(t, 200, "GET", "/readyz", "")
	for _, name := range []string{"accounts", "coupons", "auctions", "property", "inventory", "billing", "purchases"} {
		if !strings.Contains(ready, `"`+name+`":"ready"`) {
			t.Errorf("/readyz does not say that %s is ready: %s", name, ready)
		}
	}
}
