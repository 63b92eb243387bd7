package auctions

import (
	"context"
	"errors"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Every change of a bid first takes the next place in its item's order. That
// holds the item, so of two changes at once the second sees what the first did;
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

// PlaceBid records a bid. One that does not win is recorded all the same.
func (s *Service) PlaceBid(ctx context.Context, n NewBid) (Bid, error) {
	place := s.placing(n)
	return database.Once(ctx, s.db, place)
}

// PlaceBids records many bids, in their order, in one transaction: all of them,
// or none.
func (s *Service) PlaceBids(ctx context.Context, all []NewBid) ([]Bid, error) {
	return addAll(ctx, s, all, func(NewBid) error { return nil }, func(tx *database.Tx, n NewBid) (Bid, error) {
		return s.placing(n)(tx)
	})
}

// placing gives the change that records a bid.
func (s *Service) placing(n NewBid) func(tx *database.Tx) (Bid, error) {
	var judged faults
	bid := Bid{Item: itemID(n.Item), User: userID(n.User), Value: judged.value(n.Value), Placed: market.At(s.now())}
	return func(tx *database.Tx) (Bid, error) {
		if len(judged.list) > 0 {
			return Bid{}, s.wrongBid(tx, judged, n)
		}
		switch b, highest, err := s.store.insertBid(tx, bid); {
		case errors.Is(err, database.ErrNoRows):
			return Bid{}, s.wrongBid(tx, judged, n)
		case database.IsForeignKey(err):
			f := judged
			f.unknownUser(n.User)
			return Bid{}, f.err()
		case err != nil:
			return Bid{}, err
		case b.Value <= highest: // of equal ones the earlier wins
			return b, nil
		default:
			return b, s.store.nameWinner(tx, b)
		}
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
	known, err = s.store.knowsUser(tx, userID(n.User))
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
