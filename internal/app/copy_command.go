package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/auctions"
	"emporium/internal/billing"
	"emporium/internal/coupons"
	"emporium/internal/inventory"
	"emporium/internal/platform/database"
	"emporium/internal/property"
	"emporium/internal/purchases"
)

// stores are the services that keep rows, and their tables.
var stores = map[string]func() fs.FS{
	"accounts": accounts.Migrations, "auctions": auctions.Migrations, "billing": billing.Migrations,
	"coupons": coupons.Migrations, "inventory": inventory.Migrations, "property": property.Migrations,
	"purchases": purchases.Migrations,
}

type copyCommand struct {
	Data      string        `default:"./data" env:"EMPORIUM_DATA" placeholder:"FOLDER" help:"Where the data is kept now."`
	Secret    Secret        `env:"EMPORIUM_SECRET" placeholder:"TEXT" help:"The secret of the deployment; the one in the data folder when not given."`
	Databases DatabaseFlags `embed:"" envprefix:"EMPORIUM_"`
	Services  []string      `arg:"" optional:"" help:"Whose data; of all services when none is named."`
}

// Help is shown by --help.
func (*copyCommand) Help() string {
	return `Stop the server first. Each service's rows go in one transaction to a database that is new or empty; the files stay
as they are. What waits in the message queue stays where it is, and is worked off from there.

Examples:
  emporium copy --database-url postgres://emporium:secret@db.example.org/postgres
  emporium copy billing --database-url postgres://...       this service alone`
}

// Validate reports everything that is wrong with the settings together.
func (c *copyCommand) Validate() error {
	faults := c.Databases.check()
	for _, name := range c.Services {
		if stores[name] == nil {
			faults = append(faults, fmt.Errorf("no service '%s' keeps rows; there are: %s", name, strings.Join(storeNames(), ", ")))
		}
	}
	if !c.Databases.remote() {
		faults = append(faults, errors.New("name the server to copy to with --database-url (EMPORIUM_DATABASE_URL)"))
	}
	return errors.Join(faults...)
}

func storeNames() (names []string) {
	for name := range stores {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Run copies one service after the other. Those that are done stay done when a
// later one fails.
func (c *copyCommand) Run(ctx context.Context, t Terminal) error {
	names := c.Services
	if len(names) == 0 {
		names = storeNames()
	}
	if _, err := os.Stat(c.Data); err != nil {
		return fmt.Errorf("there is no data at %s: name the folder with --data", c.Data)
	}
	secret, err := (&App{config: &Config{Data: c.Data, Secret: c.Secret}}).readSecret()
	if err != nil {
		return fmt.Errorf("read the secret of %s: %w", c.Data, err)
	}
	for _, name := range names {
		path := filepath.Join(c.Data, name+".db")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		server, base := c.Databases.of(name)
		if server == "" {
			continue // it stays in its file
		}
		bar := newProgress(t.Err, name, 0, time.Now)
		o := database.Options{Name: name, Migrations: stores[name](), Secret: secret}
		from, to := o, o
		from.Path, to.URL, to.Database = path, server, base
		rows, err := database.CopyToServer(ctx, from, to, func(rows int64) { bar.show(0, int(rows)) })
		bar.clear()
		switch {
		case errors.Is(err, database.ErrInUse):
			return fmt.Errorf("stop the server first: %w", err)
		case errors.Is(err, database.ErrNotEmpty):
			return fmt.Errorf("copy %s: %w; drop that database, or name another with --%s-database; "+
				"services that were copied before need not be copied again: name the others", name, err, name)
		case err != nil:
			return fmt.Errorf("copy %s: %w", name, err)
		}
		fmt.Fprintf(t.Out, "%-9s  %d rows\n", name, rows)
	}
	return nil
}
