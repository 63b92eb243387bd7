package auctions

import (
	"context"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Item gives one item with the ids of its bids; NotFound when there is none of
// that id.
func (s *Service) Item(ctx context.Context, id ItemID) (Item, error) {
	return s.store.selectItem(ctx, id)
}

// ItemAndBids gives one item with its bids, as of one moment.
func (s *Service) ItemAndBids(ctx context.Context, id ItemID) (Item, []Bid, error) {
	return s.store.selectItemAndBids(ctx, id)
}

// ItemAlone gives one item without its bids, however many there are.
func (s *Service) ItemAlone(ctx context.Context, id ItemID) (Item, error) {
	return s.store.selectItemAlone(ctx, id)
}

// Items walks the items in id order, each with the ids of its bids.
func (s *Service) Items(ctx context.Context, page market.Page) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		after, left := ItemID(page.After), page.Limit
		for {
			ask := market.Chunk
			if page.Limit > 0 {
				ask = min(ask, left)
			}
			items, more, err := s.store.selectItems(ctx, after, ask)
			if err != nil {
				yield(Item{}, err)
				return
			}
			for _, i := range items {
				if !yield(i, nil) {
					return
				}
				after = i.ID
			}
			left -= len(items)
			if !more || (page.Limit > 0 && left == 0) {
				return
			}
		}
	}
}

// AddItem opens an item to bids.
func (s *Service) AddItem(ctx context.Context, n NewItem) (Item, error) {
	if err := n.check(); err != nil {
		return Item{}, err
	}
	return database.Once(ctx, s.db, func(tx *database.Tx) (Item, error) {
		return s.store.insertItem(tx, n)
	})
}

// AddItems adds many items in one transaction: all of them, or none.
func (s *Service) AddItems(ctx context.Context, all []NewItem) ([]Item, error) {
	return addAll(ctx, s, all, NewItem.check, s.store.insertItem)
}

// ChangeItem renames an item.
func (s *Service) ChangeItem(ctx context.Context, id ItemID, c ItemChange, match market.IfMatch) (Item, error) {
	var changed Item
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		i, err := s.store.selectItemForUpdate(tx, id)
		if err != nil {
			return err
		}
		var bids []Bid
		if c.Bids != nil {
			if bids, err = s.store.selectBidsOf(tx, id); err != nil {
				return err
			}
		}
		if changed, err = c.apply(i, bids); err != nil {
			return err
		}
		if err := match.Check(i.Version); err != nil || changed.Name == i.Name {
			return err
		}
		changed.Version, err = s.store.updateItem(tx, changed)
		return err
	})
	return changed, err
}

// RemoveItem takes an item away with its bids.
func (s *Service) RemoveItem(ctx context.Context, id ItemID, match market.IfMatch) error {
	return s.db.Update(ctx, func(tx *database.Tx) error {
		i, err := s.store.selectItemAloneForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := match.Check(i.Version); err != nil {
			return err
		}
		return s.store.deleteItem(tx, i)
	})
}
