package demo

import "math/rand/v2"

// roomPlan is a kind of room and the least and most of its surface, in half
// square metres.
type roomPlan struct {
	name, description string
	least, most       int
}

// plans are in the order in which a property has them: a small one has the first.
var plans = []roomPlan{
	{"Living room", "Wooden floor, room for a long table.", 30, 80},
	{"Bathroom", "With a window and a shower.", 7, 18},
	{"Kitchen", "Gas stove, deep sink, shelves to the ceiling.", 14, 36},
	{"Bedroom", "To the courtyard.", 20, 40},
	{"Second bedroom", "Takes a bed and a desk.", 16, 32},
	{"Study", "Bookshelves on two walls.", 12, 28},
}

// extras take the place of a study now and then.
var extras = []roomPlan{
	{"Balcony", "Morning sun.", 4, 14},
	{"Attic", "Sloping ceiling, good for storage.", 24, 60},
	{"Workshop", "Concrete floor and a sturdy bench.", 30, 90},
	{"Conservatory", "Glass on three sides.", 16, 40},
}

// wholeRoom is what a studio has in place of a living room.
var wholeRoom = roomPlan{"Main room", "To live and sleep in, with a kitchen corner.", 36, 80}

func rooms(r *rand.Rand, kind int) []Room {
	count := 3 + r.IntN(4)
	switch kind {
	case studio:
		count = 2
	case villa:
		count = 6
	}
	ground := r.IntN(5)
	made := make([]Room, count)
	for i := range made {
		plan, floor := plans[i], ground
		switch {
		case kind == studio && i == 0:
			plan = wholeRoom
		case i >= 3 && i == count-1 && chance(r, 60):
			plan = pick(r, extras)
		}
		if ownDoor[kind] {
			floor = min(i/3, 1) // one lives below and sleeps above
		}
		made[i] = Room{Name: plan.name, Description: plan.description, Characteristics: characteristics(r, plan, floor)}
	}
	return made
}

func characteristics(r *rand.Rand, plan roomPlan, floor int) map[string]any {
	if chance(r, 12) {
		return nil
	}
	surface := float64(plan.least+r.IntN(plan.most-plan.least+1)) / 2
	has := map[string]any{"surface_m2": surface, "floor": floor}
	if chance(r, 60) {
		has["windows"] = 1 + r.IntN(1+int(surface)/10)
	}
	if chance(r, 40) {
		has["facing"] = pick(r, []string{"north", "east", "south", "west"})
	}
	if chance(r, 20) {
		has["ceiling_m"] = float64(24+r.IntN(14)) / 10
	}
	return has
}
