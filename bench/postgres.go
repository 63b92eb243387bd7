package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// insert is what the bare driver does in a transaction of its own: one row, in the
// table that Emporium has, with its indexes and foreign keys.
type insert struct {
	keeper, query string
	args          func(n int64) []any
}

var (
	insertMovie = insert{"inventory", `INSERT INTO movies (title, description, title_key) VALUES ($1, $2, $3) RETURNING id`, func(n int64) []any {
		title := fmt.Sprintf("The Long Way Home %d", n)
		return []any{title, fmt.Sprintf("Two sisters cross a country in a borrowed van, and part %d of their story begins.", n%9+1), title}
	}}
	insertCoupon = insert{"coupons", `INSERT INTO coupons (category, couponcode, description, merchant, title, has_store, lat, long, city, phone, state, street, zip, expire_at, published_at, valid, shown)
		VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, $15) RETURNING id`, func(n int64) []any {
		day := time.Date(2030, 1, int(n%28)+1, 0, 0, 0, 0, time.UTC)
		return []any{
			"Food", fmt.Sprint("BREAD", n), "Ten percent off everything from the oven, every morning before nine", fmt.Sprint("Corner Bakery ", n), "Morning bread",
			48.85, 2.35, "Paris", "+33 1 55 55 01 01", "Île-de-France", "7 rue des Moulins", "75001", day, day.AddDate(-4, 0, 0), string(couponBody(nil, uint64(n))),
		}
	}}
	insertBid = insert{"auctions", `INSERT INTO bids (item_id, bidder_id, value_cents, seq, placed_at) VALUES ($1, $2, $3, $4, $5) RETURNING id`, func(n int64) []any {
		return []any{int64(2*itemCount+2) + n%peerItems, n%bidderCount + 1, n*7919%10_000_000 + 1, n, time.Now()}
	}}
)

// postgresRows hold durable POSTs on PostgreSQL against the bare driver.
func (b *bench) postgresRows() (all []row) {
	bids := func(first, count uint64) side {
		return side{server: "on-postgres", request: post("/api/v1/bids", bidBody(first, count)), status: 201}
	}
	for _, r := range []struct {
		name   string
		ours   side
		theirs insert
	}{
		{"POST /api/movies", side{server: "on-postgres", request: post("/api/movies", movieBody), status: 200}, insertMovie},
		{"POST /coupons", side{server: "on-postgres", request: post("/coupons", couponBody), status: 201}, insertCoupon},
		{"POST /api/v1/bids, on different items", bids(itemCount+1, itemCount), insertBid},
	} {
		all = append(all, row{
			name: r.name + ", on PostgreSQL, one INSERT each by pgx without HTTP", against: "servers", target: 0.5, connections: postConnections,
			ours: r.ours, theirs: side{do: b.inserts(r.theirs)},
		})
	}
	return append(all, row{
		name: "POST /api/v1/bids, all on one item, on PostgreSQL, the same on different items", against: "servers", target: 0.9, connections: postConnections,
		ours: bids(2*itemCount+1, 1), theirs: bids(itemCount+1, itemCount),
	})
}

// inserts has the bare driver insert one row after the other on each of some
// connections.
func (b *bench) inserts(what insert) func(int, time.Duration) (run, error) {
	var n atomic.Int64
	return func(connections int, duration time.Duration) (run, error) {
		ctx := context.Background()
		address, err := b.engines.databaseURL("all", what.keeper)
		if err != nil {
			return run{}, err
		}
		config, err := pgxpool.ParseConfig(address)
		if err != nil {
			return run{}, err
		}
		config.MaxConns, config.MinConns = int32(connections), 0
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return run{}, err
		}
		defer pool.Close()
		each := func(until func() bool) error {
			var all sync.WaitGroup
			failed := make(chan error, connections)
			for range connections {
				all.Go(func() {
					c, err := pool.Acquire(ctx)
					if err != nil {
						failed <- err
						return
					}
					defer c.Release()
					for first := true; first || !until(); first = false {
						var id int64
						if err := c.QueryRow(ctx, what.query, what.args(n.Add(1))...).Scan(&id); err != nil {
							failed <- err
							return
						}
					}
				})
			}
			all.Wait()
			select {
			case err := <-failed:
				return err
			default:
				return nil
			}
		}
		// Each connects, and prepares its statement, before it counts.
		if err := each(func() bool { return true }); err != nil {
			return run{}, err
		}
		before, end := n.Load(), time.Now().Add(duration)
		return timed(func() (int64, error) {
			err := each(func() bool { return !time.Now().Before(end) })
			return n.Load() - before, err
		})
	}
}
