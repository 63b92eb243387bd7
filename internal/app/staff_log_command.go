package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/httpapi/stafflog"
)

type staffLogCommand struct {
	StaffPlace `embed:""`
	Last       int `default:"100" placeholder:"N" help:"At most so many, the latest."`
}

// Help is shown by --help.
func (*staffLogCommand) Help() string {
	return `Every change by staff is written down where it was made, in the same transaction.

Examples:
  emporium staff log               the latest hundred
  emporium staff log --last 1000`
}

// Validate refuses what is no number of lines.
func (c *staffLogCommand) Validate() error {
	if c.Last < 1 {
		return errors.New("--last: must be at least 1")
	}
	return c.StaffPlace.Validate()
}

// logEntry is a line of the log, as a service shows it.
type logEntry struct {
	service         string
	ID              int64
	At              market.Time
	UserID          *int64
	Operation, Call string
	From, Note      string
}

// Run prints the logs of all services together.
func (c *staffLogCommand) Run(ctx context.Context, t Terminal) error {
	var all []logEntry
	err := c.visit(ctx, func(s *shop) error {
		for _, service := range services {
			if !service.keepsData() {
				continue
			}
			entries, err := c.read(ctx, s, service.name)
			if err != nil {
				return fmt.Errorf("the log of %s: %w", service.name, err)
			}
			all = append(all, entries...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b logEntry) int { return a.At.Compare(b.At.Time) })
	table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "when\twho\tfrom\twhat\tservice\tnote")
	for _, e := range all[max(0, len(all)-c.Last):] {
		who := "operator"
		if e.UserID != nil {
			who = "account " + strconv.FormatInt(*e.UserID, 10)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.At, who, e.From, e.Call, e.service, e.Note)
	}
	return table.Flush()
}

// logPage is how many entries are read at once.
const logPage = 1000

// read gives the latest entries of a service: of a server that runs, or of the
// data.
func (c *staffLogCommand) read(ctx context.Context, s *shop, service string) (all []logEntry, err error) {
	page := func(after int64) (entries []logEntry, err error) {
		query := url.Values{"limit": {strconv.Itoa(logPage)}, "cursor": {"c" + strconv.FormatInt(after, 36)}}
		err = s.call(ctx, http.MethodGet, stafflog.Path(service)+"?"+query.Encode(), nil, &entries)
		return entries, err
	}
	if s.app != nil {
		db, err := c.open(ctx, s.app, service)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil // it never ran here
		}
		if err != nil {
			return nil, err
		}
		if s.app.databases[service] != db {
			defer func() { err = errors.Join(err, db.Close()) }()
		}
		page = func(after int64) ([]logEntry, error) {
			stored, err := db.StaffLog(ctx, after, logPage)
			entries := make([]logEntry, len(stored))
			for i, a := range stored {
				entries[i] = logEntry{ID: a.ID, At: a.At, Operation: a.Operation, Call: a.Call, From: a.From, Note: a.Note}
				if a.User != 0 {
					entries[i].UserID = new(int64(a.User))
				}
			}
			return entries, err
		}
	}
	for after := int64(0); ; after = all[len(all)-1].ID {
		entries, err := page(after)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			e.service = service
			all = append(all, e)
		}
		all = all[max(0, len(all)-c.Last):]
		if len(entries) < logPage {
			return all, nil
		}
	}
}

// open opens the data of a service that no server runs on; ErrNotExist when there
// is none.
func (c *staffLogCommand) open(ctx context.Context, a *App, service string) (*database.DB, error) {
	if db := a.databases[service]; db != nil {
		return db, nil
	}
	server, base := c.Databases.of(service)
	path := a.config.file(service + ".db")
	if _, err := os.Stat(path); server == "" && err != nil {
		return nil, err
	}
	return database.Open(ctx, database.Options{
		Path: path, URL: server, Database: base, Name: service, Secret: a.secret, Now: a.now,
	})
}
