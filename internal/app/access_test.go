package app_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
)

// The access table, written out by hand: what happens to nobody, a stranger, the
// owner and staff. y: it is done; 1: 401; 3: 403; 0: 400. It is compared with
// what the program does, not with what its operations declare.
type right struct{ open, protected string }

var (
	anyone         = right{"yyyy", "yyyy"}
	staffWrite     = right{"yyyy", "133y"} // write coupons, movies, …; change or delete a bid; read customers and purchases
	bidAsOneself   = right{"0000", "1yyy"} // the user left out
	bidAsOwner     = right{"yyyy", "13y3"}
	bidAsAnother   = right{"yyyy", "1333"}
	orderAsOwner   = right{"yyyy", "13y3"}
	ownOrStaff     = right{"yyyy", "13yy"} // read orders, read accounts
	signedInOrOpen = right{"yyyy", "1yyy"} // lists of one's own; recent purchases
	signedIn       = right{"1yyy", "1yyy"} // read properties, rooms, types; make a property
	ownerWrite     = right{"13y3", "13yy"} // write a property or its rooms; change or delete an account
	typeWrite      = right{"1yyy", "133y"}
	staffOnly      = right{"133y", "133y"}
	ownKeys        = right{"13yy", "13yy"}
	oneself        = right{"13y3", "13y3"}
	inside         = right{"1333", "1333"} // the deployment's own commands and processes
	insideOrOpen   = right{"yyyy", "1333"}
)

// probe is one call of an operation, on a thing that is made for it.
type probe struct {
	call   string // "PUT /coupons/{id}", as in the document
	status int    // when it is done
	right  right
	body   string                     // %d becomes a new number
	made   func(w *world) (id string) // what stands for the {…} of the path, or is left out
	query  string                     // behind the path
	fresh  bool                       // it ends the token that is sent: a new one is
}

func probes() []probe {
	return []probe{
		{call: "GET /coupons", status: 200, right: anyone},
		{call: "POST /coupons", status: 201, right: staffWrite, body: `{"title":"x"}`},
		{call: "GET /coupons/{id}", status: 200, right: anyone, made: (*world).coupon},
		{call: "PUT /coupons/{id}", status: 200, right: staffWrite, body: `{"title":"y"}`, made: (*world).coupon},
		{call: "DELETE /coupons/{id}", status: 204, right: staffWrite, made: (*world).coupon},

		{call: "GET /api/v1/users", status: 200, right: anyone},
		{call: "POST /api/v1/users", status: 201, right: staffWrite, body: `{"name":"x"}`},
		{call: "GET /api/v1/users/{id}", status: 200, right: anyone, made: (*world).bidder},
		{call: "PUT /api/v1/users/{id}", status: 201, right: staffWrite, body: `{"name":"y"}`, made: (*world).bidder},
		{call: "DELETE /api/v1/users/{id}", status: 204, right: staffWrite, made: (*world).bidder},
		{call: "GET /api/v1/users/{id}/items", status: 200, right: anyone, made: (*world).bidder},
		{call: "GET /api/v1/items", status: 200, right: anyone},
		{call: "POST /api/v1/items", status: 201, right: staffWrite, body: `{"item":{"name":"x"}}`},
		{call: "GET /api/v1/items/{id}", status: 200, right: anyone, made: (*world).item},
		{call: "PUT /api/v1/items/{id}", status: 201, right: staffWrite, body: `{"item":{"name":"y"}}`, made: (*world).item},
		{call: "DELETE /api/v1/items/{id}", status: 204, right: staffWrite, made: (*world).item},
		{call: "GET /api/v1/bids", status: 200, right: anyone},
		{call: "POST /api/v1/bids", status: 201, right: bidAsOneself, body: `{"bid":{"item":"item1","value":%d}}`},
		{call: "POST /api/v1/bids", status: 201, right: bidAsOwner, body: `{"bid":{"item":"item1","value":%d,"user":"OWNERS"}}`},
		{call: "POST /api/v1/bids", status: 201, right: bidAsAnother, body: `{"bid":{"item":"item1","value":%d,"user":"user1"}}`},
		{call: "GET /api/v1/bids/{id}", status: 200, right: anyone, made: (*world).bid},
		{call: "PUT /api/v1/bids/{id}", status: 201, right: staffWrite, body: `{"bid":{"value":%d}}`, made: (*world).bid},
		{call: "DELETE /api/v1/bids/{id}", status: 204, right: staffWrite, made: (*world).bid},

		{call: "GET /api/property", status: 200, right: signedIn},
		{call: "POST /api/property", status: 201, right: signedIn, body: `{"name":"x","description":"d","city":"c","typeId":1}`},
		{call: "GET /api/property/{id}", status: 200, right: signedIn, made: (*world).property},
		{call: "PUT /api/property/{id}", status: 200, right: ownerWrite, body: `{"name":"y"}`, made: (*world).property},
		{call: "DELETE /api/property/{id}", status: 200, right: ownerWrite, made: (*world).property},
		{call: "GET /api/property/{id}/rooms", status: 200, right: signedIn, made: (*world).property},
		{call: "POST /api/property/{id}/rooms", status: 201, right: ownerWrite, body: `{"name":"x","description":"d"}`, made: (*world).property},
		{call: "GET /api/room/{id}", status: 200, right: signedIn, made: (*world).room},
		{call: "PUT /api/room/{id}", status: 200, right: ownerWrite, body: `{"name":"y"}`, made: (*world).room},
		{call: "DELETE /api/room/{id}", status: 200, right: ownerWrite, made: (*world).room},
		{call: "GET /api/type", status: 200, right: signedIn},
		{call: "POST /api/type", status: 201, right: typeWrite, body: `{"name":"x","description":"d"}`},
		{call: "GET /api/type/{id}", status: 200, right: signedIn, made: (*world).kind},
		{call: "PUT /api/type/{id}", status: 200, right: typeWrite, body: `{"name":"y"}`, made: (*world).kind},
		{call: "DELETE /api/type/{id}", status: 200, right: typeWrite, made: (*world).kind},

		{call: "GET /api/user", status: 200, right: signedInOrOpen},
		{call: "POST /api/user", status: 201, right: anyone, body: `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"new%d@example.org","password":"correct horse"}`},
		{call: "POST /api/user/auth", status: 200, right: anyone, body: `{"mail":"owner@example.org","password":"correct horse owner"}`},
		{call: "GET /api/user/{id}", status: 200, right: ownOrStaff, made: (*world).ownersID},
		{call: "PUT /api/user/{id}", status: 200, right: ownerWrite, body: `{"firstName":"y"}`, made: (*world).ownersID},
		{call: "DELETE /api/user/{id}", status: 200, right: ownerWrite, made: (*world).account},
		{call: "POST /api/user/refresh", status: 200, right: anyone, body: `{"refresh_token":"REFRESH"}`},
		{call: "POST /api/user/sign-out", status: 204, right: signedIn, fresh: true},
		{call: "GET /api/user/revocations", status: 200, right: insideOrOpen},
		{call: "PUT /api/user/{id}/password", status: 200, right: oneself, body: `{"password":"correct horse","newPassword":"a purple bicycle"}`, made: (*world).account},
		{call: "POST /api/user/password-reset", status: 409, right: anyone, body: `{"mail":"owner@example.org"}`},
		{call: "PUT /api/user/password-reset", status: 400, right: anyone, body: `{"token":"emt_none","newPassword":"a purple bicycle"}`},
		{call: "POST /api/user/password-reset/token", status: 200, right: inside, body: `{"mail":"owner@example.org"}`},
		{call: "GET /api/user/{id}/keys", status: 200, right: ownKeys, made: (*world).ownersID},
		{call: "POST /api/user/{id}/keys", status: 201, right: ownKeys, body: `{"name":"x","scopes":"*:read"}`, made: (*world).ownersID},
		{call: "DELETE /api/user/{id}/keys/{key}", status: 204, right: ownKeys, made: (*world).apiKey},
		{call: "GET /api/user/key", status: 404, right: signedIn},
		{call: "GET /api/signing-keys", status: 200, right: inside},
		{call: "POST /api/signing-keys", status: 201, right: inside},
		{call: "DELETE /api/signing-keys/{kid}", status: 204, right: inside, made: func(*world) string { return "x" }},
		{call: "GET /api/personal-data/{id}", status: 200, right: ownerWrite, made: (*world).ownersID},
		{call: "GET /api/personal-records/accounts/{id}", status: 200, right: ownerWrite, made: (*world).ownersID},
		{call: "GET /api/personal-records/auctions/{id}", status: 200, right: ownerWrite, made: (*world).ownersID},
		{call: "GET /api/personal-records/billing/{id}", status: 200, right: ownerWrite, made: (*world).ownersID},
		{call: "GET /api/personal-records/property/{id}", status: 200, right: ownerWrite, made: (*world).ownersID},
		{call: "GET /.well-known/jwks.json", status: 200, right: anyone},
		{call: "GET /api/staff", status: 200, right: staffOnly},
		{call: "POST /api/staff", status: 200, right: staffOnly, body: `{"mail":"member%d@example.org","password":"correct horse"}`},
		{call: "DELETE /api/staff/{id}", status: 200, right: staffOnly, made: (*world).member},
		{call: "GET /api/staff/log/accounts", status: 200, right: staffOnly},
		{call: "GET /api/staff/log/auctions", status: 200, right: staffOnly},
		{call: "GET /api/staff/log/billing", status: 200, right: staffOnly},
		{call: "GET /api/staff/log/coupons", status: 200, right: staffOnly},
		{call: "GET /api/staff/log/inventory", status: 200, right: staffOnly},
		{call: "GET /api/staff/log/property", status: 200, right: staffOnly},
		{call: "GET /api/staff/log/purchases", status: 200, right: staffOnly},

		{call: "GET /api/movies", status: 200, right: anyone},
		{call: "POST /api/movies", status: 200, right: staffWrite, body: `{"title":"x"}`},
		{call: "DELETE /api/movies", status: 204, right: staffWrite},
		{call: "GET /api/movies/{id}", status: 200, right: anyone, made: (*world).movie},
		{call: "PUT /api/movies/{id}", status: 200, right: staffWrite, body: `{"title":"y"}`, made: (*world).movie},
		{call: "DELETE /api/movies/{id}", status: 204, right: staffWrite, made: (*world).movie},

		{call: "POST /api/billing", status: 200, right: orderAsOwner, body: `{"user_id":"OWNER","number_of_items":1,"total_amount":1}`},
		{call: "GET /api/billing/orders", status: 200, right: signedInOrOpen},
		{call: "GET /api/billing/orders", status: 200, right: ownOrStaff, query: "?user_id=OWNER"},
		{call: "GET /api/billing/orders/{id}", status: 200, right: ownOrStaff, made: func(*world) string { return "1" }},

		{call: "GET /api/users", status: 200, right: staffWrite},
		{call: "POST /api/users", status: 201, right: staffWrite, body: `{"username":"u%d","email":"u@example.org"}`},
		{call: "GET /api/users/{username}", status: 200, right: staffWrite, made: buyer},
		{call: "GET /api/products", status: 200, right: anyone},
		{call: "POST /api/products", status: 201, right: staffWrite, body: `{"id":%d,"face":"(o)","size":1,"price":1}`},
		{call: "GET /api/products/{id}", status: 200, right: anyone, made: func(*world) string { return "1" }},
		{call: "POST /api/purchases", status: 201, right: staffWrite, body: `{"product_id":1,"username":"buyer"}`},
		{call: "GET /api/purchases/by_user/{username}", status: 200, right: staffWrite, made: buyer},
		{call: "GET /api/purchases/by_product/{product_id}", status: 200, right: staffWrite, made: func(*world) string { return "1" }},
		{call: "GET /api/recent_purchases/{username}", status: 200, right: signedInOrOpen, made: buyer},
	}
}

func buyer(*world) string { return "buyer" }

// world is a shop that runs, with those who call it.
type world struct {
	t     *testing.T
	mode  string
	base  string            // of its gateway
	past  map[string]string // by path, where calls go past the gateway; nil: they do not
	count int

	staff, owner, stranger, ownersBidder, ownerID string
	bad                                           map[string]string // tokens that do not hold
}

// signingKey is what the tests sign tokens with, good ones and bad.
var signingKey = ed25519.NewKeyFromSeed([]byte("emporium tests: not a secret key"))

func tokenKeyFlag(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	return "--token-key=" + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// populate fills a new shop, and makes the tokens.
func (w *world) populate(data string) {
	t := w.t
	v := visitor{base: w.base}
	account := func(name string) (id, token string) {
		mail, password := name+"@example.org", "correct horse "+name
		answer := v.ask(t, 201, "POST", "/api/user", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"`+mail+`","password":"`+password+`"}`)
		token = field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"`+mail+`","password":"`+password+`"}`)), "access_token")
		return idOf(t, answer, "userId"), token
	}
	w.ownerID, w.owner = account("owner")
	_, w.stranger = account("stranger")
	if status, out, errs := command(t, "correct horse staff", "staff", "add", "staff@example.org", "--password-stdin", "--data="+data); status != 0 {
		t.Fatalf("%d %s %s", status, out, errs)
	}
	w.staff = field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"staff@example.org","password":"correct horse staff"}`)), "access_token")
	w.bad = forged(t, w.staff)

	w.make("/api/v1/users", `{"name":"first"}`, "user_id")
	w.make("/api/v1/items", `{"item":{"name":"first"}}`, "item_id")
	if w.mode == "open" {
		w.ownersBidder = w.make("/api/v1/users", `{"name":"owner"}`, "user_id")
	} else {
		answer := visitor{base: w.base, token: w.owner}.ask(t, 201, "POST", "/api/v1/bids", `{"bid":{"item":"item1","value":1}}`)
		_, rest, _ := strings.Cut(answer, `"user":"`)
		w.ownersBidder, _, _ = strings.Cut(rest, `"`)
	}
	w.make("/api/type", `{"name":"first","description":"d"}`, "typeId")
	visitor{base: w.base, token: w.owner}.ask(t, 200, "POST", "/api/billing", `{"user_id":"`+w.ownerID+`","number_of_items":1,"total_amount":1}`)
	w.make("/api/users", `{"username":"buyer","email":"b@example.org"}`, "")
	w.make("/api/products", `{"id":1,"face":"(o)","size":1,"price":1}`, "")
	w.make("/api/purchases", `{"product_id":1,"username":"buyer"}`, "")
	until(t, "the order is written down", func() bool {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"/api/billing/orders/1", nil)
		r.Header.Set("Authorization", "Bearer "+w.staff)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// forged gives tokens that do not hold, each as good as the one it is made from
// but for one thing.
func forged(t *testing.T, good string) map[string]string {
	t.Helper()
	parts := strings.Split(good, ".")
	var header, claims map[string]any
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	encode := func(v map[string]any) string {
		text, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	with := func(m map[string]any, name string, value any) map[string]any {
		changed := maps.Clone(m)
		changed[name] = value
		return changed
	}
	signed := func(header, claims map[string]any) string {
		text := encode(header) + "." + encode(claims)
		return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(signingKey, []byte(text)))
	}
	if !strings.EqualFold(fmt.Sprint(claims["staff"]), "true") {
		t.Fatalf("the token of staff says %v", claims)
	}
	hs := encode(with(header, "alg", "HS256")) + "." + encode(claims)
	mac := hmac.New(sha256.New, signingKey.Public().(ed25519.PublicKey))
	mac.Write([]byte(hs))
	none := encode(with(header, "alg", "none")) + "." + encode(claims) + "."
	return map[string]string{
		"as good, but expired":      signed(header, with(claims, "exp", time.Now().Add(-time.Second).Unix())),
		"tampered":                  parts[0] + "." + encode(with(claims, "sub", "1")) + "." + parts[2],
		"for another audience":      signed(header, with(claims, "aud", "elsewhere")),
		"of another issuer":         signed(header, with(claims, "iss", "elsewhere")),
		"alg none":                  none,
		"alg none, with signature":  none + parts[2],
		"HS256 with the public key": hs + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"of an unknown key":         signed(with(header, "kid", "unknown"), claims),
		"not a token":               "garbage",
	}
}

func idOf(t *testing.T, answer, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(answer), &m); err != nil || m[name] == nil {
		t.Fatalf("%s has no %s: %v", answer, name, err)
	}
	return strings.Trim(fmt.Sprint(m[name]), `"`)
}

// make makes one thing as staff, and gives its id.
func (w *world) make(path, body, id string) string {
	w.t.Helper()
	status := 201
	if path == "/api/movies" || path == "/api/staff" {
		status = 200
	}
	answer := visitor{base: w.base, token: w.staff}.ask(w.t, status, "POST", path, body)
	if id == "" {
		return ""
	}
	return idOf(w.t, answer, id)
}

func (w *world) next() int {
	w.count++
	return 1000 + w.count
}

func (w *world) coupon() string { return w.make("/coupons", `{}`, "id") }
func (w *world) bidder() string { return w.make("/api/v1/users", `{"name":"x"}`, "user_id") }
func (w *world) item() string   { return w.make("/api/v1/items", `{"item":{"name":"x"}}`, "item_id") }
func (w *world) movie() string  { return w.make("/api/movies", `{"title":"x"}`, "id") }
func (w *world) kind() string   { return w.make("/api/type", `{"name":"x","description":"d"}`, "typeId") }

func (w *world) bid() string {
	body := `{"bid":{"item":"item1","value":1}}`
	if w.mode == "open" {
		body = `{"bid":{"item":"item1","value":1,"user":"user1"}}`
	}
	return w.make("/api/v1/bids", body, "bid_id")
}

func (w *world) property() string {
	answer := visitor{base: w.base, token: w.owner}.ask(w.t, 201, "POST", "/api/property", `{"name":"x","description":"d","city":"c","typeId":1}`)
	return idOf(w.t, answer, "propertyId")
}

func (w *world) room() string {
	answer := visitor{base: w.base, token: w.owner}.ask(w.t, 201, "POST", "/api/property/"+w.property()+"/rooms", `{"name":"x","description":"d"}`)
	return idOf(w.t, answer, "roomId")
}

func (w *world) ownersID() string { return w.ownerID }

// account is a new one, whose token becomes the owner's for one call.
func (w *world) account() string {
	v, mail := visitor{base: w.base}, fmt.Sprintf("gone%d@example.org", w.next())
	answer := v.ask(w.t, 201, "POST", "/api/user", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"`+mail+`","password":"correct horse"}`)
	return idOf(w.t, answer, "userId") + " " + field([]byte(v.ask(w.t, 200, "POST", "/api/user/auth", `{"mail":"`+mail+`","password":"correct horse"}`)), "access_token")
}

func (w *world) apiKey() string {
	answer := visitor{base: w.base, token: w.owner}.ask(w.t, 201, "POST", "/api/user/"+w.ownerID+"/keys", `{"name":"x","scopes":"*:read"}`)
	return w.ownerID + "/keys/" + idOf(w.t, answer, "keyId")
}

func (w *world) refresh() string {
	answer := visitor{base: w.base}.ask(w.t, 200, "POST", "/api/user/auth?refresh=1", `{"mail":"owner@example.org","password":"correct horse owner"}`)
	return field([]byte(answer), "refresh_token")
}

func (w *world) member() string {
	answer := visitor{base: w.base, token: w.staff}.ask(w.t, 200, "POST", "/api/staff", fmt.Sprintf(`{"mail":"gone%d@example.org","password":"correct horse"}`, w.next()))
	var made struct {
		Account struct{ UserID int }
	}
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		w.t.Fatal(err)
	}
	return itoa(made.Account.UserID)
}

// forgedHeaders are how a proxy might tell a service who asks. Nobody is
// believed.
var forgedHeaders = map[string]string{
	"X-User-Id": "1", "X-Emporium-User": "1", "X-Emporium-Staff": "true", "X-Staff": "true", "X-Role": "staff", "Remote-User": "staff",
	"X-Remote-User": "staff@example.org", "X-Auth-Request-User": "staff@example.org", "X-Authenticated-Userid": "1", "X-Real-Ip": "127.0.0.1",
	"X-Original-Url": "/coupons", "X-Http-Method-Override": "GET", "X-Emporium-Inside": "true", "Proxy-Authorization": "Bearer staff",
}

// do makes the call of a probe, and gives the status.
func (w *world) do(p probe, token, ownerToken string) (int, string) {
	w.t.Helper()
	method, path, _ := strings.Cut(p.call, " ")
	if p.made != nil {
		id, own, _ := strings.Cut(p.made(w), " ")
		if own != "" && token == ownerToken {
			token = own
		}
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		if strings.Contains(after, "{") { // what is made is all of the rest
			after = ""
		}
		path = before + id + after
	}
	if p.fresh && (token == w.stranger || token == w.owner || token == w.staff) {
		_, token, _ = strings.Cut(w.account(), " ")
	}
	if before, after, found := strings.Cut(p.body, "REFRESH"); found {
		p.body = before + w.refresh() + after
	}
	fill := strings.NewReplacer("OWNERS", w.ownersBidder, "OWNER", w.ownerID, "%d", itoa(w.next()))
	base := w.base
	if w.past != nil {
		longest := ""
		for prefix, service := range w.past {
			if strings.HasPrefix(path, prefix) && len(prefix) > len(longest) {
				longest, base = prefix, service
			}
		}
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, base+path+fill.Replace(p.query), strings.NewReader(fill.Replace(p.body)))
	if err != nil {
		w.t.Fatal(err)
	}
	if p.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if w.past != nil {
		for name, value := range forgedHeaders {
			r.Header.Set(name, value)
		}
		r.Header.Set("Emporium-Access", w.mode)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if p.call == "GET /.well-known/jwks.json" && strings.Contains(string(body), `"d"`) {
		w.t.Errorf("the private key is shown: %s", body)
	}
	if challenge := resp.Header.Get("WWW-Authenticate"); (resp.StatusCode == http.StatusUnauthorized) != (challenge == "Bearer") {
		w.t.Errorf("%s: %d with WWW-Authenticate %q", p.call, resp.StatusCode, challenge)
	}
	return resp.StatusCode, string(body)
}

// walk holds every operation of the document against the table.
func (w *world) walk() {
	t := w.t
	var documented, walked []string
	for _, op := range operations(t) {
		documented = append(documented, op.method+" "+op.path)
	}
	for _, p := range probes() {
		walked = append(walked, p.call)
		row := p.right.open
		if w.mode == "protected" {
			row = p.right.protected
		}
		want := func(letter byte) int {
			return map[byte]int{'y': p.status, '1': 401, '3': 403, '0': 400}[letter]
		}
		callers := []struct {
			name, token string
			want        int
		}{
			{"nobody", "", want(row[0])},
			{"a stranger", w.stranger, want(row[1])},
			{"the owner", w.owner, want(row[2])},
			{"staff", w.staff, want(row[3])},
		}
		for why, token := range w.bad {
			callers = append(callers, struct {
				name, token string
				want        int
			}{"a token " + why, token, want(row[0])})
		}
		for _, c := range callers {
			if got, answer := w.do(p, c.token, w.owner); got != c.want {
				t.Errorf("%s %s %s by %s: %d, want %d\n%.300s", p.call, p.query, p.body, c.name, got, c.want, answer)
			}
		}
	}
	slices.Sort(walked)
	slices.Sort(documented)
	if walked = slices.Compact(walked); !slices.Equal(walked, documented) {
		t.Errorf("the table has\n%v\nthe document\n%v", walked, documented)
	}
}

// TestAccess walks every operation, in both modes, in one process and split, and
// then past the gateway.
func TestAccess(t *testing.T) {
	for _, mode := range []string{"open", "protected"} {
		settings := func(t *testing.T) (data string, flags []string) {
			data = filepath.Join(t.TempDir(), "data")
			flags = []string{"--data=" + data, tokenKeyFlag(t)}
			if mode == "protected" {
				flags = append(flags, "--access=protected", "--limit-address=off", "--limit-account=off", "--limit-sign-in=off", "--limit-sign-in-mail=off", "--limit-sign-up=off") // the walk asks more often than anybody may
			}
			return data, flags
		}
		t.Run(mode+" in one process", func(t *testing.T) {
			data, flags := settings(t)
			w := &world{t: t, mode: mode, base: programtest.Start(t, flags...).URL}
			w.populate(data)
			w.walk()
			w.ownLists()
			w.logged(data)
			w.massAssignment()
		})
		t.Run(mode+" split", func(t *testing.T) {
			data, flags := settings(t)
			all := split(t, flags...)
			w := &world{t: t, mode: mode, base: all["gateway"].URL}
			w.populate(data)
			w.walk()
			w.ownLists()
			w.logged(data)
			w.past = map[string]string{
				"/coupons": all["coupons"].URL, "/api/v1": all["auctions"].URL, "/api/property": all["property"].URL,
				"/api/room": all["property"].URL, "/api/type": all["property"].URL, "/api/user": all["accounts"].URL,
				"/api/staff": all["accounts"].URL, "/.well-known": all["accounts"].URL, "/api/movies": all["inventory"].URL,
				"/api/billing/orders": all["billing"].URL, "/api/users": all["purchases"].URL, "/api/products": all["purchases"].URL,
				"/api/staff/log/auctions": all["auctions"].URL, "/api/staff/log/billing": all["billing"].URL, "/api/staff/log/coupons": all["coupons"].URL,
				"/api/staff/log/inventory": all["inventory"].URL, "/api/staff/log/property": all["property"].URL, "/api/staff/log/purchases": all["purchases"].URL,
				"/api/personal-records/accounts": all["accounts"].URL, "/api/personal-records/auctions": all["auctions"].URL,
				"/api/personal-records/billing": all["billing"].URL, "/api/personal-records/property": all["property"].URL,
				"/api/purchases": all["purchases"].URL, "/api/recent_purchases": all["popular"].URL,
			}
			w.walk()
		})
	}
}

// logged holds the log against what staff did during the walk.
func (w *world) logged(data string) {
	status, out, errs := command(w.t, "", "staff", "log", "--last=100000", "--data="+data)
	if status != 0 {
		w.t.Fatalf("%d %s", status, errs)
	}
	account := "account " + w.staffID()
	for _, p := range probes() {
		method, path, _ := strings.Cut(p.call, " ")
		row := p.right.open
		if w.mode == "protected" {
			row = p.right.protected
		}
		// Orders go into the queue, and signing in and out is one's own affair: no
		// staff member's right is needed for them.
		own := []string{"/api/user", "/api/user/auth", "/api/user/refresh", "/api/user/sign-out", "/api/user/password-reset", "/api/billing"}
		if method == http.MethodGet || row[3] != 'y' || slices.Contains(own, path) {
			continue
		}
		before, _, _ := strings.Cut(path, "{")
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			return strings.Contains(line, account+" ") && strings.Contains(line, "  127.0.0.1 ") && strings.Contains(line, " "+method+" "+before)
		}) {
			w.t.Errorf("the log has no %s by staff:\n%.2000s", p.call, out)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		if !strings.HasPrefix(line, "when ") && !strings.Contains(line, account+" ") && !strings.Contains(line, "operator ") || strings.Contains(line, " GET ") {
			w.t.Errorf("the log has what staff did not do: %s", line)
		}
	}
}

func (w *world) staffID() string {
	var all []struct {
		ID   int `json:"userId"`
		Mail string
	}
	if err := json.Unmarshal([]byte(visitor{base: w.base, token: w.staff}.ask(w.t, 200, "GET", "/api/staff", "")), &all); err != nil {
		w.t.Fatal(err)
	}
	for _, m := range all {
		if m.Mail == "staff@example.org" {
			return itoa(m.ID)
		}
	}
	w.t.Fatal("staff is gone")
	return ""
}

// massAssignment sends fields that nobody may set, or only to what they are.
func (w *world) massAssignment() {
	t := w.t
	owner, stranger := visitor{base: w.base, token: w.owner}, visitor{base: w.base, token: w.stranger}
	account := `"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"mass@example.org","password":"correct horse"`
	for _, field := range []string{`"userId":1`, `"role":"staff"`, `"staff":true`, `"Staff":true`, `"version":9`, `"password_hash":"x"`, `"mail_key":"x"`} {
		stranger.ask(t, 400, "POST", "/api/user", `{`+account+`,`+field+`}`)
		stranger.ask(t, 400, "POST", "/api/property", `{"name":"x","description":"d","city":"c","typeId":1,`+strings.Replace(field, `"userId":1`, `"userId":`+w.ownerID, 1)+`}`)
		if field != `"userId":1` || w.ownerID != "1" {
			owner.ask(t, 400, "PUT", "/api/user/"+w.ownerID, `{"firstName":"A",`+field+`}`)
		}
	}
	owner.ask(t, 400, "PUT", "/api/user/"+w.ownerID, `{"userId":999}`)
	owner.ask(t, 400, "PUT", "/api/user/"+w.ownerID, `{"mail":"else@example.org"}`)
	owner.ask(t, 400, "PUT", "/api/user/"+w.ownerID, `{"password":"another one"}`)
	house, room := w.property(), w.room()
	for _, body := range []string{`{"userId":999}`, `{"propertyId":999}`, `{"owner":1}`, `{"role":"staff"}`} {
		owner.ask(t, 400, "PUT", "/api/property/"+house, body)
		owner.ask(t, 400, "PUT", "/api/room/"+room, strings.Replace(body, "userId", "roomId", 1))
	}
	owner.ask(t, 400, "PUT", "/api/room/"+room, `{"propertyId":1}`) // into somebody else's house
	staff := visitor{base: w.base, token: w.staff}
	staff.ask(t, 400, "POST", "/api/movies", `{"id":7777,"title":"x"}`)
	staff.ask(t, 400, "POST", "/api/users", `{"username":"x","email":"x@example.org","role":"staff"}`)
	// Coupons and auctions ignore what they do not know.
	if got := staff.ask(t, 201, "POST", "/coupons", `{"id":7777,"version":5}`); got == `{"id":7777}` {
		t.Error("the id of a coupon was chosen by its caller")
	}
	if got := staff.ask(t, 201, "POST", "/api/v1/items", `{"item_id":"item7777","item":{"name":"x","winning":"bid1","bids":["bid1"]}}`); strings.Contains(got, "7777") || strings.Contains(got, "bid1") {
		t.Errorf("an item took what its caller chose: %s", got)
	}
	body := `{"bid_id":"bid7777","bid":{"item":"item1","value":1,"user":"` + w.ownersBidder + `","seq":1,"placed_at":"2000-01-01T00:00:00.000Z"}}`
	if got := owner.ask(t, 201, "POST", "/api/v1/bids", body); strings.Contains(got, "7777") {
		t.Errorf("a bid took what its caller chose: %s", got)
	}
	if w.mode == "protected" {
		// A bidder of one's own is not made by saying whose it is.
		stranger.ask(t, 403, "POST", "/api/v1/users", `{"name":"x","account_id":`+w.ownerID+`}`)
	}
	if got := owner.ask(t, 200, "GET", "/api/user/"+w.ownerID, ""); strings.Contains(got, "staff") || strings.Contains(got, "else@") {
		t.Errorf("the owner is %s", got)
	}
}

// ownLists holds what lists show to whom may not see all.
func (w *world) ownLists() {
	for path, own := range map[string]string{"/api/user": `"userId":` + w.ownerID, "/api/billing/orders": `"user_id":"` + w.ownerID + `"`} {
		id, _, _ := strings.Cut(own, ":")
		mine := visitor{base: w.base, token: w.owner}.ask(w.t, 200, "GET", path, "")
		strangers := visitor{base: w.base, token: w.stranger}.ask(w.t, 200, "GET", path, "")
		all := visitor{base: w.base, token: w.staff}.ask(w.t, 200, "GET", path, "")
		if w.mode == "open" {
			if mine != all || strangers != all {
				w.t.Errorf("%s differs by caller", path)
			}
			continue
		}
		if strings.Count(mine, id) != strings.Count(mine, own) || !strings.Contains(mine, own) || strings.Contains(strangers, own) || !strings.Contains(all, own) {
			w.t.Errorf("%s: the owner sees %s\na stranger %s\nstaff %s", path, mine, strangers, all)
		}
	}
	if w.mode == "protected" {
		for next, n := "/api/user?limit=1", 0; n < 3; n++ {
			got := visitor{base: w.base, token: w.owner}.ask(w.t, 200, "GET", next, "")
			if n > 0 && got != "[]" {
				w.t.Errorf("the page after oneself holds %s", got)
			}
			next = "/api/user?limit=1&cursor=c" + "1"
		}
	}
}
