package fuzztest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"emporium/internal/platform/httpapi"
)

// need is what a caller must be to have an operation done.
type need uint8

const (
	anyone need = iota
	signedIn
	own        // whoever owns the thing
	ownOrStaff // likewise, and staff
	staff
	staffOrInside
	inside // the deployment's own commands and processes
)

// rules are what the document's words about access ask for, in open mode and in
// protected mode. Written by hand: it is not what the operations declare.
var rules = map[string][2]need{
	httpapi.ReadCatalogue.Rule:   {anyone, anyone},
	httpapi.WriteCatalogue.Rule:  {anyone, staff},
	httpapi.PlaceBid.Rule:        {anyone, own},
	httpapi.PostOrder.Rule:       {anyone, own},
	httpapi.ReadOrders.Rule:      {anyone, ownOrStaff},
	httpapi.ReadProperty.Rule:    {signedIn, signedIn},
	httpapi.CreateProperty.Rule:  {signedIn, signedIn},
	httpapi.WriteProperty.Rule:   {own, ownOrStaff},
	httpapi.WriteTypes.Rule:      {signedIn, staff},
	httpapi.ReadAccounts.Rule:    {anyone, ownOrStaff},
	httpapi.WriteAccount.Rule:    {own, ownOrStaff},
	httpapi.RecentPurchases.Rule: {anyone, signedIn},
	httpapi.ReadPurchases.Rule:   {anyone, staffOrInside},
	httpapi.OwnSession.Rule:      {own, own},
	httpapi.OwnKeys.Rule:         {ownOrStaff, ownOrStaff},
	httpapi.ReadRevocations.Rule: {anyone, inside},
	httpapi.RunShop.Rule:         {inside, inside},
	httpapi.ManageStaff.Rule:     {staffOrInside, staffOrInside},
}

// kind is who somebody is.
type kind uint8

const (
	nobody  kind = iota
	garbage      // with a token that does not hold
	keyed        // with a key of the owner's that may read property, and nothing else
	account
	member // of the staff
	within // with the proof of the deployment's secret
)

// may says whether an answer is for whom it went to.
func (r *round) may(q *request, a *answer) bool {
	who := q.op.need
	switch q.caller.kind {
	case nobody, garbage:
		return who == anyone
	case keyed:
		reads := q.op.method == http.MethodGet && slices.Contains(q.op.Tags, "Property")
		return who == anyone || who == signedIn && reads || q.op.path == "/api/user/key" || q.op.path == "/api/personal-records/property/{id}" && r.owns(q, a)
	case within:
		return who == anyone || who >= staffOrInside
	case member:
		return who <= signedIn || who == ownOrStaff || who == staff || who == staffOrInside || who == own && r.owns(q, a)
	case account:
		return who <= signedIn || (who == own || who == ownOrStaff) && r.owns(q, a)
	}
	return false
}

// owns says whether what was answered is its caller's own.
func (r *round) owns(q *request, a *answer) bool {
	me := q.caller.id
	whose := func(noun, field string) bool { // all that the answer shows
		for _, value := range a.values(field) {
			if r.seen.owner[noun+":"+value] != me && (noun != "account" || value != me) {
				return false
			}
		}
		return true
	}
	id := ""
	if i := slices.Index(strings.Split(q.op.path, "/"), "{id}"); i >= 0 {
		raw, _, _ := strings.Cut(q.target, "?")
		id, _ = url.PathUnescape(strings.Split(raw, "/")[i])
		id = strings.TrimLeft(id, "0")
	}
	switch {
	case strings.HasPrefix(q.op.path, "/api/property/"):
		return r.seen.owner["property:"+id] == me
	case strings.HasPrefix(q.op.path, "/api/room/"):
		return r.seen.owner["room:"+id] == me
	case q.op.path == "/api/billing":
		var order struct {
			UserID any `json:"user_id"`
		}
		decoder := json.NewDecoder(strings.NewReader(string(q.body)))
		decoder.UseNumber()
		return decoder.Decode(&order) == nil && text(order.UserID) == me
	case strings.HasPrefix(q.op.path, "/api/billing/orders"):
		return whose("account", "user_id")
	case q.op.path == "/api/v1/bids":
		for _, bidder := range a.values("user") {
			if of, known := r.seen.owner["bidder:"+bidder]; known && of != me {
				return false
			}
			r.seen.owner["bidder:"+bidder] = me
		}
		return true
	case q.op.path == "/api/user":
		return whose("account", "userId")
	case id != "": // of an account
		return id == me
	}
	return true // the session of whoever calls
}
