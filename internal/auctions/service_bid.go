package auctions

import (
	"context"
	"errors"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Every change of a bid first holds its item, and takes the next place in the
// item's order. So of two changes at once the second sees what the first did;
// and the winner is chosen before the transaction ends.

// Bid gives one bid; NotFound when there is none of that id.
func (s *Service) Bid(ctx context.Context, id BidID) (Bid, error) {
	return s.store.selectBid(ctx, id)
}

// Bids walks all bids in id order.
func (s *Service) Bids(ctx context.Context, page market.Page) iter.Seq2[Bid, error] {
	return market.Chunks(page, func(b Bid) int64 { return int64(b.ID) }, func(after int64, limit int) ([]Bid, error) {
		return s.store.selectBids(ctx, BidID(after), limit)
	})
}

// PlaceBid records a bid. One that does not win is recorded all the same. In
// protected mode one bids as oneself; in somebody else's name it is Denied.
func (s *Service) PlaceBid(ctx context.Context, n NewBid) (Bid, error) {
	change := s.placing(n)
	if by := market.IdentityOf(ctx); by.Protected {
		change = func(tx *database.Tx) (*Bid, error) {
			own, err := s.ownBidder(tx, by.User, n.User)
			if err != nil {
				return nil, err
			}
			mine := n
			mine.User = own.String()
			return s.placing(mine)(tx)
		}
	}
	placed, err := database.Once(ctx, s.db, change)
	if err != nil {
		return Bid{}, err
	}
	return *placed, nil
}

// ownBidder gives the bidder of an account, which is made when there is none.
// Another that was named is Denied.
func (s *Service) ownBidder(tx *database.Tx, account market.UserID, given string) (UserID, error) {
	own, err := s.store.selectBidderOf(tx, account)
	if err != nil {
		return 0, err
	}
	if given != "" && (own == 0 || userID(given) != own) {
		return 0, market.Refuse(market.Denied, "not_your_bidder", "bid.user must be your own bidder, or left out: one bids as oneself")
	}
	if own == 0 {
		return s.store.insertBidderOf(tx, account)
	}
	return own, nil
}

// PlaceBids records many bids, in their order, in one transaction: all of them,
// or none.
func (s *Service) PlaceBids(ctx context.Context, all []NewBid) ([]Bid, error) {
	placed, err := addAll(ctx, s, all, func(NewBid) error { return nil }, func(tx *database.Tx, n NewBid) (*Bid, error) {
		return s.placing(n)(tx)
	})
	if err != nil {
		return nil, err
	}
	bids := make([]Bid, len(placed))
	for i, b := range placed {
		bids[i] = *b
	}
	return bids, nil
}

// placing gives the change that records a bid, which is whole after the change.
func (s *Service) placing(n NewBid) func(tx *database.Tx) (*Bid, error) {
	var judged faults
	bid := Bid{Item: itemID(n.Item), User: userID(n.User), Value: judged.value(n.Value), Placed: market.At(s.now())}
	return func(tx *database.Tx) (*Bid, error) {
		if len(judged.list) > 0 {
			return nil, s.wrongBid(tx, judged, n)
		}
		placed := bid
		switch err := s.store.insertBid(tx, &placed); {
		case errors.Is(err, database.ErrNoRows):
			f := judged
			f.unknownItem(n.Item) // even if somebody has made it since
			return nil, s.wrongUser(tx, f, n)
		case database.IsForeignKey(err):
			f := judged
			f.unknownUser(n.User)
			return nil, f.err()
		case err != nil:
			return nil, err
		}
		return &placed, s.store.countBid(tx, &placed)
	}
}

// wrongBid gives everything that is wrong with a bid that cannot be placed: its
// item and its user, beside what was found before.
func (s *Service) wrongBid(tx *database.Tx, f faults, n NewBid) error {
	known, err := s.store.knowsItem(tx, itemID(n.Item))
	if err != nil {
		return err
	}
	if !known {
		f.unknownItem(n.Item)
	}
	return s.wrongUser(tx, f, n)
}

// wrongUser gives what was found wrong with a bid, and its user if that is, too.
func (s *Service) wrongUser(tx *database.Tx, f faults, n NewBid) error {
	known, err := s.store.knowsUser(tx, userID(n.User))
	if err != nil {
		return err
	}
	if !known {
		f.unknownUser(n.User)
	}
	return f.err()
}

// ChangeBid changes the value or the user of a bid. A new value counts as bid
// now: among equal ones it is the last.
func (s *Service) ChangeBid(ctx context.Context, id BidID, c BidChange, match market.IfMatch) (Bid, error) {
	var changed Bid
	now := market.At(s.now())
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		b, err := s.store.selectBidForUpdate(tx, id)
		if err != nil {
			return err
		}
		var f faults
		changed = c.apply(b, &f)
		if known, err := s.store.knowsUser(tx, changed.User); err != nil {
			return err
		} else if !known {
			f.unknownUser(c.User.Value)
		}
		if err := f.err(); err != nil {
			return err
		}
		if err := match.Check(b.Version); err != nil || changed == b {
			return err
		}
		seq, err := s.store.nextSeq(tx, b.Item)
		if err != nil {
			return err
		}
		if changed.Value != b.Value {
			changed.Seq, changed.Placed = seq, now
		}
		if changed, err = s.store.updateBid(tx, changed); database.IsForeignKey(err) { // it has gone meanwhile
			f.unknownUser(c.User.Value)
			return f.err()
		} else if err != nil {
			return err
		}
		return s.store.chooseWinner(tx, b.Item)
	})
	return changed, err
}

// RemoveBid takes a bid back.
func (s *Service) RemoveBid(ctx context.Context, id BidID, match market.IfMatch) error {
	return s.db.Update(ctx, func(tx *database.Tx) error {
		b, err := s.store.selectBidForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := match.Check(b.Version); err != nil {
			return err
		}
		if _, err := s.store.nextSeq(tx, b.Item); err != nil {
			return err
		}
		if err := s.store.deleteBid(tx, b); err != nil {
			return err
		}
		return s.store.chooseWinner(tx, b.Item)
	})
}
