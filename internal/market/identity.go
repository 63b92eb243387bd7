package market

import "context"

// UserID is the number of an account: who one is.
type UserID int64

// Identity is who makes a request, and by which rules it is judged. The zero
// value is someone not signed in, in open mode.
type Identity struct {
	User      UserID
	Staff     bool
	Scopes    Scopes // what a key for machines may do; empty for a token
	Key       int64  // the API key that was used; 0: none
	Inside    bool   // a command or process of this deployment, which proved that it knows its secret
	Protected bool   // the deployment runs in protected mode
}

// SignedIn says whether the request carried a token that holds.
func (i Identity) SignedIn() bool { return i.User != 0 }

// Owns says whether this is the account that a thing belongs to.
func (i Identity) Owns(owner UserID) bool { return i.User != 0 && i.User == owner }

// MayChange says whether one may change what belongs to an account: its owner,
// and in protected mode staff.
func (i Identity) MayChange(owner UserID) bool {
	return i.Owns(owner) || i.Protected && i.Staff
}

// MayRead says whether one may read what is about an account: in open mode
// everyone, in protected mode whom it is about, and staff.
func (i Identity) MayRead(about UserID) bool {
	return !i.Protected || i.Owns(about) || i.Staff
}

// ReadsOnly gives the one account of which one may read what is about accounts,
// and false when one may read of all.
func (i Identity) ReadsOnly() (UserID, bool) { return i.User, i.Protected && !i.Staff }

// MayActAs says whether one may act in the name of an account: in open mode
// everyone, in protected mode only oneself, staff or not.
func (i Identity) MayActAs(user UserID) bool { return !i.Protected || i.Owns(user) }

type identityKey struct{}

// WithIdentity returns a context that says who is asking.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityOf says who is asking; the zero Identity when nobody said.
func IdentityOf(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}

// Action is a change that somebody makes who may because of being staff. It is
// written down where it is made, in the same transaction.
type Action struct {
	User      UserID // 0 for a command of whoever runs the deployment
	Operation string // "update-coupon"
	Call      string // "PUT /coupons/7"
	From      string // the address that it came from
	Note      string // what the call does not say
}

type actionKey struct{}

// WithAction returns a context whose changes are written down.
func WithAction(ctx context.Context, a *Action) context.Context {
	return context.WithValue(ctx, actionKey{}, a)
}

// ActionOf gives what is to be written down of a change, or nil. Within the
// change its note may be set.
func ActionOf(ctx context.Context) *Action {
	a, _ := ctx.Value(actionKey{}).(*Action)
	return a
}

// OnceKey is the Idempotency-Key of a request with what it stands for. A repeat
// with the same Caller, Operation and Key must carry the same body.
type OnceKey struct {
	Key       string // as the client sent it, 1 to 255 characters
	Caller    string // "user:7", or "anyone"
	Operation string // the operation's id: "create-movie"
	Body      []byte // the body as sent, of which a keyed hash is stored
}

type onceKey struct{}

// WithOnceKey returns a context that carries an Idempotency-Key.
func WithOnceKey(ctx context.Context, k OnceKey) context.Context {
	return context.WithValue(ctx, onceKey{}, &k)
}

// OnceKeyOf gives the Idempotency-Key of the request, or nil when it has none.
func OnceKeyOf(ctx context.Context) *OnceKey {
	k, _ := ctx.Value(onceKey{}).(*OnceKey)
	return k
}
