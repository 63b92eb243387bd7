package app

import (
	"context"
	"io/fs"

	"emporium/internal/inventory"
	"emporium/internal/platform/database"
	"emporium/internal/platform/httpapi"
)

// service is one row of the deployment: a service's name, what it needs, what
// it serves and how it is built.
type service struct {
	name  string
	about string
	needs string   // in words, for `emporium services`
	paths []string // what the gateway answers 503 for when the service is not here
	open  func(ctx context.Context, a *App) error
	// routes declares its operations; what does not run here is only documented.
	routes func(api *httpapi.API, a *App)
}

// services is the deployment on one page, in the order in which they open.
var services = []service{
	{
		name: "inventory", about: "the catalogue of movies", needs: "its database",
		paths: []string{"/api/movies"},
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
