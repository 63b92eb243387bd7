package auctions_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"emporium/internal/auctions"
	"emporium/internal/market"
)

// TestWinner holds the rule against its definition: the winner is the one bid
// that no other is above, and no equal one is before.
func TestWinner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(1, 5), 0, 12).Draw(t, "values")
		order := rapid.Permutation(sequence(len(values))).Draw(t, "order")
		bids := make([]auctions.Bid, len(values))
		for i := range bids {
			bids[i] = auctions.Bid{ID: auctions.BidID(i + 1), Value: market.Money(values[i]), Seq: order[i]}
		}
		var want []auctions.BidID
		for _, b := range bids {
			best := true
			for _, o := range bids {
				best = best && (o.Value < b.Value || o.Value == b.Value && o.Seq >= b.Seq)
			}
			if best {
				want = append(want, b.ID)
			}
		}
		got := auctions.Winner(bids)
		if (got == nil) != (len(want) == 0) || len(want) > 1 || got != nil && *got != want[0] {
			t.Fatalf("winner %v; want %v", got, want)
		}
	})
}

func sequence(n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i + 1)
	}
	return all
}

// FuzzIDs: what is read as an id is written the same way again, and nothing else
// is read.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"user1", "user0", "user01", "user+1", "user-1", "user", "USER1", "bid1", "user99999999999999999999", "user9223372036854775807", "user1 ", "user１"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var id auctions.UserID
		err := id.UnmarshalText([]byte(s))
		switch {
		case err == nil && (id <= 0 || id.String() != s):
			t.Fatalf("%q is read as %d", s, id)
		case err != nil && market.KindOf(err) != market.NotFound:
			t.Fatalf("%q: %v", s, err)
		}
		var bid auctions.BidID
		if rest, ok := strings.CutPrefix(s, "user"); ok && (bid.UnmarshalText([]byte("bid"+rest)) == nil) != (err == nil) {
			t.Fatalf("ids of bids and users are not read alike: %q", s)
		}
	})
}

// FuzzBidsShown: whatever stands as the bids of an item is read or refused.
func FuzzBidsShown(f *testing.F) {
	for _, s := range []string{`[]`, `null`, `{}`, `["bid1"]`, `[1]`, `[{"bid_id":"bid1","bid":{"item":"item1","value":"1e2","user":"user1"}}]`, `[{"bid":5}]`, `[{"bid":{"value":{}}}]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := jsontext.Value(s)
		if !raw.IsValid() {
			return // the body was refused before
		}
		bids, err := auctions.BidsShown(raw)
		if (err == nil) != (bids != nil) || err != nil && market.KindOf(err) != market.Invalid {
			t.Fatalf("%q: %v, %v", s, bids, err)
		}
	})
}
