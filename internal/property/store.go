package property

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const columns = `id, name, description, city, type_id, user_id, version`

// store is the service's SQL.
type store struct {
	db                                       *database.DB
	get, hold, insert, update, del, delOwner *database.Stmt
	holdOwnerRow, markOwner, listOwner       *database.Stmt
	rooms                                    roomStatements
	types                                    typeStatements
}

func newStore(db *database.DB) (*store, error) {
	s := &store{
		db:   db,
		get:  db.Prepare(`SELECT ` + columns + ` FROM properties WHERE id = $1`),
		hold: db.PrepareForUpdate(`SELECT ` + columns + ` FROM properties WHERE id = $1`),
		insert: db.Prepare(`INSERT INTO properties (name, description, city, city_key, type_id, user_id)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING ` + columns),
		update: db.Prepare(`UPDATE properties SET name = $1, description = $2, city = $3, city_key = $4, type_id = $5, version = version + 1
			WHERE id = $6 AND version = $7 RETURNING ` + columns),
		del:       db.Prepare(`DELETE FROM properties WHERE id = $1 AND version = $2`),
		listOwner: db.Prepare(`SELECT ` + columns + ` FROM properties WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
		delOwner:  db.Prepare(`DELETE FROM properties WHERE user_id = $1`),
		holdOwnerRow: db.Prepare(`INSERT INTO owners (user_id) VALUES ($1)
			ON CONFLICT (user_id) DO UPDATE SET user_id = excluded.user_id RETURNING deleted_at IS NOT NULL`),
		markOwner: db.Prepare(`INSERT INTO owners (user_id, deleted_at) VALUES ($1, $2)
			ON CONFLICT (user_id) DO UPDATE SET deleted_at = excluded.deleted_at`),
		rooms: prepareRooms(db),
		types: prepareTypes(db),
	}
	return s, db.PrepareErr()
}

func scanProperty(row database.Row) (p Property, err error) {
	err = row.Scan(&p.ID, &p.Name, &p.Description, &p.City, &p.Type, &p.Owner, &p.Version)
	return p, err
}

// found says in the service's words that there is no such property.
func found(p Property, err error, id ID) (Property, error) {
	if errors.Is(err, database.ErrNoRows) {
		return p, unknownProperty(id)
	}
	return p, err
}

func unknownProperty(id ID) error {
	return market.Refuse(market.NotFound, "unknown_property", "no property has the id %d", id)
}

func (s *store) selectProperty(ctx context.Context, id ID) (Property, error) {
	p, err := scanProperty(s.get.QueryRow(ctx, id))
	return found(p, err, id)
}

// selectPropertyForUpdate reads a property and holds it until the change ends.
func (s *store) selectPropertyForUpdate(tx *database.Tx, id ID) (Property, error) {
	p, err := scanProperty(tx.QueryRow(s.hold, id))
	return found(p, err, id)
}

// selectProperties reads the properties after an id, of one city when its folded
// name is given.
func (s *store) selectProperties(ctx context.Context, cityKey string, after int64, limit int) ([]Property, error) {
	var f database.Filter
	if cityKey != "" {
		f.And("city_key = ?", cityKey)
	}
	f.And("id > ?", after)
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM properties`+f.Where()+` ORDER BY id LIMIT `+f.Arg(limit), f.Args()...)
	return database.All(rows, err, scanProperty)
}

// selectPropertiesOf reads the properties of an owner after an id.
func (s *store) selectPropertiesOf(ctx context.Context, owner market.UserID, after int64, limit int) ([]Property, error) {
	rows, err := s.listOwner.Query(ctx, owner, after, limit)
	return database.All(rows, err, scanProperty)
}

// holdOwner keeps the account of an owner from being marked as deleted until the
// transaction ends, and refuses one that is.
func (s *store) holdOwner(tx *database.Tx, owner market.UserID) error {
	var deleted bool
	if err := tx.QueryRow(s.holdOwnerRow, owner).Scan(&deleted); err != nil {
		return err
	}
	if deleted {
		return market.Refuse(market.Unauthenticated, "account_deleted", "the account of this token was deleted")
	}
	return nil
}

// markDeleted remembers that an account is gone.
func (s *store) markDeleted(tx *database.Tx, owner market.UserID, at market.Time) error {
	_, err := tx.Exec(s.markOwner, owner, at)
	return err
}

func (s *store) insertProperty(tx *database.Tx, p Property, cityKey string) (Property, error) {
	made, err := scanProperty(tx.QueryRow(s.insert, p.Name, p.Description, p.City, cityKey, p.Type, p.Owner))
	return made, knownType(err, p.Type)
}

func (s *store) updateProperty(tx *database.Tx, p Property, cityKey string) (Property, error) {
	changed, err := scanProperty(tx.QueryRow(s.update, p.Name, p.Description, p.City, cityKey, p.Type, p.ID, p.Version))
	return changed, knownType(err, p.Type)
}

const unknownType = "unknown_type"

// knownType says in the service's words that a type went away in between.
func knownType(err error, id TypeID) error {
	if !database.IsForeignKey(err) {
		return err
	}
	var faults market.Faults
	faults.Add("body.typeId", int64(id), "there is no type %d", id)
	return faults.Err(unknownType)
}

// deleteProperty removes a property; its rooms go by their foreign key.
func (s *store) deleteProperty(tx *database.Tx, p Property) error {
	_, err := tx.Exec(s.del, p.ID, p.Version)
	return err
}

// deletePropertiesOf removes all of an owner's properties, with their rooms.
func (s *store) deletePropertiesOf(tx *database.Tx, owner market.UserID) error {
	_, err := tx.Exec(s.delOwner, owner)
	return err
}
