package property

import (
	"context"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Type gives one type; NotFound when there is none of that id.
func (s *Service) Type(ctx context.Context, id TypeID) (Type, error) {
	return s.store.selectType(ctx, id)
}

// Types walks the types in id order.
func (s *Service) Types(ctx context.Context, page market.Page) iter.Seq2[Type, error] {
	return market.Chunks(page, func(t Type) int64 { return int64(t.ID) }, func(after int64, limit int) ([]Type, error) {
		return s.store.selectTypes(ctx, after, limit)
	})
}

// AddType makes a type, with the id that is chosen or else the one after all
// that were ever used. A chosen one that was used is a Conflict. Name and
// description must be set.
func (s *Service) AddType(ctx context.Context, c TypeChange) (Type, error) {
	t, err := c.start()
	if err != nil {
		return Type{}, err
	}
	return database.Once(ctx, s.db, func(tx *database.Tx) (Type, error) {
		id, err := s.store.insertTypeID(tx, t.ID)
		if err != nil {
			return Type{}, err
		}
		made := t
		made.ID = id
		return s.store.insertType(tx, made)
	})
}

// ChangeType changes the fields that are set.
func (s *Service) ChangeType(ctx context.Context, id TypeID, c TypeChange, match market.IfMatch) (Type, error) {
	var changed Type
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		t, err := s.store.selectTypeForUpdate(tx, id)
		if err != nil {
			return err
		}
		if t, err = c.apply(t); err != nil {
			return err
		}
		if err := match.Check(t.Version); err != nil {
			return err
		}
		changed, err = s.store.updateType(tx, t)
		return err
	})
	return changed, err
}

// RemoveType takes a type away. One that properties have is a Conflict.
func (s *Service) RemoveType(ctx context.Context, id TypeID, match market.IfMatch) error {
	return s.db.Update(ctx, func(tx *database.Tx) error {
		t, err := s.store.selectTypeForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := match.Check(t.Version); err != nil {
			return err
		}
		return s.store.deleteType(tx, t)
	})
}
