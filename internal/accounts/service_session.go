package accounts

import (
	"context"
	"errors"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// SignIn gives a token for the account of a mail. A mail that has none takes as
// long as a wrong password, and is told no different.
func (s *Service) SignIn(ctx context.Context, c Credentials) (token string, err error) {
	found, err := s.prove(ctx, c)
	if err != nil {
		return "", err
	}
	return s.sign(ctx, grant{user: found.user, staff: found.staff, generation: found.generation, life: s.options.TokenLife})
}

// StartSession is SignIn with a token that holds for a short time, and a refresh
// token that renews it.
func (s *Service) StartSession(ctx context.Context, c Credentials) (Tokens, error) {
	found, err := s.prove(ctx, c)
	if err != nil {
		return Tokens{}, err
	}
	id, err := randomID(s.options.Random)
	if err != nil {
		return Tokens{}, err
	}
	first := refreshToken{session: id}
	if first.secret, err = randomBytes(s.options.Random, secretSize); err != nil {
		return Tokens{}, err
	}
	now := market.At(s.options.Now())
	made := session{
		id: id, user: found.user, generation: found.generation, hash: s.secrets.hash(first),
		made: now, rotated: now, expires: market.At(now.Add(s.options.SessionLife)),
	}
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error { return s.store.insertSession(tx, made) })
	if err != nil {
		return Tokens{}, err
	}
	return s.tokens(ctx, made, found.staff, first)
}

// tokens makes what a client gets of a session.
func (s *Service) tokens(ctx context.Context, of session, staff bool, refresh refreshToken) (Tokens, error) {
	access, err := s.sign(ctx, grant{user: of.user, staff: staff, session: of.id, generation: of.generation, life: s.options.ShortLife})
	return Tokens{Access: access, Refresh: refresh.String(), Life: s.options.ShortLife}, err
}

func (s *Service) sign(ctx context.Context, g grant) (string, error) {
	keys, err := s.keys(ctx)
	if err != nil {
		return "", err
	}
	now := s.options.Now()
	return keys.signer(now).sign(g, s.options.Issuer, s.options.Audience, now, s.options.Random)
}

// badRefreshToken is the one answer to any refresh token that gets nothing.
func badRefreshToken() error {
	return market.Refuse(market.Unauthenticated, "bad_refresh_token", "the refresh token does not hold: sign in again")
}

// Refresh gives new tokens for a refresh token, which is good once. The one that
// was used a moment ago gets the same successor again, since its answer may have
// been lost; one that was used before that ends the session: somebody else has
// it, too.
func (s *Service) Refresh(ctx context.Context, text string) (Tokens, error) {
	given, ok := parseRefreshToken(text)
	if !ok {
		return Tokens{}, badRefreshToken()
	}
	known, err := s.store.selectSession(ctx, given.session)
	if errors.Is(err, database.ErrNoRows) {
		return Tokens{}, badRefreshToken()
	} else if err != nil {
		return Tokens{}, err
	}
	if !s.secrets.belongs(given, known) { // judged before the change: others' changes do not wait for it
		return Tokens{}, badRefreshToken()
	}
	now, next := s.options.Now(), s.secrets.next(given)
	until, nextHash := market.At(now.Add(s.options.SessionLife)), s.secrets.hash(next)
	longest, err := s.longestLife(ctx)
	if err != nil {
		return Tokens{}, err
	}
	var found session
	var result renewal
	staff := false
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		result = refused
		var err error
		if found, err = s.store.selectSessionForUpdate(tx, given.session); errors.Is(err, database.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		holder, err := scanAccount(tx.QueryRow(s.store.get, found.user))
		if err != nil || holder.generation != found.generation { // signed out everywhere while it signed in
			return err
		}
		staff = holder.Staff
		switch result = found.judge(given, now); result {
		case renewed:
			ok, err := s.store.updateSession(tx, found, nextHash, market.At(now), until)
			if err == nil && !ok {
				result = refused
			}
			return err
		case reused:
			return s.endSession(tx, found, market.At(now), longest)
		default:
			return nil
		}
	})
	switch {
	case err != nil:
		return Tokens{}, err
	case result == reused:
		s.verifier.revoked.readNow(ctx)
		return Tokens{}, badRefreshToken()
	case result == refused:
		return Tokens{}, badRefreshToken()
	}
	return s.tokens(ctx, found, staff, next)
}

// longestLife is that of any token that may be about.
func (s *Service) longestLife(ctx context.Context) (time.Duration, error) {
	keys, err := s.keys(ctx)
	if err != nil {
		return 0, err
	}
	return max(keys.longest(), s.options.TokenLife, s.options.ShortLife), nil
}

// endSession ends a session and its tokens.
func (s *Service) endSession(tx *database.Tx, n session, now market.Time, longest time.Duration) error {
	if err := s.store.deleteSessionRow(tx, n.id); err != nil {
		return err
	}
	return s.store.insertRevocation(tx, revocation{user: n.user, token: n.id, expires: market.At(now.Add(longest))}, now)
}

// endTokens ends all sessions and tokens of an account.
func (s *Service) endTokens(tx *database.Tx, user market.UserID, now market.Time, longest time.Duration) error {
	first, err := s.store.updateGeneration(tx, user)
	if err != nil {
		return err
	}
	if err := s.store.deleteSessions(tx, user); err != nil {
		return err
	}
	return s.store.insertRevocation(tx, revocation{user: user, generation: first, expires: market.At(now.Add(longest))}, now)
}

// SignOut ends a token and, if it has one, its session. It is known at once in
// this process, and within seconds in all others.
func (s *Service) SignOut(ctx context.Context, token string) error {
	h, err := s.verifier.check(ctx, token)
	if err != nil {
		return err
	}
	longest, err := s.longestLife(ctx)
	if err != nil {
		return err
	}
	now := market.At(s.options.Now())
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		if h.session != "" {
			return s.endSession(tx, session{id: h.session, user: h.user}, now, longest)
		}
		return s.store.insertRevocation(tx, revocation{user: h.user, token: h.token, expires: market.At(h.expires.Add(time.Second))}, now)
	})
	if err == nil {
		s.verifier.revoked.readNow(ctx)
	}
	return err
}

// SignOutEverywhere ends all sessions and tokens of who asks.
func (s *Service) SignOutEverywhere(ctx context.Context) error {
	user, now := market.IdentityOf(ctx).User, market.At(s.options.Now())
	longest, err := s.longestLife(ctx)
	if err != nil {
		return err
	}
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		if _, err := s.store.selectAccountForUpdate(tx, user); err != nil {
			return err
		}
		return s.endTokens(tx, user, now, longest)
	})
	if err == nil {
		s.verifier.revoked.readNow(ctx)
	}
	return err
}

// Revocation is what ended before its time, as other processes are told it.
type Revocation struct {
	ID         int64
	User       market.UserID
	Token      string // a token or a session; "" is every token of an older generation
	Generation int64
	Expires    market.Time
}

// Revocations are a piece of the list of what ended, with what else verifiers
// need to know.
type Revocations struct {
	List []Revocation
	Last int64    // the place that was given last
	Keys []string // that tokens may be signed with
}

// Revocations gives what was added to the list after a place, oldest first, a
// thousand at most.
func (s *Service) Revocations(ctx context.Context, after int64) (Revocations, error) {
	keys, err := s.keys(ctx)
	if err != nil {
		return Revocations{}, err
	}
	found, err := s.store.selectRevocations(ctx, after, readAtOnce)
	if err != nil {
		return Revocations{}, err
	}
	told := Revocations{Last: found.last}
	for i := range keys.keys {
		told.Keys = append(told.Keys, keys.keys[i].id)
	}
	for _, r := range found.list {
		told.List = append(told.List, Revocation{r.id, r.user, r.token, r.generation, r.expires})
	}
	return told, nil
}
