package demo

import (
	"fmt"
	"iter"
	"time"
)

// Account is somebody who can sign in. The password is for whoever started the
// demo to read: anybody who knows the seed knows it.
type Account struct {
	FirstName, LastName, Mail, Password string
	BirthDate                           string // YYYY-MM-DD
}

var owners = []struct{ first, last, mail string }{
	{"Clémence", "Moreau", "clemence.moreau@example.org"},
	{"Amadou", "Diallo", "amadou.diallo@example.org"},
	{"Zofia", "Wiśniewska", "zofia.wisniewska@example.com"},
	{"Jürg", "Ammann", "juerg.ammann@example.org"},
	{"Inês", "Carvalho", "ines.carvalho@example.com"},
	{"Søren", "Østergård", "soren.ostergard@example.org"},
	{"Leïla", "Benhaddou", "leila.benhaddou@example.com"},
	{"Tomás", "Ibáñez", "tomas.ibanez@example.org"},
}

var passwordWords = []string{
	"lumen", "tarif", "cobalt", "hazel", "pepper", "ribbon", "saddle", "mirror", "walnut", "harbor", "velvet", "copper",
	"meadow", "lantern", "quartz", "thistle", "anchor", "bramble", "cinder", "drizzle", "ember", "fiddle", "ginger",
	"hollow", "indigo", "jasper", "kettle", "marble", "nutmeg", "orchid", "pebble", "rocket", "sparrow", "timber",
	"umber", "violet", "willow", "zephyr", "barley", "canyon",
}

// Accounts gives eight owners of properties.
func (d *Data) Accounts() iter.Seq[Account] {
	return func(yield func(Account) bool) {
		r := d.random("accounts")
		for _, o := range owners {
			w := r.Perm(len(passwordWords))
			a := Account{
				FirstName: o.first, LastName: o.last, Mail: o.mail,
				Password: fmt.Sprintf("%s-%s-%s-%d",
					passwordWords[w[0]], passwordWords[w[1]], passwordWords[w[2]], 10+r.IntN(90)),
				BirthDate: d.now.AddDate(-25-r.IntN(45), 0, -r.IntN(365)).Format(time.DateOnly),
			}
			if !yield(a) {
				return
			}
		}
	}
}
