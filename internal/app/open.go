package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/auctions"
	"emporium/internal/billing"
	"emporium/internal/coupons"
	"emporium/internal/inventory"
	"emporium/internal/platform/cache"
	"emporium/internal/platform/database"
	"emporium/internal/platform/events"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/queue"
	"emporium/internal/popular"
	"emporium/internal/property"
	"emporium/internal/purchases"
)

func (a *App) openAccounts(ctx context.Context) error {
	db, q, err := a.openDatabaseAndQueue(ctx, "accounts", accounts.Migrations())
	if err != nil {
		return err
	}
	outbox, err := events.NewOutbox(db, a.now)
	if err != nil {
		return err
	}
	o := accounts.Options{
		DB: db, Outbox: outbox, Now: a.now, Log: a.log, Secret: a.secret, AtOnce: a.config.Hashes,
		TokenLife: time.Duration(a.config.Token.Life), ShortLife: time.Duration(a.config.Token.Short), SessionLife: time.Duration(a.config.Token.Session),
		OnlyStrong: a.mode == httpapi.Protected, Peppers: a.config.Passwords.peppers(), SendReset: a.config.Passwords.send(a.log),
	}
	if a.config.Token.Key != "" {
		if o.Keys, err = accounts.ParseKeys([]byte(a.config.Token.Key)); err != nil {
			return fmt.Errorf("--token-key (EMPORIUM_TOKEN_KEY): %w", err)
		}
	}
	if a.accounts, err = accounts.New(ctx, o); err != nil {
		return err
	}
	a.tokens = a.accounts
	a.run(ctx, "messages of accounts", a.accounts.Work)
	a.run(ctx, "accounts' events", events.NewRelay(events.RelayOptions{Service: "accounts", Outbox: outbox, Queue: q, Listeners: listeners, Log: a.log}).Run)
	return nil
}

// askForTokens checks tokens with the keys of the accounts that run elsewhere.
// Without their address no token holds.
func (a *App) askForTokens(ctx context.Context) error {
	u := a.upstream(ctx, "accounts")
	if u == nil && a.mode == httpapi.Protected {
		return errors.New("in protected mode every process checks tokens, and needs accounts: run it here too, or say where it runs with --accounts-url (EMPORIUM_ACCOUNTS_URL)")
	}
	if u == nil {
		return nil
	}
	client, err := accounts.NewClient(accounts.ClientOptions{
		URL: "http://accounts", Now: a.now, HTTP: u.Client(5 * time.Second),
		Prove: func(r *http.Request) { r.Header.Set("Authorization", httpapi.Prove(a.secret, r, a.now())) },
	})
	if err != nil {
		return fmt.Errorf("--accounts-url (EMPORIUM_ACCOUNTS_URL): %w", err)
	}
	a.tokens = client
	return nil
}

func (a *App) openCoupons(ctx context.Context) error {
	db, err := a.openDatabase(ctx, "coupons", coupons.Migrations())
	if err != nil {
		return err
	}
	a.coupons, err = coupons.New(coupons.Options{DB: db, Now: a.now})
	return err
}

func (a *App) openAuctions(ctx context.Context) error {
	db, q, err := a.openDatabaseAndQueue(ctx, "auctions", auctions.Migrations())
	if err != nil {
		return err
	}
	if a.auctions, err = auctions.New(auctions.Options{DB: db, Now: a.now}); err != nil {
		return err
	}
	return a.listenTo(ctx, "auctions", db, q, a.auctions.Listen)
}

func (a *App) openProperty(ctx context.Context) error {
	if a.tokens == nil {
		return errors.New("property needs accounts: run it here too, or say where it runs with --accounts-url (EMPORIUM_ACCOUNTS_URL)")
	}
	db, q, err := a.openDatabaseAndQueue(ctx, "property", property.Migrations())
	if err != nil {
		return err
	}
	if a.property, err = property.New(db); err != nil {
		return err
	}
	return a.listenTo(ctx, "property", db, q, a.property.Listen)
}

func (a *App) openInventory(ctx context.Context) error {
	db, err := a.openDatabase(ctx, "inventory", inventory.Migrations())
	if err != nil {
		return err
	}
	a.inventory, err = inventory.New(db)
	return err
}

func (a *App) openBilling(ctx context.Context) error {
	db, q, err := a.openDatabaseAndQueue(ctx, "billing", billing.Migrations())
	if err != nil {
		return err
	}
	if a.billing, err = billing.New(billing.Options{DB: db, Queue: q, Protected: a.mode == httpapi.Protected}); err != nil {
		return err
	}
	a.run(ctx, "billing", a.billing.Work)
	return a.listenTo(ctx, "billing", db, q, a.billing.Listen)
}

func (a *App) openPurchases(ctx context.Context) error {
	db, err := a.openDatabase(ctx, "purchases", purchases.Migrations())
	if err != nil {
		return err
	}
	c, err := a.openCache(ctx)
	if err != nil {
		return err
	}
	a.purchases, err = purchases.New(purchases.Options{DB: db, Now: a.now, Drop: c.Drop, Log: a.log})
	return err
}

func (a *App) openPopular(ctx context.Context) error {
	c, err := a.openCache(ctx)
	if err != nil {
		return err
	}
	o := popular.Options{Cache: c, Life: popular.DefaultLife}
	if o.Life.Fresh = time.Duration(a.config.Popular.CacheTTL); o.Life.Fresh == 0 {
		o.Life.Fresh = -1 // none, where 0 would be the default
	}
	o.Life.Unknown = min(o.Life.Unknown, o.Life.Fresh)
	token := string(a.config.Popular.DataToken)
	data := purchases.ClientOptions{
		URL: a.config.Popular.DataURL,
		Headers: func(ctx context.Context, h http.Header) {
			httpapi.PassOn(ctx, h)
			if token != "" {
				h.Set("Authorization", "Bearer "+token)
			}
		},
	}
	if data.URL == "" && a.purchases == nil {
		u := a.upstream(ctx, "purchases")
		if u == nil {
			return errors.New("popular needs a data API: run purchases here too, or name one with --purchases-url (EMPORIUM_PURCHASES_URL) or --popular-data-url (EMPORIUM_POPULAR_DATA_URL)")
		}
		data.URL, data.Transport = "http://purchases", proving{u.Client(0).Transport, a}
	}
	if data.URL == "" {
		o.Purchases = a.purchases
	} else {
		client, err := purchases.NewClient(data)
		if err != nil {
			return fmt.Errorf("--popular-data-url (EMPORIUM_POPULAR_DATA_URL): %w", err)
		}
		a.parts = append(a.parts, part{name: "data API", close: func() error { client.Close(); return nil }})
		o.Purchases = client
	}
	a.popular, err = popular.New(o)
	return err
}

// proving asks another process of the deployment as one of its own, which in
// protected mode may read what callers may not.
type proving struct {
	next http.RoundTripper
	app  *App
}

// RoundTrip sends a request with the proof.
func (p proving) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", httpapi.Prove(p.app.secret, r, p.app.now()))
	return p.next.RoundTrip(r)
}

// openDatabase opens the database of a service, and closes it when the program
// stops.
func (a *App) openDatabase(ctx context.Context, name string, migrations fs.FS) (*database.DB, error) {
	server, base := a.config.Databases.of(name)
	db, err := database.Open(ctx, database.Options{
		Path: a.config.file(name + ".db"), URL: server, Database: base, Name: name, Migrations: migrations,
		Secret: a.secret, Now: a.now, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.databases[name] = db
	a.parts = append(a.parts, part{name: name, ready: db.Ready, close: db.Close})
	a.run(ctx, name+"'s old answers", db.Tidy)
	return db, nil
}

// openQueue opens the queue, once however many need it.
func (a *App) openQueue(ctx context.Context) (queue.Queue, error) {
	if a.queue != nil {
		return a.queue, nil
	}
	q, err := a.config.Queue.open(ctx, a.config.file("queue.db"), a.now, a.log)
	if err != nil {
		return nil, err
	}
	a.queue = q
	a.parts = append(a.parts, part{name: "queue", ready: q.Ready, close: q.Close, elsewhere: true})
	return q, nil
}

func (a *App) openDatabaseAndQueue(ctx context.Context, name string, migrations fs.FS) (*database.DB, queue.Queue, error) {
	db, err := a.openDatabase(ctx, name, migrations)
	if err != nil {
		return nil, nil, err
	}
	q, err := a.openQueue(ctx)
	return db, q, err
}

// openCache opens the cache, once however many need it: the one that processes
// share in Redis, or one of this process alone.
func (a *App) openCache(ctx context.Context) (cache.Cache, error) {
	if a.cache != nil {
		return a.cache, nil
	}
	if a.config.CacheURL == "" {
		c, err := cache.NewMemory(cache.MemoryOptions{MaxBytes: a.config.CacheBytes, Now: a.now, Log: a.log})
		if err != nil {
			return nil, err
		}
		a.cache = c
		a.parts = append(a.parts, part{name: "cache", close: c.Close})
		return c, nil
	}
	c, err := cache.OpenRedis(ctx, cache.RedisOptions{
		URL: string(a.config.CacheURL), Prefix: a.config.CacheName, MaxBytes: a.config.CacheBytes, Now: a.now, Log: a.log,
	})
	if err != nil {
		return nil, fmt.Errorf("--cache-url (EMPORIUM_CACHE_URL): %w", err)
	}
	a.cache = c
	a.parts = append(a.parts, part{name: "cache", ready: c.Ready, close: c.Close, elsewhere: true})
	return c, nil
}

// listenTo lets a service hear of what happens elsewhere.
func (a *App) listenTo(ctx context.Context, name string, db *database.DB, q queue.Queue, declare func(*events.Listener)) error {
	l, err := events.NewListener(events.ListenerOptions{Service: name, DB: db, Queue: q, Now: a.now, Log: a.log})
	if err != nil {
		return err
	}
	declare(l)
	a.run(ctx, name+"'s events", l.Run)
	return nil
}
