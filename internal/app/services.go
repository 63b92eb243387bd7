package app

import (
	"context"
	"io/fs"

	"emporium/internal/billing"
	"emporium/internal/inventory"
	"emporium/internal/platform/database"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/queue"
)

// service is one row of the deployment: a service's name, what it needs, what
// it serves and how it is built.
type service struct {
	name     string
	about    string
	needs    string   // in words, for `emporium services`
	examples []string // GETs worth following, for the landing page
	paths    []string // what the gateway answers 503 for when the service is not here
	open     func(ctx context.Context, a *App) error
	// routes declares its operations; what does not run here is only documented.
	routes func(api *httpapi.API, a *App)
}

// services is the deployment on one page, in the order in which they open.
var services = []service{
	{
		name: "inventory", about: "the catalogue of movies", needs: "its database",
		paths: []string{"/api/movies"}, examples: []string{"/api/movies?limit=20", "/api/movies?title=alien", "/api/movies/1"},
		open: func(ctx context.Context, a *App) (err error) {
			db, err := a.openDatabase(ctx, "inventory", inventory.Migrations())
			if err != nil {
				return err
			}
			a.inventory, err = inventory.New(db)
			return err
		},
		routes: func(api *httpapi.API, a *App) {
			inventory.Routes(api.System(a.system(inventory.System())), a.inventory)
		},
	},
	{
		name: "billing", about: "orders, worked off from the queue", needs: "its database, the queue",
		paths: []string{"/api/billing/orders"}, examples: []string{"/api/billing/orders?limit=20"},
		open: func(ctx context.Context, a *App) error {
			db, err := a.openDatabase(ctx, "billing", billing.Migrations())
			if err != nil {
				return err
			}
			q, err := a.openQueue(ctx)
			if err != nil {
				return err
			}
			if a.billing, err = billing.New(db, q); err != nil {
				return err
			}
			a.run(ctx, "billing", a.billing.Work)
			return nil
		},
		routes: func(api *httpapi.API, a *App) {
			billing.Routes(api.System(a.system(billing.System())), a.billing)
		},
	},
}

// gatewayName is the one name that is not a service of its own: the front door.
const gatewayName = "gateway"

// openDatabase opens the database of a service, and closes it when the program
// stops.
func (a *App) openDatabase(ctx context.Context, name string, migrations fs.FS) (*database.DB, error) {
	db, err := database.Open(ctx, database.Options{
		Path: a.config.file(name + ".db"), Name: name, Migrations: migrations,
		Secret: a.secret, Now: a.now, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.parts = append(a.parts, part{name: name, ready: db.Ready, close: db.Close})
	return db, nil
}

// openQueue opens the queue, once however many need it.
func (a *App) openQueue(ctx context.Context) (queue.Queue, error) {
	if a.queue != nil {
		return a.queue, nil
	}
	q, err := queue.OpenSQLite(ctx, queue.SQLiteOptions{Path: a.config.file("queue.db"), Now: a.now, Log: a.log})
	if err != nil {
		return nil, err
	}
	a.queue = q
	a.parts = append(a.parts, part{name: "queue", ready: q.Ready, close: q.Close})
	return q, nil
}
