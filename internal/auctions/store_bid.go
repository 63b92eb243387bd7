package auctions

import (
	"context"

	"emporium/internal/platform/database"
)

const bidColumns = `id, item_id, bidder_id, value_cents, seq, placed_at, version`

type bidStatements struct {
	get, hold, list, ofItem, next, insert, count, update, del, choose *database.Stmt
}

func prepareBids(db *database.DB) bidStatements {
	return bidStatements{
		get: db.Prepare(`SELECT ` + bidColumns + ` FROM bids WHERE id = $1`),
		hold: db.PrepareForUpdate(`SELECT b.id, b.item_id, b.bidder_id, b.value_cents, b.seq, b.placed_at, b.version
			FROM items i JOIN bids b ON b.item_id = i.id WHERE b.id = $1`),
		list:   db.Prepare(`SELECT ` + bidColumns + ` FROM bids WHERE id > $1 ORDER BY id LIMIT $2`),
		ofItem: db.Prepare(`SELECT ` + bidColumns + ` FROM bids WHERE item_id = $1 ORDER BY id`),
		next:   db.Prepare(`UPDATE items SET last_seq = last_seq + 1, version = version + 1 WHERE id = $1 RETURNING last_seq`),
		insert: db.PrepareForUpdate(`INSERT INTO bids (item_id, bidder_id, value_cents, seq, placed_at)
			SELECT id, $2, $3, last_seq + 1, $4 FROM items WHERE id = $1
			RETURNING id, seq, version`),
		count: db.Prepare(`UPDATE items SET last_seq = last_seq + 1, version = version + 1, winning_bid_id =
				CASE WHEN $2 > COALESCE((SELECT value_cents FROM bids WHERE id = items.winning_bid_id), 0)
				THEN (SELECT id FROM bids WHERE item_id = $1 AND value_cents = $2 AND seq = items.last_seq + 1)
				ELSE winning_bid_id END
			WHERE id = $1`),
		update: db.Prepare(`UPDATE bids SET bidder_id = $1, value_cents = $2, seq = $3, placed_at = $4, version = version + 1
			WHERE id = $5 AND version = $6 RETURNING version`),
		del: db.Prepare(`DELETE FROM bids WHERE id = $1 AND version = $2`),
		choose: db.Prepare(`UPDATE items SET winning_bid_id =
				(SELECT id FROM bids WHERE item_id = $1 ORDER BY value_cents DESC, seq LIMIT 1)
			WHERE id = $1`),
	}
}

func scanBid(row database.Row) (b Bid, err error) {
	err = row.Scan(&b.ID, &b.Item, &b.User, &b.Value, &b.Seq, &b.Placed, &b.Version)
	return b, err
}

func (s *store) selectBid(ctx context.Context, id BidID) (Bid, error) {
	b, err := scanBid(s.bids.get.QueryRow(ctx, id))
	return b, orRefuse(err, func() error { return noBid(id.String()) })
}

// selectBidForUpdate reads a bid and holds it until the change ends, and before it
// its item: a server holds rows in the order of the tables. Whoever held the bid
// and then waited for the item would be waited for by those who take the item
// away, or all bids of somebody.
func (s *store) selectBidForUpdate(tx *database.Tx, id BidID) (Bid, error) {
	b, err := scanBid(tx.QueryRow(s.bids.hold, id))
	return b, orRefuse(err, func() error { return noBid(id.String()) })
}

func (s *store) selectBids(ctx context.Context, after BidID, limit int) ([]Bid, error) {
	rows, err := s.bids.list.Query(ctx, after, limit)
	return database.All(rows, err, scanBid)
}

// selectBidsOf reads the bids of an item within a change, in id order.
func (s *store) selectBidsOf(tx *database.Tx, id ItemID) ([]Bid, error) {
	rows, err := tx.Query(s.bids.ofItem, id)
	return database.All(rows, err, scanBid)
}

// nextSeq holds an item for a change of its bids and gives the next place in
// their order; ErrNoRows when there is no such item.
func (s *store) nextSeq(tx *database.Tx, id ItemID) (seq int64, err error) {
	err = tx.QueryRow(s.bids.next, id).Scan(&seq)
	return seq, err
}

// insertBid holds the bid's item and records the bid at the next place in the
// item's order. Its id, place and version are there after the change. ErrNoRows
// means that there is no such item, and an error that is
// [database.IsForeignKey] that there is no such user.
func (s *store) insertBid(tx *database.Tx, b *Bid) error {
	return tx.QueryRowLater(s.bids.insert, b.Item, b.User, b.Value, b.Placed).Scan(&b.ID, &b.Seq, &b.Version)
}

// countBid tells the item of a bid that was just inserted: the bid has the next
// place, and it wins when it is above the winner. Of equal ones the earlier stays.
func (s *store) countBid(tx *database.Tx, b *Bid) error {
	return tx.Send(s.bids.count, b.Item, b.Value)
}

func (s *store) knowsItem(tx *database.Tx, id ItemID) (bool, error) {
	_, err := scanItemAlone(tx.QueryRow(s.items.alone, id))
	return err == nil, orRefuse(err, func() error { return nil })
}

func (s *store) updateBid(tx *database.Tx, b Bid) (Bid, error) {
	err := tx.QueryRow(s.bids.update, b.User, b.Value, b.Seq, b.Placed, b.ID, b.Version).Scan(&b.Version)
	return b, err
}

func (s *store) deleteBid(tx *database.Tx, b Bid) error {
	_, err := tx.Exec(s.bids.del, b.ID, b.Version)
	return err
}

// chooseWinner names the first of an item's bids in the order that [Bid.Beats]
// gives them.
func (s *store) chooseWinner(tx *database.Tx, id ItemID) error {
	return tx.Send(s.bids.choose, id)
}
