package property

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const roomColumns = `id, property_id, name, description, characteristics, version`

type roomStatements struct{ get, hold, list, insert, update, del *database.Stmt }

func prepareRooms(db *database.DB) roomStatements {
	return roomStatements{
		get:  db.Prepare(`SELECT ` + roomColumns + ` FROM rooms WHERE id = $1`),
		hold: db.PrepareForUpdate(`SELECT ` + roomColumns + ` FROM rooms WHERE id = $1`),
		list: db.Prepare(`SELECT ` + roomColumns + ` FROM rooms WHERE property_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
		insert: db.Prepare(`INSERT INTO rooms (property_id, name, description, characteristics)
			VALUES ($1, $2, $3, $4) RETURNING ` + roomColumns),
		update: db.Prepare(`UPDATE rooms SET name = $1, description = $2, characteristics = COALESCE($3, characteristics), version = version + 1
			WHERE id = $4 AND version = $5 RETURNING ` + roomColumns),
		del: db.Prepare(`DELETE FROM rooms WHERE id = $1 AND version = $2`),
	}
}

func scanRoom(row database.Row) (r Room, err error) {
	var characteristics string
	if err := row.Scan(&r.ID, &r.Property, &r.Name, &r.Description, &characteristics, &r.Version); err != nil {
		return r, err
	}
	r.Characteristics, err = decodeCharacteristics(characteristics)
	return r, err
}

// foundRoom says in the service's words that there is no such room.
func foundRoom(r Room, err error, id RoomID) (Room, error) {
	if errors.Is(err, database.ErrNoRows) {
		return r, market.Refuse(market.NotFound, "unknown_room", "no room has the id %d", id)
	}
	return r, err
}

func (s *store) selectRoom(ctx context.Context, id RoomID) (Room, error) {
	r, err := scanRoom(s.rooms.get.QueryRow(ctx, id))
	return foundRoom(r, err, id)
}

// selectRoomForUpdate reads a room and holds it until the change ends.
func (s *store) selectRoomForUpdate(tx *database.Tx, id RoomID) (Room, error) {
	r, err := scanRoom(tx.QueryRow(s.rooms.hold, id))
	return foundRoom(r, err, id)
}

func (s *store) selectRooms(ctx context.Context, of ID, after int64, limit int) ([]Room, error) {
	rows, err := s.rooms.list.Query(ctx, of, after, limit)
	return database.All(rows, err, scanRoom)
}

// insertRoom is the last to notice that its property went away.
func (s *store) insertRoom(tx *database.Tx, r Room, characteristics string) (Room, error) {
	made, err := scanRoom(tx.QueryRow(s.rooms.insert, r.Property, r.Name, r.Description, characteristics))
	if database.IsForeignKey(err) {
		return made, unknownProperty(r.Property)
	}
	return made, err
}

// updateRoom leaves the characteristics as they are when none are given.
func (s *store) updateRoom(tx *database.Tx, r Room, characteristics *string) (Room, error) {
	return scanRoom(tx.QueryRow(s.rooms.update, r.Name, r.Description, characteristics, r.ID, r.Version))
}

func (s *store) deleteRoom(tx *database.Tx, r Room) error {
	_, err := tx.Exec(s.rooms.del, r.ID, r.Version)
	return err
}
