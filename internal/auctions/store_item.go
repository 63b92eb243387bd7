package auctions

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// An item and the ids of its bids come in one row, "5,1,2": they are of one
// moment, and one row is far sooner read than one for each bid. They are put in
// order here, for half of what it costs there.
const itemColumns = `i.id, i.name, i.winning_bid_id, i.version,
	(SELECT string_agg(CAST(b.id AS text), ',') FROM bids b WHERE b.item_id = i.id)`

// manyBids ends a chunk of items early, so that items with very many bids do
// not come into memory five hundred at a time.
const manyBids = 20_000

type itemStatements struct {
	get, alone, hold, whole, list, insert, update, delBids, del *database.Stmt
}

func prepareItems(db *database.DB) itemStatements {
	return itemStatements{
		get:   db.Prepare(`SELECT ` + itemColumns + ` FROM items i WHERE i.id = $1`),
		alone: db.Prepare(`SELECT id, name, winning_bid_id, version FROM items WHERE id = $1`),
		hold:  db.PrepareForUpdate(`SELECT id, name, winning_bid_id, version FROM items WHERE id = $1`),
		whole: db.Prepare(`SELECT i.id, i.name, i.winning_bid_id, i.version, b.id, b.bidder_id, b.value_cents
			FROM items i LEFT JOIN bids b ON b.item_id = i.id WHERE i.id = $1 ORDER BY b.id`),
		list:    db.Prepare(`SELECT ` + itemColumns + ` FROM items i WHERE i.id > $1 ORDER BY i.id LIMIT $2`),
		insert:  db.Prepare(`INSERT INTO items (name) VALUES ($1) RETURNING id, name, winning_bid_id, version`),
		update:  db.Prepare(`UPDATE items SET name = $1, version = version + 1 WHERE id = $2 AND version = $3 RETURNING version`),
		delBids: db.Prepare(`DELETE FROM bids WHERE item_id = $1`),
		del:     db.Prepare(`DELETE FROM items WHERE id = $1 AND version = $2`),
	}
}

func scanItem(row database.Row) (i Item, err error) {
	var bids *string
	if err = row.Scan(&i.ID, &i.Name, &i.Winning, &i.Version, &bids); err == nil && bids != nil {
		i.Bids, err = splitBids(*bids)
	}
	return i, err
}

// splitBids reads the ids of an item's bids, "5,1,2", and puts them in order.
func splitBids(text string) ([]BidID, error) {
	ids := make([]BidID, 0, strings.Count(text, ",")+1)
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, err
		}
		ids = append(ids, BidID(n))
	}
	slices.Sort(ids)
	return ids, nil
}

func scanItemAlone(row database.Row) (i Item, err error) {
	err = row.Scan(&i.ID, &i.Name, &i.Winning, &i.Version)
	return i, err
}

func (s *store) selectItem(ctx context.Context, id ItemID) (Item, error) {
	i, err := scanItem(s.items.get.QueryRow(ctx, id))
	return i, orRefuse(err, func() error { return noItem(id.String()) })
}

// selectItemForUpdate holds an item until the change ends, and then reads it:
// what is read while waiting for the item would lack the bid that was waited for.
func (s *store) selectItemForUpdate(tx *database.Tx, id ItemID) (Item, error) {
	if i, err := s.selectItemAloneForUpdate(tx, id); err != nil {
		return i, err
	}
	i, err := scanItem(tx.QueryRow(s.items.get, id))
	return i, orRefuse(err, func() error { return noItem(id.String()) })
}

func (s *store) selectItemAlone(ctx context.Context, id ItemID) (Item, error) {
	i, err := scanItemAlone(s.items.alone.QueryRow(ctx, id))
	return i, orRefuse(err, func() error { return noItem(id.String()) })
}

func (s *store) selectItemAloneForUpdate(tx *database.Tx, id ItemID) (Item, error) {
	i, err := scanItemAlone(tx.QueryRow(s.items.hold, id))
	return i, orRefuse(err, func() error { return noItem(id.String()) })
}

// selectItemAndBids reads an item and its bids as of one moment. Only what an
// answer shows of the bids is read.
func (s *store) selectItemAndBids(ctx context.Context, id ItemID) (Item, []Bid, error) {
	var item Item
	var bids []Bid
	rows, err := s.items.whole.Query(ctx, id)
	found, err := database.All(rows, err, func(row database.Row) (struct{}, error) {
		var bid *BidID
		var user *UserID
		var value *market.Money
		err := row.Scan(&item.ID, &item.Name, &item.Winning, &item.Version, &bid, &user, &value)
		if err == nil && bid != nil {
			bids = append(bids, Bid{ID: *bid, Item: item.ID, User: *user, Value: *value})
		}
		return struct{}{}, err
	})
	if err == nil && len(found) == 0 {
		err = noItem(id.String())
	}
	return item, bids, err
}

// selectItems reads up to limit items after an id, and fewer when they have many
// bids; more says whether there may be others behind them.
func (s *store) selectItems(ctx context.Context, after ItemID, limit int) (items []Item, more bool, err error) {
	rows, err := s.items.list.Query(ctx, after, limit)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for bids := 0; bids < manyBids; {
		if !rows.Next() {
			return items, len(items) == limit, rows.Err()
		}
		i, err := scanItem(rows)
		if err != nil {
			return nil, false, err
		}
		items = append(items, i)
		bids += len(i.Bids)
	}
	return items, true, nil
}

func (s *store) insertItem(tx *database.Tx, n NewItem) (Item, error) {
	return scanItemAlone(tx.QueryRow(s.items.insert, n.Name))
}

// updateItem gives the new version.
func (s *store) updateItem(tx *database.Tx, i Item) (version int64, err error) {
	err = tx.QueryRow(s.items.update, i.Name, i.ID, i.Version).Scan(&version)
	return version, err
}

// deleteItem deletes an item and its bids.
func (s *store) deleteItem(tx *database.Tx, i Item) error {
	if _, err := tx.Exec(s.items.delBids, i.ID); err != nil {
		return err
	}
	_, err := tx.Exec(s.items.del, i.ID, i.Version)
	return err
}
