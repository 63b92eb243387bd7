package property

import (
	"context"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Room gives one room; NotFound when there is none of that id.
func (s *Service) Room(ctx context.Context, id RoomID) (Room, error) {
	return s.store.selectRoom(ctx, id)
}

// Rooms walks the rooms of a property in id order; NotFound when there is no
// such property.
func (s *Service) Rooms(ctx context.Context, of ID, page market.Page) (iter.Seq2[Room, error], error) {
	if _, err := s.store.selectProperty(ctx, of); err != nil {
		return nil, err
	}
	return s.roomsOf(ctx, of, page), nil
}

func (s *Service) roomsOf(ctx context.Context, of ID, page market.Page) iter.Seq2[Room, error] {
	return market.Chunks(page, func(r Room) int64 { return int64(r.ID) }, func(after int64, limit int) ([]Room, error) {
		return s.store.selectRooms(ctx, of, after, limit)
	})
}

// AddRoom puts a room into a property, for its owner. Name and description must
// be set.
func (s *Service) AddRoom(ctx context.Context, to ID, c RoomChange) (Room, error) {
	by := market.IdentityOf(ctx)
	characteristics, err := c.Characteristics.Value.encode()
	if err != nil {
		return Room{}, err
	}
	return database.Once(ctx, s.db, func(tx *database.Tx) (Room, error) {
		if _, err := s.owned(tx, to, by); err != nil {
			return Room{}, err
		}
		r, err := c.apply(Room{Property: to})
		if err != nil {
			return Room{}, err
		}
		return s.store.insertRoom(tx, r, characteristics)
	})
}

// ChangeRoom changes the fields that are set, for the owner of its property.
func (s *Service) ChangeRoom(ctx context.Context, id RoomID, c RoomChange, match market.IfMatch) (Room, error) {
	var changed Room
	var characteristics *string // nil leaves them as they are
	by := market.IdentityOf(ctx)
	if c.Characteristics.Set {
		text, err := c.Characteristics.Value.encode()
		if err != nil {
			return changed, err
		}
		characteristics = &text
	}
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		r, err := s.ownedRoom(tx, id, by)
		if err != nil {
			return err
		}
		if r, err = c.apply(r); err != nil {
			return err
		}
		if err := match.Check(r.Version); err != nil {
			return err
		}
		changed, err = s.store.updateRoom(tx, r, characteristics)
		return err
	})
	return changed, err
}

// RemoveRoom takes a room out of its property, for the owner.
func (s *Service) RemoveRoom(ctx context.Context, id RoomID, match market.IfMatch) error {
	by := market.IdentityOf(ctx)
	return s.db.Update(ctx, func(tx *database.Tx) error {
		r, err := s.ownedRoom(tx, id, by)
		if err != nil {
			return err
		}
		if err := match.Check(r.Version); err != nil {
			return err
		}
		return s.store.deleteRoom(tx, r)
	})
}

// ownedRoom reads a room within a change, for its property's owner alone.
func (s *Service) ownedRoom(tx *database.Tx, id RoomID, by market.Identity) (Room, error) {
	r, err := s.store.selectRoomForUpdate(tx, id)
	if err != nil {
		return r, err
	}
	_, err = s.owned(tx, r.Property, by)
	return r, err
}
