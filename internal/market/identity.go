package market

import "context"

// UserID is the number of an account: who one is.
type UserID int64

// Identity is who makes a request. The zero value is someone not signed in.
type Identity struct {
	User  UserID
	Staff bool
}

// SignedIn says whether the request carried a token that holds.
func (i Identity) SignedIn() bool { return i.User != 0 }

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
