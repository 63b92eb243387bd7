package accounts

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// prove says whose mail and password these are. It costs one hash whatever is
// wrong with them.
func (s *Service) prove(ctx context.Context, c Credentials) (stored, error) {
	if err := c.check(); err != nil {
		return stored{}, err
	}
	found, err := s.store.selectPassword(ctx, database.Fold(c.Mail))
	if errors.Is(err, database.ErrNoRows) {
		found = stored{hash: s.hasher.nobody}
	} else if err != nil {
		return stored{}, err
	}
	right, err := s.matches(ctx, c.Password, found)
	if err != nil {
		return stored{}, err
	}
	if !right || found.user == 0 {
		return stored{}, market.Refuse(market.Unauthenticated, "wrong_credentials", "the mail or the password is wrong")
	}
	return found, nil
}

// matches compares a password. One that is right and was hashed in another way
// than today's is hashed anew.
func (s *Service) matches(ctx context.Context, password string, with stored) (bool, error) {
	of, err := parseHash(with.hash)
	if err != nil {
		return false, fmt.Errorf("the stored password of account %d: %w", with.user, err)
	}
	right, err := s.hasher.matches(ctx, password, of)
	if errors.Is(err, errNoPepper) {
		s.options.Log.ErrorContext(ctx, "nobody can sign in to this account", "account", with.user, "error", err)
		err = nil
	}
	if err != nil || !right || with.user == 0 || !s.hasher.outdated(of) {
		return right, err
	}
	made, err := s.hasher.hash(ctx, password)
	if err == nil {
		err = s.options.DB.Update(ctx, func(tx *database.Tx) error { return s.store.updateHash(tx, with.user, made, with.hash) })
	}
	if err != nil {
		s.options.Log.WarnContext(ctx, "a password could not be hashed anew; the next sign-in tries again", "account", with.user, "error", err)
	}
	return true, nil
}

// ChangePassword sets a new password for whom the account is and who knows the
// old one. All other tokens and sessions end; the caller gets a new token.
func (s *Service) ChangePassword(ctx context.Context, id market.UserID, before, next string) (token string, err error) {
	a, err := s.store.selectAccount(ctx, id)
	if err != nil {
		return "", err
	}
	if market.IdentityOf(ctx).User != id {
		return "", market.Refuse(market.Denied, "not_oneself", "this is somebody else's account")
	}
	var faults market.Faults
	checkText(&faults, "password", before)
	if checkText(&faults, "newPassword", next) {
		checkStrong(&faults, "newPassword", next, a.Mail)
	}
	if err := faults.Err("invalid_password"); err != nil {
		return "", err
	}
	hashed, err := s.store.selectHash(ctx, id)
	if err != nil {
		return "", err
	}
	right, err := s.matches(ctx, before, stored{hash: hashed})
	if err != nil {
		return "", err
	}
	if !right {
		faults.Add("body.password", nil, "password is not the one that the account has")
		return "", faults.Err("wrong_password")
	}
	made, err := s.hasher.hash(ctx, next)
	if err != nil {
		return "", err
	}
	now, longest := market.At(s.options.Now()), time.Duration(0)
	if longest, err = s.longestLife(ctx); err != nil {
		return "", err
	}
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		if a, err = s.store.selectAccountForUpdate(tx, id); err != nil {
			return err
		}
		return s.replacePassword(tx, id, made, hashed, now, longest)
	})
	if err != nil {
		return "", err
	}
	s.verifier.revoked.readNow(ctx)
	return s.sign(ctx, grant{user: id, staff: a.Staff, generation: a.generation + 1, life: s.options.TokenLife})
}

// replacePassword stores a hash instead of the one that was checked, or of any
// when before is "", and ends all tokens, that for another password too.
func (s *Service) replacePassword(tx *database.Tx, id market.UserID, made, before string, now market.Time, longest time.Duration) error {
	if before == "" {
		if err := s.store.updatePassword(tx, id, made); err != nil {
			return err
		}
	} else if n, err := tx.Exec(s.store.rehash, made, id, before); err != nil {
		return err
	} else if n == 0 {
		return market.Refuse(market.Conflict, "password_changed", "the password was changed at this moment: try again with the one that it is now")
	}
	if err := tx.Send(s.store.dropReset, id); err != nil {
		return err
	}
	return s.endTokens(tx, id, now, longest)
}

// AskReset has a token for a new password sent to the account of a mail. Whether
// there is one is not said, neither in words nor by the time that it takes: what
// is to be done is done later.
func (s *Service) AskReset(_ context.Context, mail string) error {
	var faults market.Faults
	if checkText(&faults, "mail", mail); len(faults) > 0 {
		return faults.Err("invalid_mail")
	}
	if s.options.SendReset == nil {
		return market.Refuse(market.Conflict, "no_mail", "this shop sends no mail: ask its operator for a new password")
	}
	select {
	case s.letters <- mail:
		return nil
	default:
		return &market.Error{Kind: market.Unavailable, Code: "busy", Detail: "too many ask for a new password at this moment: try again", RetryAfter: resetAgain}
	}
}

// Work sends what was asked for, until ctx ends.
func (s *Service) Work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case mail := <-s.letters:
			if err := s.sendReset(ctx, mail); err != nil && ctx.Err() == nil {
				s.options.Log.ErrorContext(ctx, "a password reset was not sent", "error", err)
			}
		}
	}
}

func (s *Service) sendReset(ctx context.Context, mail string) error {
	made, err := s.makeReset(ctx, mail, resetAgain)
	switch {
	case market.KindOf(err) == market.NotFound || market.KindOf(err) == market.Conflict:
		return nil
	case err != nil:
		return err
	}
	return s.options.SendReset(ctx, made)
}

// MakeReset makes a token by which the account of a mail gets a new password, for
// the operator to hand on. The one before it ends.
func (s *Service) MakeReset(ctx context.Context, mail string) (Reset, error) {
	return s.makeReset(ctx, mail, 0)
}

func (s *Service) makeReset(ctx context.Context, mail string, again time.Duration) (Reset, error) {
	a, err := s.store.selectByMail(ctx, database.Fold(mail))
	if errors.Is(err, database.ErrNoRows) {
		return Reset{}, market.Refuse(market.NotFound, "unknown_account", "no account has this mail")
	} else if err != nil {
		return Reset{}, err
	}
	secret, err := randomBytes(s.options.Random, secretSize)
	if err != nil {
		return Reset{}, err
	}
	now := s.options.Now()
	made := Reset{
		User: a.ID, Mail: a.Mail, Name: a.FirstName, Expires: market.At(now.Add(resetLife)),
		Token: resetPrefix + base64.RawURLEncoding.EncodeToString(secret),
	}
	hash, stands := s.secrets.sum("reset", []byte(made.Token)), false
	note(market.ActionOf(ctx), "made a token for a new password of account %d", a.ID)
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		stands, err = s.store.insertReset(tx, a.ID, hash, market.At(now), made.Expires, market.At(now.Add(-again)))
		return err
	})
	if err == nil && !stands {
		err = market.Refuse(market.Conflict, "just_sent", "a token was made a moment ago")
	}
	return made, err
}

func badReset() error {
	return market.Refuse(market.Invalid, "bad_reset", "the token for a new password does not hold, is over or was used: ask for another")
}

// UseReset sets a new password by a token, once. All sessions and tokens of the
// account end.
func (s *Service) UseReset(ctx context.Context, token, next string) error {
	var faults market.Faults
	checkText(&faults, "newPassword", next)
	now := market.At(s.options.Now())
	hash := s.secrets.sum("reset", []byte(token))
	_, mail, err := s.store.selectReset(ctx, hash, now)
	switch {
	case errors.Is(err, database.ErrNoRows) || !strings.HasPrefix(token, resetPrefix):
		return badReset()
	case err != nil:
		return err
	}
	if len(faults) == 0 {
		checkStrong(&faults, "newPassword", next, mail)
	}
	if err := faults.Err("invalid_password"); err != nil {
		return err
	}
	made, err := s.hasher.hash(ctx, next)
	if err != nil {
		return err
	}
	longest, err := s.longestLife(ctx)
	if err != nil {
		return err
	}
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		user, err := s.store.deleteReset(tx, hash, now)
		if errors.Is(err, database.ErrNoRows) {
			return badReset()
		} else if err != nil {
			return err
		}
		return s.replacePassword(tx, user, made, "", now, longest)
	})
	if err == nil {
		s.verifier.revoked.readNow(ctx)
	}
	return err
}
