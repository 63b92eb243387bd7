package demo

import (
	"fmt"
	"iter"
	"strings"
)

// Customer is a user of the megastore, who has no password: what it sells, it
// sells to names.
type Customer struct {
	Username string `json:"username"`
	Email    string `json:"email"`
}

const customerCount = 500

var (
	nicknames = []string{
		"Frannie", "Kasey", "Giles", "Abbey", "Bennie", "Caleb", "Dulce", "Elwyn", "Freya", "Gunner", "Hettie", "Ignatius",
		"Jalen", "Keira", "Lonzo", "Mabelle", "Nils", "Odessa", "Percy", "Queenie", "Rosetta", "Stevie", "Tatyana", "Ulises",
		"Vivianne", "Wilmer", "Xenia", "Yazmin", "Zander", "Alva", "Birgit", "Clovis", "Dario", "Ettie", "Fausto", "Greta",
		"Hassan", "Imani", "Josue", "Katlyn", "Leda", "Milo", "Nadia", "Otto", "Paloma", "Quincy", "Ruben", "Selma",
		"Thora", "Urban", "Verner", "Winona", "Yoko", "Zita", "Anselm", "Blanca", "Cyril", "Delphine", "Ewald", "Flora",
	}
	families = []string{
		"abbott", "bauer", "castro", "duval", "ekstrom", "fisher", "garcia", "huber", "ivanova", "jansen", "kowalski",
		"lemaire", "mbeki", "novak", "okafor", "petit", "quinn", "rossi", "suzuki", "tanaka", "ueda", "vogel", "watts",
		"yilmaz", "zimmer", "lindqvist", "marchetti", "haddad", "nguyen", "osei",
	}
	mailHosts = []string{"example.org", "example.com", "example.net"}
)

// Customers gives five hundred, each with a name and a mail of its own. A
// tenth of them has bought nothing.
func (d *Data) Customers() iter.Seq[Customer] {
	return func(yield func(Customer) bool) {
		r := d.random("customers")
		taken := map[string]bool{}
		for range customerCount {
			name, number := pick(r, nicknames), r.IntN(100)
			for taken[fmt.Sprint(name, number)] {
				name, number = pick(r, nicknames), r.IntN(100)
			}
			username := fmt.Sprint(name, number)
			taken[username] = true
			family := pick(r, families)
			mail := fmt.Sprintf("%s.%s%d@%s", strings.ToLower(name), family, number, pick(r, mailHosts))
			if !yield(Customer{Username: username, Email: mail}) {
				return
			}
		}
	}
}
