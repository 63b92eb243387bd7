package accounts

import (
	"context"
	"errors"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// roleStaff is the one role there is; everyone else has none.
const roleStaff = "staff"

// Appointment is what came of making somebody staff.
type Appointment struct {
	Account Account
	Created bool // there was no account of this mail before
	Already bool // and here it was staff before
}

// AddStaff makes staff of the account that a newcomer's mail has, or else makes
// one for the newcomer. An account that is there keeps its password.
//
// Its mail was never proved: whoever signed up with it becomes staff.
func (s *Service) AddStaff(ctx context.Context, n Newcomer) (Appointment, error) {
	key := database.Fold(n.Mail)
	_, err := s.store.selectPassword(ctx, key)
	passwordHash := ""
	switch {
	case errors.Is(err, database.ErrNoRows) && n.Password == "":
		err = nil // the change says that there is none
	case errors.Is(err, database.ErrNoRows):
		if err := n.check(s.today(), s.options.OnlyStrong); err != nil {
			return Appointment{}, err
		}
		passwordHash, err = s.hasher.hash(ctx, n.Password)
	}
	if err != nil {
		return Appointment{}, err
	}
	var made Appointment
	action := market.ActionOf(ctx)
	err = s.options.DB.Update(ctx, func(tx *database.Tx) (err error) {
		made, err = s.appoint(tx, n, key, passwordHash)
		note(action, "made account %d staff", made.Account.ID)
		return err
	})
	return made, err
}

// appoint makes staff of an account, which is made when a password is given and
// there is none.
func (s *Service) appoint(tx *database.Tx, n Newcomer, mailKey, passwordHash string) (made Appointment, err error) {
	made.Account, err = s.store.selectMailForUpdate(tx, mailKey)
	switch {
	case errors.Is(err, database.ErrNoRows) && passwordHash == "":
		return made, market.Refuse(market.NotFound, "unknown_account", "no account has the mail '%s'", n.Mail)
	case errors.Is(err, database.ErrNoRows):
		if made.Account, err = s.store.insertAccount(tx, n, mailKey, passwordHash); err != nil {
			return made, err
		}
		made.Created = true
	case err != nil:
		return made, err
	}
	if made.Account.Staff {
		made.Already = true
		return made, nil
	}
	made.Account, err = s.store.updateRole(tx, made.Account, roleStaff)
	return made, err
}

// RemoveStaff takes the role from a staff member, who keeps the account. The
// last one stays, unless it is done from within: nobody could undo it.
func (s *Service) RemoveStaff(ctx context.Context, id market.UserID) (Account, error) {
	var changed Account
	inside, now := market.IdentityOf(ctx).Inside, market.At(s.options.Now())
	longest, err := s.longestLife(ctx)
	if err != nil {
		return changed, err
	}
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		all, err := s.store.selectStaffForUpdate(tx)
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.ID != id {
				continue
			}
			if len(all) == 1 && !inside {
				return market.Refuse(market.Conflict, "last_staff", "the account %d is the only staff member: make another one first", id)
			}
			if changed, err = s.store.updateRole(tx, a, ""); err != nil {
				return err
			}
			return s.endTokens(tx, id, now, longest) // they say that one is staff
		}
		return market.Refuse(market.NotFound, "unknown_staff", "no staff member has the id %d", id)
	})
	if err == nil {
		s.verifier.seen.forget(func(h holder) bool { return h.user == id })
		s.verifier.revoked.readNow(ctx)
	}
	return changed, err
}

// Staff walks the staff members in id order.
func (s *Service) Staff(ctx context.Context, page market.Page) iter.Seq2[Account, error] {
	return market.Chunks(page, func(a Account) int64 { return int64(a.ID) }, func(after int64, limit int) ([]Account, error) {
		return s.store.selectStaff(ctx, after, limit)
	})
}
