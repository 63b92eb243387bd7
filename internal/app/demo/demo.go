// Package demo makes up a shop in motion: films, coupons, auctions, properties
// and a megastore's purchases, for `emporium serve --demo` and as files to
// import. The films are real, everybody and everything else is invented: mails
// are under the names that RFC 2606 keeps free, telephones among the 555-01xx.
package demo

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Seed is what the demo is made from where nobody asks for another.
const Seed = 20_260_301

// Data makes the same things for the same seed and clock, each time anew and
// none of them kept. A method does not depend on which others were called.
// Things refer to each other by number, counting from 1 in the order in which
// they are given: the ids they get in an empty shop.
type Data struct {
	seed uint64
	now  time.Time
}

// New makes the demo of a shop as it would be at now.
func New(seed uint64, now time.Time) *Data {
	return &Data{seed: seed, now: now.UTC().Truncate(time.Second)}
}

// random is the randomness of one subject, so that a change to one leaves the
// others as they were.
func (d *Data) random(subject string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(subject))
	return rand.New(rand.NewPCG(d.seed, h.Sum64()))
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// chance is true in so many of a hundred cases.
func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }
