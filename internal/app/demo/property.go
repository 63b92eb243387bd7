package demo

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
)

// PropertyType is what a property can be.
type PropertyType struct {
	Name, Description string
}

var propertyTypes = []PropertyType{
	{"House", "A building of its own, with a door to the street."},
	{"Flat", "Several rooms on one floor of a larger building."},
	{"Studio", "One room to live and sleep in, with a kitchen corner and a bathroom."},
	{"Loft", "A former workshop or store, high and open."},
	{"Villa", "A large house with a garden around it."},
	{"Farmhouse", "A house with its barn, at the edge of the town."},
}

// The number of each type that the rooms of a property depend on.
const (
	house     = 1
	studio    = 3
	villa     = 5
	farmhouse = 6
)

// ownDoor are the types that are whole buildings.
var ownDoor = map[int]bool{house: true, villa: true, farmhouse: true}

// Property is for let. Type and owner are numbers: of PropertyTypes, and of Accounts.
type Property struct {
	Name, Description, City string
	Type, Owner             int
	Rooms                   []Room
}

// Room is a room of a property.
type Room struct {
	Name, Description string
	Characteristics   map[string]any // numbers and strings; nil where the owner gave none
}

// PropertyTypes gives what a property can be.
func (d *Data) PropertyTypes() iter.Seq[PropertyType] { return slices.Values(propertyTypes) }

// Properties gives some sixty in French and other European cities, each with
// two to six rooms. Every account owns some.
func (d *Data) Properties() iter.Seq[Property] {
	return func(yield func(Property) bool) {
		r := d.random("properties")
		var at []city
		for _, c := range cities {
			for range c.most {
				at = append(at, c)
			}
		}
		r.Shuffle(len(at), func(i, j int) { at[i], at[j] = at[j], at[i] })
		taken := map[string]bool{}
		for n, c := range at {
			p := property(r, c)
			for taken[p.Name] {
				p = property(r, c)
			}
			taken[p.Name] = true
			p.Owner = 1 + n%len(owners)
			if !yield(p) {
				return
			}
		}
	}
}

var (
	moods = []string{"Quiet", "Bright", "Sunny", "Airy", "Old", "Renovated", "Cosy", "Spacious", "Modest", "Light"}
	ways  = []string{
		"five minutes from the tram", "on a street without cars", "with a view over the roofs",
		"next to the market hall", "facing a courtyard with a lime tree", "a short walk from the water",
		"behind a garden wall", "built in the 1930s",
	}
	notes = []string{
		"Bicycles fit into the cellar.", "The stairs are steep.", "Pets are welcome.", "Heating is by district heat.",
		"The bells ring until ten.", "Free from the first of the month.", "The neighbours play the cello.",
		"Recently insulated.", "The shutters are new.", "Firewood for the first winter is there.",
	}
)

func property(r *rand.Rand, c city) Property {
	kind := 1 + r.IntN(len(propertyTypes))
	mood, quarter := pick(r, moods), pick(r, c.quarters[:])
	name := fmt.Sprintf("%s %s, %s", mood, lower(propertyTypes[kind-1].Name), quarter)
	return Property{
		Name: name, City: c.name, Type: kind, Rooms: rooms(r, kind),
		Description: fmt.Sprintf("%s in %s, %s. %s", propertyTypes[kind-1].Name, c.name, pick(r, ways), pick(r, notes)),
	}
}

func lower(name string) string { return string(name[0]+'a'-'A') + name[1:] }
