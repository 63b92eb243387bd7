package billing

import (
	"slices"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// anonymous stands for the user_id of an order whose account was deleted.
const anonymous = "deleted"

type deletedStatements struct {
	hold, count, mark, anonymise *database.Stmt
	among                        *database.Bulk // it finds many at once, by the means of inserting them
}

func prepareDeleted(db *database.DB) deletedStatements {
	return deletedStatements{
		hold:  db.PrepareForShare(`SELECT total FROM deletions WHERE id = 1`),
		count: db.Prepare(`UPDATE deletions SET total = total + 1 WHERE id = 1`),
		mark: db.Prepare(`INSERT INTO deleted_accounts (user_id, deleted_at) VALUES ($1, $2)
			ON CONFLICT (user_id) DO NOTHING`),
		anonymise: db.Prepare(`UPDATE orders SET user_id = $1 WHERE user_id = $2`),
		among:     db.PrepareBulk(`SELECT user_id FROM deleted_accounts WHERE user_id IN (VALUES`, 1, `)`),
	}
}

// forgetAccount makes an account's orders anonymous, those that are there and
// those to come. It begins with the count, which waits for batches under way.
func (s *store) forgetAccount(tx *database.Tx, user market.UserID, at market.Time) error {
	if _, err := tx.Exec(s.deleted.count); err != nil {
		return err
	}
	id := strconv.FormatInt(int64(user), 10)
	if _, err := tx.Exec(s.deleted.mark, id, at); err != nil {
		return err
	}
	_, err := tx.Exec(s.deleted.anonymise, anonymous, id)
	return err
}

// anonymised gives the values of new orders without the numbers of accounts that
// were deleted. While none was, it only looks at one row, and holds it: an
// account that is deleted at the same time waits for these orders, and finds
// them.
func (s *store) anonymised(tx *database.Tx, values []any) ([]any, error) {
	var total int64
	if err := tx.QueryRow(s.deleted.hold).Scan(&total); err != nil || total == 0 {
		return values, err
	}
	var ids []any
	asked := map[any]bool{}
	for i := 0; i < len(values); i += orderColumns {
		if id, _ := values[i].(string); !asked[id] && userOf(id) > 0 {
			asked[id] = true
			ids = append(ids, id)
		}
	}
	gone := map[any]bool{}
	for stmt, part := range s.deleted.among.Parts(ids) {
		rows, err := tx.Query(stmt, part...)
		found, err := database.All(rows, err, func(row database.Row) (id string, err error) {
			return id, row.Scan(&id)
		})
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			gone[id] = true
		}
	}
	if len(gone) == 0 {
		return values, nil
	}
	values = slices.Clone(values)
	for i := 0; i < len(values); i += orderColumns {
		if gone[values[i]] {
			values[i] = anonymous
		}
	}
	return values, nil
}
