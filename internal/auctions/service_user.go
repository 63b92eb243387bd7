package auctions

import (
	"context"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// User gives one bidder; NotFound when there is none of that id.
func (s *Service) User(ctx context.Context, id UserID) (User, error) {
	return s.store.selectUser(ctx, id)
}

// Users walks the bidders in id order.
func (s *Service) Users(ctx context.Context, page market.Page) iter.Seq2[User, error] {
	return market.Chunks(page, func(u User) int64 { return int64(u.ID) }, func(after int64, limit int) ([]User, error) {
		return s.store.selectUsers(ctx, UserID(after), limit)
	})
}

// ItemsOf gives a bidder and the items that it has bids on, each once, in the
// order of the first of these bids.
func (s *Service) ItemsOf(ctx context.Context, id UserID) (User, []ItemID, error) {
	u, err := s.store.selectUser(ctx, id)
	if err != nil {
		return User{}, nil, err
	}
	items, err := s.store.selectItemsOf(ctx, id)
	return u, items, err
}

// AddUser adds a bidder. One that shall belong to an account is Denied unless
// the caller is that account or staff, and a Conflict when the account has one.
func (s *Service) AddUser(ctx context.Context, n NewUser) (User, error) {
	if who := market.IdentityOf(ctx); n.Account != 0 && n.Account != who.User && !who.Staff {
		return User{}, market.Refuse(market.Denied, "not_your_account", "a bidder can be tied to one's own account only: sign in as account %d", n.Account)
	}
	if err := n.check(); err != nil {
		return User{}, err
	}
	return database.Once(ctx, s.db, func(tx *database.Tx) (User, error) {
		return s.store.insertUser(tx, n)
	})
}

// AddUsers adds many bidders in one transaction: all of them, or none. It is
// for data of one's own: whose account is tied to which bidder is not asked.
func (s *Service) AddUsers(ctx context.Context, all []NewUser) ([]User, error) {
	return addAll(ctx, s, all, NewUser.check, s.store.insertUser)
}

// ChangeUser renames a bidder.
func (s *Service) ChangeUser(ctx context.Context, id UserID, c UserChange, match market.IfMatch) (User, error) {
	var changed User
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		u, err := s.store.selectUserForUpdate(tx, id)
		if err != nil {
			return err
		}
		if changed, err = c.apply(u); err != nil {
			return err
		}
		if err := match.Check(u.Version); err != nil || changed == u {
			return err
		}
		changed, err = s.store.updateUser(tx, changed)
		return err
	})
	return changed, err
}

// RemoveUser takes a bidder away with all of its bids, and chooses the winners
// of their items again.
func (s *Service) RemoveUser(ctx context.Context, id UserID, match market.IfMatch) error {
	return s.db.Update(ctx, func(tx *database.Tx) error {
		u, err := s.store.selectUserForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := match.Check(u.Version); err != nil {
			return err
		}
		return s.store.deleteUser(tx, u)
	})
}

// addAll adds many things in one transaction.
func addAll[N, T any](ctx context.Context, s *Service, all []N, check func(N) error, insert func(*database.Tx, N) (T, error)) ([]T, error) {
	for _, n := range all {
		if err := check(n); err != nil {
			return nil, err
		}
	}
	var added []T
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		added = make([]T, 0, len(all))
		for _, n := range all {
			one, err := insert(tx, n)
			if err != nil {
				return err
			}
			added = append(added, one)
		}
		return nil
	})
	return added, err
}
