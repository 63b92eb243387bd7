package demo

import (
	"iter"
	"math/rand/v2"
	"slices"

	"emporium/internal/market"
)

// Bid is a bidder's bid on an item, both by number.
type Bid struct {
	Item, Bidder int
	Value        market.Money
}

// Bidders gives the names of those who bid.
func (d *Data) Bidders() iter.Seq[string] { return slices.Values(bidders) }

// Items gives the names of what is up for auction.
func (d *Data) Items() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, l := range lots {
			if !yield(l.name) {
				return
			}
		}
	}
}

// Bids gives some five hundred in the order in which they were placed: on each
// item they rise, with a lower one or an equal one now and then that comes too late.
// Some items have none.
func (d *Data) Bids() iter.Seq[Bid] {
	r := d.random("bids")
	waiting := make([][]Bid, len(lots))
	var turns []int // an item's index, as often as it has bids
	for i, l := range lots {
		waiting[i] = bidsOn(r, i+1, l.worth)
		for range waiting[i] {
			turns = append(turns, i)
		}
	}
	r.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	return func(yield func(Bid) bool) {
		next := make([]int, len(lots))
		for _, i := range turns {
			if !yield(waiting[i][next[i]]) {
				return
			}
			next[i]++
		}
	}
}

// bidsOn makes up the bids on one item: they begin at a third or so of what it
// is worth, and go up by steps that grow with the price.
func bidsOn(r *rand.Rand, item int, worth market.Money) []Bid {
	if item%9 == 0 {
		return nil
	}
	var bids []Bid
	last := 0
	another := func() int {
		for {
			if b := 1 + r.IntN(len(bidders)); b != last {
				last = b
				return b
			}
		}
	}
	high := worth * market.Money(25+r.IntN(25)) / 100
	high -= high % 100
	for range 2 + r.IntN(22) {
		value := high
		switch {
		case len(bids) > 0 && chance(r, 5): // too late by a moment: the same amount
		case len(bids) > 0 && chance(r, 6):
			value = max(high-step(high), 100)
		default:
			high += step(high) * market.Money(1+r.IntN(3))
			if chance(r, 12) {
				high += market.Money(1 + r.IntN(99)) // somebody who likes odd amounts
			}
			value = high
		}
		bids = append(bids, Bid{Item: item, Bidder: another(), Value: value})
	}
	return bids
}

// step is by how much one raises.
func step(price market.Money) market.Money {
	switch {
	case price < 50_00:
		return 1_00
	case price < 200_00:
		return 5_00
	case price < 1000_00:
		return 10_00
	default:
		return 50_00
	}
}
