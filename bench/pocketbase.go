package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
)

// records are what PocketBase is given: the same movies, coupons and items that
// Emporium has, read from its API.
type records struct {
	Movies  []map[string]any
	Coupons []map[string]any
	Items   []map[string]any
}

// fields are the fields of each collection, by the kind of field.
var collections = []struct {
	name string
	text []string
	json []string
	rows func(records) []map[string]any
}{
	{"movies", []string{"title", "description"}, nil, func(r records) []map[string]any { return r.Movies }},
	{
		"coupons",
		[]string{"category", "couponcode", "description", "merchant", "title", "expire_at", "published_at"},
		[]string{"store"},
		func(r records) []map[string]any { return r.Coupons },
	},
	{"items", []string{"name", "winning"}, []string{"bids"}, func(r records) []map[string]any { return r.Items }},
}

// servePocketBase runs PocketBase with its defaults on a data folder. At the
// first start it makes the collections, which anyone may read and write, and
// fills them; the ids that it made go to idsFile.
func servePocketBase(address, folder, recordsFile, idsFile string) error {
	app := pocketbase.NewWithConfig(pocketbase.Config{DefaultDataDir: folder, HideStartBanner: true})
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		// Else the first start of an installation opens a page in a browser.
		e.InstallerFunc = nil
		if err := fillPocketBase(e.App, recordsFile, idsFile); err != nil {
			return fmt.Errorf("fill PocketBase: %w", err)
		}
		return e.Next()
	})
	if err := app.Bootstrap(); err != nil {
		return err
	}
	return apis.Serve(app, apis.ServeConfig{HttpAddr: address})
}

func fillPocketBase(app core.App, recordsFile, idsFile string) error {
	if _, err := os.Stat(idsFile); err == nil {
		return nil
	}
	text, err := os.ReadFile(recordsFile)
	if err != nil {
		return err
	}
	var given records
	if err := json.Unmarshal(text, &given); err != nil {
		return err
	}
	anyone := ""
	ids := map[string][]string{}
	for _, c := range collections {
		made := core.NewBaseCollection(c.name)
		made.ListRule, made.ViewRule, made.CreateRule = &anyone, &anyone, &anyone
		for _, name := range c.text {
			made.Fields.Add(&core.TextField{Name: name})
		}
		for _, name := range c.json {
			made.Fields.Add(&core.JSONField{Name: name})
		}
		if err := app.Save(made); err != nil {
			return err
		}
		err := app.RunInTransaction(func(tx core.App) error {
			for _, row := range c.rows(given) {
				r := core.NewRecord(made)
				for _, name := range append(append([]string{}, c.text...), c.json...) {
					r.Set(name, row[name])
				}
				if err := tx.SaveNoValidate(r); err != nil {
					return err
				}
				ids[c.name] = append(ids[c.name], r.Id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	text, err = json.Marshal(ids)
	if err != nil {
		return err
	}
	return os.WriteFile(idsFile, text, 0o600)
}
