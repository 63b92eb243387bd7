package auctions

import (
	"context"
	"iter"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

var _ market.PersonalData = (*Service)(nil)

type personalBid struct {
	bidBody
	Placed market.Time `json:"placed_at"`
}

// PersonalData walks the bidder of an account, and then its bids.
func (s *Service) PersonalData(ctx context.Context, about market.UserID) iter.Seq2[market.PersonalRecord, error] {
	bidders := func(yield func(User, error) bool) {
		if u, known, err := s.store.selectUserOf(ctx, about); known || err != nil {
			yield(u, err)
		}
	}
	bids := func(yield func(Bid, error) bool) {
		for u, err := range bidders {
			if err != nil {
				yield(Bid{}, err)
				return
			}
			all := market.Chunks(market.Page{}, func(b Bid) int64 { return int64(b.ID) }, func(after int64, limit int) ([]Bid, error) {
				return s.store.selectBidsOfBidder(ctx, u.ID, BidID(after), limit)
			})
			for b, err := range all {
				if !yield(b, err) {
					return
				}
			}
		}
	}
	return market.PersonalRecords(ctx, about, "auctions", market.Personal("bidder", bidders, showUser), market.Personal("bid", bids, showPersonalBid))
}

func showPersonalBid(b Bid) personalBid { return personalBid{showBid(b), b.Placed} }

func personalRoutes(g *httpapi.Group, s *Service) {
	httpapi.RegisterPersonal(g, s,
		market.PersonalRecord{Service: "auctions", Kind: "bidder", Data: exampleBidder},
		market.PersonalRecord{Service: "auctions", Kind: "bid", Data: personalBid{exampleBid, market.At(time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC))}})
}
