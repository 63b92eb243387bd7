package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"emporium/internal/accounts"
	"emporium/internal/app/demo"
	"emporium/internal/auctions"
	"emporium/internal/billing"
	"emporium/internal/coupons"
	"emporium/internal/inventory"
	"emporium/internal/market"
	"emporium/internal/property"
	"emporium/internal/purchases"
)

// demoFile marks a data folder that a demo was made in.
const demoFile = "demo"

// seedBatch is how many rows of the demo go into one transaction.
const seedBatch = 1000

// makeDemo makes the demo's data when there is none. It is made beside the data
// folder and moved there when it is whole.
func makeDemo(ctx context.Context, c *Config, log *slog.Logger, say io.Writer) error {
	if c.Databases.remote() { // it would be made among somebody's own data
		return errors.New("a demo is made in files, and a database URL is set: leave out one of them")
	}
	if _, err := os.Stat(c.file(demoFile)); err == nil {
		return nil
	}
	if have, err := os.ReadDir(c.Data); err == nil && len(have) > 0 {
		return fmt.Errorf("%s holds data that is not a demo's: choose another folder with --data, or leave out --demo", c.Data)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fmt.Fprintln(say, "Making the demo's data…")
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(c.Data)), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(c.Data)), ".emporium-demo-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	seed := *c
	seed.Data = temp
	a, err := Open(ctx, &seed, log)
	if err != nil {
		return err
	}
	if err := errors.Join(a.seed(ctx, demo.New(demo.Seed, a.now())), a.Close()); err != nil {
		return fmt.Errorf("make the demo's data: %w", err)
	}
	if err := os.WriteFile(filepath.Join(temp, demoFile), []byte(a.now().UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.Remove(c.Data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(temp, c.Data)
}

// seed fills an empty shop. References in the demo are numbers from 1, which are
// the ids of an empty shop.
func (a *App) seed(ctx context.Context, d *demo.Data) error {
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return a.seedMovies(ctx, d) })
	all.Go(func() error { return a.seedCoupons(ctx, d) })
	all.Go(func() error { return a.seedAuctions(ctx, d) })
	all.Go(func() error { return a.seedProperty(ctx, d) })
	all.Go(func() error { return a.seedPurchases(ctx, d) })
	all.Go(func() error { return a.seedOrders(ctx, d) })
	return all.Wait()
}

// inBatches turns rows into what a service takes, and hands them over some at a
// time.
func inBatches[R, N any](rows iter.Seq[R], turn func(R) N, add func([]N) error) error {
	var batch []N
	for row := range rows {
		if batch = append(batch, turn(row)); len(batch) == seedBatch {
			if err := add(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return add(batch)
}

func (a *App) seedMovies(ctx context.Context, d *demo.Data) error {
	return inBatches(d.Films(), func(f demo.Film) inventory.Change {
		return inventory.Change{Title: market.Some(f.Title), Description: market.Some(f.Description)}
	}, func(batch []inventory.Change) error { return a.inventory.AddMovies(ctx, batch) })
}

func (a *App) seedCoupons(ctx context.Context, d *demo.Data) error {
	return inBatches(d.Coupons(), func(c demo.Coupon) coupons.Draft {
		draft := coupons.Draft{
			Category: optional(c.Category), Code: optional(c.Code), Description: optional(c.Description),
			Merchant: optional(c.Merchant), Title: optional(c.Title),
		}
		if c.Store != nil {
			draft.Store = market.Some(coupons.Store(*c.Store))
		}
		if c.ExpireAt != nil {
			draft.ExpireAt = market.Some(c.ExpireAt.String())
		}
		if c.PublishedAt != nil {
			draft.PublishedAt = market.Some(c.PublishedAt.String())
		}
		return draft
	}, func(batch []coupons.Draft) error {
		_, err := a.coupons.AddCoupons(ctx, batch)
		return err
	})
}

func optional(s *string) market.Opt[string] {
	if s == nil {
		return market.Opt[string]{}
	}
	return market.Some(*s)
}

func (a *App) seedAuctions(ctx context.Context, d *demo.Data) error {
	users, err := a.auctions.AddUsers(ctx, slices.Collect(turned(d.Bidders(), func(name string) auctions.NewUser { return auctions.NewUser{Name: name} })))
	if err != nil {
		return err
	}
	items, err := a.auctions.AddItems(ctx, slices.Collect(turned(d.Items(), func(name string) auctions.NewItem { return auctions.NewItem{Name: name} })))
	if err != nil {
		return err
	}
	return inBatches(d.Bids(), func(b demo.Bid) auctions.NewBid {
		return auctions.NewBid{Item: items[b.Item-1].ID.String(), User: users[b.Bidder-1].ID.String(), Value: b.Value.String()}
	}, func(batch []auctions.NewBid) error {
		_, err := a.auctions.PlaceBids(ctx, batch)
		return err
	})
}

func turned[R, N any](rows iter.Seq[R], turn func(R) N) iter.Seq[N] {
	return func(yield func(N) bool) {
		for row := range rows {
			if !yield(turn(row)) {
				return
			}
		}
	}
}

func (a *App) seedProperty(ctx context.Context, d *demo.Data) error {
	var owners []market.UserID
	for o := range d.Accounts() {
		account, err := a.accounts.SignUp(ctx, accounts.Newcomer{
			FirstName: o.FirstName, LastName: o.LastName, BirthDate: o.BirthDate, Mail: o.Mail, Password: o.Password,
		})
		if err != nil {
			return err
		}
		owners = append(owners, account.ID)
	}
	asOwner := func(number int) context.Context {
		return market.WithIdentity(ctx, market.Identity{User: owners[number-1]})
	}
	for t := range d.PropertyTypes() {
		if _, err := a.property.AddType(asOwner(1), property.TypeChange{Name: market.Some(t.Name), Description: market.Some(t.Description)}); err != nil {
			return err
		}
	}
	for p := range d.Properties() {
		home, err := a.property.AddProperty(asOwner(p.Owner), property.Change{
			Name: market.Some(p.Name), Description: market.Some(p.Description), City: market.Some(p.City), Type: market.Some(int64(p.Type)),
		})
		if err != nil {
			return err
		}
		for _, r := range p.Rooms {
			room := property.RoomChange{Name: market.Some(r.Name), Description: market.Some(r.Description)}
			if len(r.Characteristics) > 0 {
				c := property.Characteristics{}
				for key, value := range r.Characteristics {
					text, err := json.Marshal(value)
					if err != nil {
						return err
					}
					c[key] = property.Value(text)
				}
				room.Characteristics = market.Some(c)
			}
			if _, err := a.property.AddRoom(asOwner(p.Owner), home.ID, room); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *App) seedPurchases(ctx context.Context, d *demo.Data) error {
	err := inBatches(d.Customers(), func(c demo.Customer) market.Customer { return market.Customer(c) },
		func(batch []market.Customer) error { return a.purchases.AddUsers(ctx, batch) })
	if err != nil {
		return err
	}
	err = inBatches(d.Products(), func(p demo.Product) purchases.NewProduct {
		return purchases.NewProduct{ID: market.Some(int64(p.ID)), Face: p.Face, Size: int64(p.Size), Price: int64(p.Price)}
	}, func(batch []purchases.NewProduct) error { return a.purchases.AddProducts(ctx, batch) })
	if err != nil {
		return err
	}
	return inBatches(d.Purchases(), func(p demo.Purchase) purchases.NewPurchase {
		return purchases.NewPurchase{ID: market.Some(int64(p.ID)), ProductID: int64(p.ProductID), Username: p.Username, Date: market.Some(p.Date.String())}
	}, func(batch []purchases.NewPurchase) error { return a.purchases.AddPurchases(ctx, batch) })
}

// seedOrders posts orders as the gateway would; billing works them off.
func (a *App) seedOrders(ctx context.Context, d *demo.Data) error {
	for o := range d.Orders() {
		draft := billing.Draft{UserID: o.UserID, NumberOfItems: strconv.Itoa(o.Items), TotalAmount: o.Total.String()}
		draft.Body = fmt.Appendf(nil, `{"user_id":%q,"number_of_items":%q,"total_amount":%q}`, draft.UserID, draft.NumberOfItems, draft.TotalAmount)
		if err := a.intake.PostOrder(ctx, draft); err != nil {
			return err
		}
	}
	return nil
}

// demoOwners says who may sign in to the demo.
func demoOwners() string {
	var b strings.Builder
	b.WriteString("\n  Sign in at /docs as one of the owners of homes:\n")
	for o := range demo.New(demo.Seed, time.Time{}).Accounts() {
		fmt.Fprintf(&b, "    %-32s %s\n", o.Mail, o.Password)
	}
	return b.String()
}
