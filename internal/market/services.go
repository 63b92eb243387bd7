package market

import (
	"context"
	"iter"
	"strconv"
)

// This page is what services ask of each other. Each interface has two
// implementations: the service itself, when it runs in this process, and its
// client.go, which asks over HTTP.

// Tokens tells who a bearer token belongs to. Accounts answers it.
type Tokens interface {
	// Identify refuses as Unauthenticated when the token is malformed, expired or
	// not signed by this deployment.
	Identify(ctx context.Context, token string) (Identity, error)
}

// PersonalData is what a service keeps about a person. Accounts, property,
// auctions and billing answer it; the gateway puts their answers together.
type PersonalData interface {
	// PersonalData walks all that is kept about an account, for itself and, in
	// protected mode, for staff; it is Denied to others. Where nothing is kept the
	// walk is empty. Accounts refuses one that does not exist as NotFound.
	PersonalData(ctx context.Context, about UserID) iter.Seq2[PersonalRecord, error]
}

// Purchases is the data API: who bought what. The purchases service answers it,
// or any server that speaks it.
type Purchases interface {
	// User gives an account of the shop; NotFound when there is none of that name.
	User(ctx context.Context, username string) (Customer, error)
	// Product gives a product; NotFound when there is none of that id.
	Product(ctx context.Context, id int64) (Product, error)
	// ByUser gives a user's purchases, newest first; an unknown user has none.
	ByUser(ctx context.Context, username string, skip, limit int) ([]Purchase, error)
	// ByProduct gives a product's purchases, newest first; an unknown product has none.
	ByProduct(ctx context.Context, product int64, skip, limit int) ([]Purchase, error)
}

// Customer is someone who buys in the megastore.
type Customer struct {
	Username string `json:"username"`
	Email    string `json:"email"`
}

// Product is what the megastore sells: a face of Unicode art.
type Product struct {
	ID    int64  `json:"id"`
	Face  string `json:"face"` // kept code point by code point
	Size  int64  `json:"size"`
	Price int64  `json:"price"` // in cents
}

// Purchase is one sale of one product.
type Purchase struct {
	ID        int64  `json:"id"`
	ProductID int64  `json:"product_id"`
	Username  string `json:"username"`
	Date      Time   `json:"date"`
}

// Drop makes a cache forget keys, on every process that shares it. The
// purchases service calls it after a commit with the keys that the change made
// stale; recent purchases caches under the same keys.
type Drop func(ctx context.Context, keys ...string) error

// CustomerKey is the cache key of a user's record.
func CustomerKey(username string) string { return "purchases:user:" + username }

// ProductKey is the cache key of a product's record.
func ProductKey(id int64) string { return "purchases:product:" + strconv.FormatInt(id, 10) }

// PurchasesOfKey is the cache key of a user's latest purchases.
func PurchasesOfKey(username string) string { return "purchases:by_user:" + username }

// BuyersOfKey is the cache key of everyone who bought a product.
func BuyersOfKey(id int64) string { return "purchases:by_product:" + strconv.FormatInt(id, 10) }
