package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// firstLinkLife is how long the link holds by which the first staff member makes
// an account.
const firstLinkLife = 24 * time.Hour

// Link is what such a link carries. Who has it may become the first staff member.
type Link string

func (l Link) hash() []byte {
	sum := sha256.Sum256([]byte(l))
	return sum[:]
}

// errDeadLink is the one answer to any link that does not hold.
func errDeadLink() error {
	return market.Refuse(market.Denied, "dead_link", "this link was used, is older than a day, or never was one; while there is no staff, a start in protected mode prints a new one")
}

// NewFirstLink makes a link for the first staff member, or gives "" where there
// is staff. It is stored as a hash.
func (s *Service) NewFirstLink(ctx context.Context) (Link, error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(s.options.Random, raw); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	link, now := Link(base64.RawURLEncoding.EncodeToString(raw)), s.options.Now()
	none := true
	err := s.options.DB.Update(ctx, func(tx *database.Tx) error {
		staff, err := s.store.selectStaffForUpdate(tx)
		if none = len(staff) == 0; err != nil || !none {
			return err
		}
		return s.store.insertLink(tx, link.hash(), market.At(now), market.At(now.Add(firstLinkLife)))
	})
	if err != nil || !none {
		return "", err
	}
	return link, nil
}

// CheckFirstLink says whether a link holds.
func (s *Service) CheckFirstLink(ctx context.Context, link Link) error {
	err := s.store.selectLink(ctx, link.hash(), market.At(s.options.Now()))
	if errors.Is(err, database.ErrNoRows) {
		return errDeadLink()
	}
	return err
}

// AddFirstStaff makes an account for the first staff member, by a link that then
// holds no longer. Of several who use links at once, one does. A mail that has an
// account is a Conflict: whose it is was never proved.
func (s *Service) AddFirstStaff(ctx context.Context, link Link, n Newcomer) (Account, error) {
	if err := s.CheckFirstLink(ctx, link); err != nil {
		return Account{}, err
	}
	if err := n.check(s.today(), s.options.OnlyStrong); err != nil {
		return Account{}, err
	}
	passwordHash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return Account{}, err
	}
	var first Account
	key, now, action := database.Fold(n.Mail), market.At(s.options.Now()), market.ActionOf(ctx)
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		used, err := s.store.deleteLink(tx, link.hash(), now)
		if err != nil {
			return err
		}
		staff, err := s.store.selectStaffForUpdate(tx)
		if err != nil {
			return err
		}
		if !used || len(staff) > 0 {
			return errDeadLink()
		}
		if first, err = s.store.insertAccount(tx, n, key, passwordHash); err != nil {
			return err
		}
		if first, err = s.store.updateRole(tx, first, roleStaff); err != nil {
			return err
		}
		note(action, "made account %d the first staff member", first.ID)
		return s.store.deleteLinks(tx)
	})
	return first, err
}

// note adds to what is written down of an action, where it is.
func note(a *market.Action, format string, args ...any) {
	if a != nil {
		a.Note = fmt.Sprintf(format, args...)
	}
}
