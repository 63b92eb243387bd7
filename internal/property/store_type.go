package property

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const typeColumns = `id, name, description, version`

type typeStatements struct{ get, hold, list, choose, next, insert, update, del *database.Stmt }

func prepareTypes(db *database.DB) typeStatements {
	return typeStatements{
		get:    db.Prepare(`SELECT ` + typeColumns + ` FROM property_types WHERE id = $1`),
		hold:   db.PrepareForUpdate(`SELECT ` + typeColumns + ` FROM property_types WHERE id = $1`),
		list:   db.Prepare(`SELECT ` + typeColumns + ` FROM property_types WHERE id > $1 ORDER BY id LIMIT $2`),
		choose: db.Prepare(`INSERT INTO used_type_ids (id) VALUES ($1) ON CONFLICT (id) DO NOTHING RETURNING id`),
		next: db.Prepare(`INSERT INTO used_type_ids (id) SELECT COALESCE(MAX(id), 0) + 1 FROM used_type_ids WHERE true
			ON CONFLICT (id) DO NOTHING RETURNING id`),
		insert: db.Prepare(`INSERT INTO property_types (id, name, description) VALUES ($1, $2, $3) RETURNING ` + typeColumns),
		update: db.Prepare(`UPDATE property_types SET name = $1, description = $2, version = version + 1
			WHERE id = $3 AND version = $4 RETURNING ` + typeColumns),
		del: db.Prepare(`DELETE FROM property_types WHERE id = $1 AND version = $2`),
	}
}

func scanType(row database.Row) (t Type, err error) {
	err = row.Scan(&t.ID, &t.Name, &t.Description, &t.Version)
	return t, err
}

// foundType says in the service's words that there is no such type.
func foundType(t Type, err error, id TypeID) (Type, error) {
	if errors.Is(err, database.ErrNoRows) {
		return t, market.Refuse(market.NotFound, unknownType, "no type has the id %d", id)
	}
	return t, err
}

func (s *store) selectType(ctx context.Context, id TypeID) (Type, error) {
	t, err := scanType(s.types.get.QueryRow(ctx, id))
	return foundType(t, err, id)
}

// selectTypeForUpdate reads a type and holds it until the change ends.
func (s *store) selectTypeForUpdate(tx *database.Tx, id TypeID) (Type, error) {
	t, err := scanType(tx.QueryRow(s.types.hold, id))
	return foundType(t, err, id)
}

func (s *store) typeExists(tx *database.Tx, id TypeID) (bool, error) {
	_, err := scanType(tx.QueryRow(s.types.get, id))
	if errors.Is(err, database.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (s *store) selectTypes(ctx context.Context, after int64, limit int) ([]Type, error) {
	rows, err := s.types.list.Query(ctx, after, limit)
	return database.All(rows, err, scanType)
}

// insertTypeID uses an id up: the chosen one, or, when it is 0, the one after
// all that were ever used.
func (s *store) insertTypeID(tx *database.Tx, chosen TypeID) (id TypeID, err error) {
	if chosen != 0 {
		err := tx.QueryRow(s.types.choose, chosen).Scan(&id)
		if errors.Is(err, database.ErrNoRows) {
			err = market.Refuse(market.Conflict, "type_taken", "typeId %d is taken, or once was: an id is never used again", chosen)
		}
		return id, err
	}
	for {
		err := tx.QueryRow(s.types.next).Scan(&id)
		if !errors.Is(err, database.ErrNoRows) { // else another transaction has just taken it, and the next is higher
			return id, err
		}
	}
}

func (s *store) insertType(tx *database.Tx, t Type) (Type, error) {
	return scanType(tx.QueryRow(s.types.insert, t.ID, t.Name, t.Description))
}

func (s *store) updateType(tx *database.Tx, t Type) (Type, error) {
	return scanType(tx.QueryRow(s.types.update, t.Name, t.Description, t.ID, t.Version))
}

// deleteType leaves it to the foreign key whether the type is in use.
func (s *store) deleteType(tx *database.Tx, t Type) error {
	_, err := tx.Exec(s.types.del, t.ID, t.Version)
	if database.IsForeignKey(err) {
		return market.Refuse(market.Conflict, "type_in_use", "there are properties of the type %d", t.ID)
	}
	return err
}
