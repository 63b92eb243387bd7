package accounts

import (
	"context"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// mayKeepKeys refuses who may not look after the keys of an account: others than
// whom it is, and staff.
func mayKeepKeys(ctx context.Context, user market.UserID) error {
	if by := market.IdentityOf(ctx); by.User != user && !by.Staff {
		return market.Refuse(market.Denied, "not_oneself", "this is somebody else's account")
	}
	return nil
}

// MakeAPIKey makes a key by which a machine acts as an account, in the bounds of
// its scopes. The key is in this answer alone: a repeat of the request, by its
// Idempotency-Key, makes no second one and does not show it again.
func (s *Service) MakeAPIKey(ctx context.Context, n NewAPIKey) (APIKey, error) {
	owner, err := s.store.selectAccount(ctx, n.User)
	if err != nil {
		return APIKey{}, err
	}
	if err := mayKeepKeys(ctx, n.User); err != nil {
		return APIKey{}, err
	}
	now := s.options.Now()
	scopes, expires, err := n.check(now, owner.Staff)
	if err != nil {
		return APIKey{}, err
	}
	secret, err := randomBytes(s.options.Random, secretSize)
	if err != nil {
		return APIKey{}, err
	}
	text := writeKey(secret)
	hash := s.secrets.sum("API key", []byte(text))
	want := APIKey{
		User: n.User, Name: n.Name, Scopes: scopes, Hint: text[len(text)-4:], By: market.IdentityOf(ctx).User,
		Made: market.At(now), Expires: expires,
	}
	return database.Once(ctx, s.options.DB, func(tx *database.Tx) (APIKey, error) {
		if _, err := s.store.selectAccountForUpdate(tx, n.User); err != nil {
			return APIKey{}, err
		}
		made, err := s.store.insertAPIKey(tx, want, hash)
		made.Key = text // which a repeat does not get: it is not kept
		return made, err
	})
}

// APIKeys walks the keys of an account in id order.
func (s *Service) APIKeys(ctx context.Context, user market.UserID, page market.Page) (iter.Seq2[APIKey, error], error) {
	if _, err := s.store.selectAccount(ctx, user); err != nil {
		return nil, err
	}
	if err := mayKeepKeys(ctx, user); err != nil {
		return nil, err
	}
	return market.Chunks(page, func(k APIKey) int64 { return k.ID }, func(after int64, limit int) ([]APIKey, error) {
		return s.store.selectAPIKeys(ctx, user, after, limit)
	}), nil
}

// RevokeAPIKey ends a key: at once in this process, within five seconds in all
// others.
func (s *Service) RevokeAPIKey(ctx context.Context, user market.UserID, id int64) error {
	if _, err := s.store.selectAccount(ctx, user); err != nil {
		return err
	}
	if err := mayKeepKeys(ctx, user); err != nil {
		return err
	}
	err := s.options.DB.Update(ctx, func(tx *database.Tx) error { return s.store.deleteAPIKey(tx, user, id) })
	if err == nil {
		s.verifier.seen.forget(func(h holder) bool { return h.apiKey == id })
	}
	return err
}

// identifyKey tells whose an API key is, and notes the hour.
func (s *Service) identifyKey(ctx context.Context, text string) (holder, error) {
	k, err := s.store.selectAPIKey(ctx, s.secrets.sum("API key", []byte(text)))
	if err != nil {
		return holder{}, err
	}
	now := s.options.Now()
	if !now.Before(k.Expires.Time) {
		return holder{}, badToken()
	}
	owner, err := s.store.selectAccount(ctx, k.User)
	switch {
	case market.KindOf(err) == market.NotFound:
		return holder{}, badToken()
	case err != nil:
		return holder{}, err
	}
	if hour := market.At(now.Truncate(usedTo)); hour.After(k.Used.Time) {
		err := s.options.DB.Update(ctx, func(tx *database.Tx) error { return s.store.updateKeyUsed(tx, k.ID, hour) })
		if err != nil {
			s.options.Log.WarnContext(ctx, "the use of an API key could not be noted", "key", k.ID, "error", err)
		}
	}
	return holder{
		user: k.User, apiKey: k.ID, scopes: k.Scopes, staff: owner.Staff && k.Scopes.Has(market.StaffScope), expires: k.Expires.Time,
	}, nil
}

// ownKey tells whose a key is, to who has it.
func (s *Service) ownKey(ctx context.Context, text string) (holder, error) {
	if !isKey(text) {
		return holder{}, market.Refuse(market.NotFound, "not_a_key", "what was sent is a token, not an API key")
	}
	return s.identifyKey(ctx, text)
}
