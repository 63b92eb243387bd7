package app

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// DatabaseFlags say where the services keep their data when it is not in files.
// The names of tables are fixed: whoever needs another has a view.
type DatabaseFlags struct {
	URL Secret `name:"database-url" env:"DATABASE_URL" help:"The PostgreSQL server that services keep their data on, each in a database of its own; without it they keep it in the data folder. The path names a database that exists, from which the others are made: postgres://emporium:secret@db.example.org/postgres. More after a ?: sslmode=verify-full, pool_max_conns=16 (8 for each service otherwise), statement_timeout=10000, lock_timeout=5000." placeholder:"URL"`

	AccountsURL  Secret `name:"accounts-database-url" env:"ACCOUNTS_DATABASE_URL" help:"The PostgreSQL server of accounts alone; its path names the database itself." placeholder:"URL"`
	AuctionsURL  Secret `name:"auctions-database-url" env:"AUCTIONS_DATABASE_URL" help:"Likewise for auctions." placeholder:"URL"`
	BillingURL   Secret `name:"billing-database-url" env:"BILLING_DATABASE_URL" help:"Likewise for billing." placeholder:"URL"`
	CouponsURL   Secret `name:"coupons-database-url" env:"COUPONS_DATABASE_URL" help:"Likewise for coupons." placeholder:"URL"`
	InventoryURL Secret `name:"inventory-database-url" env:"INVENTORY_DATABASE_URL" help:"Likewise for inventory." placeholder:"URL"`
	PropertyURL  Secret `name:"property-database-url" env:"PROPERTY_DATABASE_URL" help:"Likewise for property." placeholder:"URL"`
	PurchasesURL Secret `name:"purchases-database-url" env:"PURCHASES_DATABASE_URL" help:"Likewise for purchases." placeholder:"URL"`

	Accounts  string `name:"accounts-database" env:"ACCOUNTS_DATABASE" default:"accounts_db" help:"The name of accounts' database on the server." placeholder:"NAME"`
	Auctions  string `name:"auctions-database" env:"AUCTIONS_DATABASE" default:"auctions_db" help:"The name of auctions' database on the server." placeholder:"NAME"`
	Billing   string `name:"billing-database" env:"BILLING_DATABASE" default:"billing_db" help:"The name of billing's database on the server; orders are in its table orders." placeholder:"NAME"`
	Coupons   string `name:"coupons-database" env:"COUPONS_DATABASE" default:"coupons_db" help:"The name of coupons' database on the server." placeholder:"NAME"`
	Inventory string `name:"inventory-database" env:"INVENTORY_DATABASE" default:"movies_db" help:"The name of inventory's database on the server; movies are in its table movies." placeholder:"NAME"`
	Property  string `name:"property-database" env:"PROPERTY_DATABASE" default:"property_db" help:"The name of property's database on the server." placeholder:"NAME"`
	Purchases string `name:"purchases-database" env:"PURCHASES_DATABASE" default:"purchases_db" help:"The name of purchases' database on the server." placeholder:"NAME"`
}

// databaseSetting is what is set for one service.
type databaseSetting struct {
	service string
	url     Secret
	name    string
}

func (d *DatabaseFlags) all() []databaseSetting {
	return []databaseSetting{
		{"accounts", d.AccountsURL, d.Accounts},
		{"auctions", d.AuctionsURL, d.Auctions},
		{"billing", d.BillingURL, d.Billing},
		{"coupons", d.CouponsURL, d.Coupons},
		{"inventory", d.InventoryURL, d.Inventory},
		{"property", d.PropertyURL, d.Property},
		{"purchases", d.PurchasesURL, d.Purchases},
	}
}

// of gives the server of a service, "" for a file, and the name of its database
// there, "" for the one that the URL names.
func (d *DatabaseFlags) of(service string) (server, name string) {
	for _, s := range d.all() {
		if s.service != service {
			continue
		}
		if u, err := url.Parse(string(s.url)); s.url != "" && err == nil && strings.Trim(u.Path, "/") != "" {
			return string(s.url), ""
		}
		return string(cmp.Or(s.url, d.URL)), s.name
	}
	return "", ""
}

// remote says whether any service keeps its data on a server.
func (d *DatabaseFlags) remote() bool {
	given := d.URL != ""
	for _, s := range d.all() {
		given = given || s.url != ""
	}
	return given
}

// check says what is wrong, without the URLs: they hold passwords.
func (d *DatabaseFlags) check() (faults []error) {
	wrong := func(flag, variable string, value Secret) {
		u, err := url.Parse(string(value))
		if value != "" && (err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql")) {
			faults = append(faults, fmt.Errorf("--%s (EMPORIUM_%s): is not a URL such as postgres://emporium:secret@127.0.0.1/postgres", flag, variable))
		}
	}
	wrong("database-url", "DATABASE_URL", d.URL)
	names := map[string]string{}
	for _, s := range d.all() {
		upper := strings.ToUpper(s.service)
		wrong(s.service+"-database-url", upper+"_DATABASE_URL", s.url)
		switch other := names[s.name]; {
		case s.name == "" || len(s.name) > 63:
			faults = append(faults, fmt.Errorf("--%s-database (EMPORIUM_%s_DATABASE): must have 1 to 63 characters", s.service, upper))
		case other != "" && s.url == "" && d.URL != "":
			faults = append(faults, fmt.Errorf("--%s-database (EMPORIUM_%s_DATABASE): %s is the database of %s; each service needs its own", s.service, upper, s.name, other))
		}
		names[s.name] = s.service
	}
	return faults
}
