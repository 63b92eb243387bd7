package property

import (
	"context"
	"fmt"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Service is the use cases of properties, their rooms and types. Who asks is the
// identity in the context (market.WithIdentity).
type Service struct {
	db    *database.DB
	store *store
}

// New makes the service on its database.
func New(db *database.DB) (*Service, error) {
	store, err := newStore(db)
	if err != nil {
		return nil, fmt.Errorf("prepare property: %w", err)
	}
	return &Service{db: db, store: store}, nil
}

// Property gives one property; NotFound when there is none of that id.
func (s *Service) Property(ctx context.Context, id ID) (Property, error) {
	return s.store.selectProperty(ctx, id)
}

// Properties walks the properties in id order: those of a city, whatever its
// case, or all when it is empty.
func (s *Service) Properties(ctx context.Context, city string, page market.Page) iter.Seq2[Property, error] {
	key := database.Fold(city)
	return market.Chunks(page, func(p Property) int64 { return int64(p.ID) }, func(after int64, limit int) ([]Property, error) {
		return s.store.selectProperties(ctx, key, after, limit)
	})
}

// AddProperty offers a property of whoever asks. All fields but the read-only
// ones must be set.
func (s *Service) AddProperty(ctx context.Context, c Change) (Property, error) {
	owner, cityKey := market.IdentityOf(ctx).User, database.Fold(c.City.Value)
	return database.Once(ctx, s.db, func(tx *database.Tx) (Property, error) {
		if err := s.store.holdOwner(tx, owner); err != nil {
			return Property{}, err
		}
		p, err := s.judge(tx, c, Property{Owner: owner})
		if err != nil {
			return Property{}, err
		}
		return s.store.insertProperty(tx, p, cityKey)
	})
}

// judge gives the property as a change makes it, or everything wrong with it.
func (s *Service) judge(tx *database.Tx, c Change, p Property) (Property, error) {
	p, faults := c.apply(p)
	code := "invalid_property"
	if c.Type.Set {
		known, err := s.store.typeExists(tx, p.Type)
		if err != nil {
			return p, err
		}
		if !known {
			if len(faults) == 0 {
				code = unknownType
			}
			faults.Add("body.typeId", int64(p.Type), "there is no type %d", p.Type)
		}
	}
	return p, faults.Err(code)
}

// ChangeProperty changes the fields that are set, for its owner.
func (s *Service) ChangeProperty(ctx context.Context, id ID, c Change, match market.IfMatch) (Property, error) {
	var changed Property
	by, cityKey := market.IdentityOf(ctx), database.Fold(c.City.Value)
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		p, err := s.owned(tx, id, by)
		if err != nil {
			return err
		}
		if p, err = s.judge(tx, c, p); err != nil {
			return err
		}
		if err := match.Check(p.Version); err != nil {
			return err
		}
		key := cityKey
		if !c.City.Set {
			key = database.Fold(p.City)
		}
		changed, err = s.store.updateProperty(tx, p, key)
		return err
	})
	return changed, err
}

// RemoveProperty ends the offer of a property, with its rooms, for its owner.
func (s *Service) RemoveProperty(ctx context.Context, id ID, match market.IfMatch) error {
	by := market.IdentityOf(ctx)
	return s.db.Update(ctx, func(tx *database.Tx) error {
		p, err := s.owned(tx, id, by)
		if err != nil {
			return err
		}
		if err := match.Check(p.Version); err != nil {
			return err
		}
		return s.store.deleteProperty(tx, p)
	})
}

// owned reads a property within a change, for its owner alone.
func (s *Service) owned(tx *database.Tx, id ID, by market.Identity) (Property, error) {
	p, err := s.store.selectPropertyForUpdate(tx, id)
	if err != nil {
		return p, err
	}
	return p, p.mine(by)
}
