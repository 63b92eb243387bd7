package accounts

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const (
	// keysEvery is how old the keys that are known may be: another process that
	// shares the database may have added one.
	keysEvery = 2 * time.Second
	// keyLead is how long a key is published before it signs. It is longer than
	// any process goes without a look at the keys when it meets an unknown one.
	keyLead = 10 * time.Second
)

// keys gives the keys; Unavailable while the database is waited for. Once known,
// they go on while it is away.
func (s *Service) keys(ctx context.Context) (*keyring, error) {
	known, now := s.opened.Load(), s.options.Now()
	if known != nil && now.Sub(known.read) < keysEvery {
		return known, nil
	}
	if known != nil && !s.opening.TryLock() {
		return known, nil // somebody reads
	} else if known == nil {
		s.opening.Lock()
	}
	defer s.opening.Unlock()
	if known := s.opened.Load(); known != nil && now.Sub(known.read) < keysEvery {
		return known, nil
	}
	keys, err := s.readKeys(ctx, now, known == nil)
	switch {
	case err == nil:
		s.opened.Store(keys)
		if known != nil && keys.lacks(known) { // another process took one away
			s.verifier.seen.forget(func(holder) bool { return true })
		}
		return keys, nil
	case known != nil:
		s.options.Log.WarnContext(ctx, "the signing keys cannot be read; those that are known go on", "error", err)
		return known, nil
	}
	return nil, fmt.Errorf("open the signing keys: %w", err)
}

func (s *Service) readKeys(ctx context.Context, now time.Time, first bool) (*keyring, error) {
	if len(s.options.Keys) > 0 {
		keys := make([]signingKey, len(s.options.Keys))
		for i, key := range s.options.Keys {
			keys[i] = newSigningKey(key)
			keys[i].tokenLife = s.options.TokenLife
		}
		return newKeyring(keys, now), nil
	}
	if first {
		keys, err := s.openKeys(market.WithAction(ctx, nil), now) // whoever comes first does not change them
		return newKeyring(keys, now), err
	}
	keys, err := s.store.selectKeys(ctx)
	if err == nil && len(keys) == 0 {
		err = errors.New("there is none")
	}
	if err != nil {
		return nil, err
	}
	return newKeyring(keys, now), nil
}

// openKeys reads the stored keys, or makes the first one. Of two first starts
// that both make one, the database keeps one, and both read that.
func (s *Service) openKeys(ctx context.Context, at time.Time) (keys []signingKey, err error) {
	fresh, err := randomBytes(s.options.Random, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	now, life := market.At(at), max(s.options.TokenLife, s.options.ShortLife)
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		keys, err = s.store.selectKeysIn(tx)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			if _, err := s.store.insertKey(tx, 1, fresh, now, now, life); err != nil {
				return err
			}
		}
		if err := s.store.lengthenTokens(tx, life, now); err != nil {
			return err
		}
		keys, err = s.store.selectKeysIn(tx)
		return err
	})
	return keys, err
}

// SigningKey is a key of tokens, as operators see it.
type SigningKey struct {
	ID    string // the kid of its tokens
	Made  time.Time
	Signs time.Time // from when on
	Until time.Time // when it is taken away; zero while nothing follows it
	State string    // "next", "signing" or "old"
}

// SigningKeys gives the keys, the newest first.
func (s *Service) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	keys, err := s.keys(ctx)
	if err != nil {
		return nil, err
	}
	now := s.options.Now()
	signer, state := keys.signer(now).id, "next"
	all := make([]SigningKey, len(keys.keys))
	for i, k := range keys.keys {
		switch {
		case k.id == signer:
			state = "signing"
		case state == "signing":
			state = "old"
		}
		all[i] = SigningKey{ID: k.id, Made: k.made, Signs: k.signs, Until: k.until, State: state}
	}
	return all, nil
}

// RotateKey adds a key. It is published at once and signs ten seconds later; the
// one before is taken until the last token that it signed is over, so nobody is
// signed out. Keys that are over are thrown away.
func (s *Service) RotateKey(ctx context.Context) (SigningKey, error) {
	if err := s.ownKeys(); err != nil {
		return SigningKey{}, err
	}
	seed, err := randomBytes(s.options.Random, ed25519.SeedSize)
	if err != nil {
		return SigningKey{}, err
	}
	now := s.options.Now()
	made, signs, life := market.At(now), market.At(now.Add(keyLead)), max(s.options.TokenLife, s.options.ShortLife)
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		keys, err := s.store.selectKeysIn(tx)
		if err != nil {
			return err
		}
		if keys[0].signs.After(now) {
			return market.Refuse(market.Conflict, "key_waits", "the key %s was just made and does not sign yet: rotate again after it does", keys[0].id)
		}
		taken := newKeyring(keys, now).taken
		for _, k := range keys {
			if taken[k.id] == nil {
				if err := s.store.deleteSigningKey(tx, k.generation); err != nil {
					return err
				}
			}
		}
		longest := (&keyring{keys: keys}).longest() // of processes with other settings, too
		first, err := s.store.insertKey(tx, keys[0].generation+1, seed, made, signs, max(life, longest))
		if err == nil && !first {
			err = market.Refuse(market.Conflict, "key_waits", "somebody else made a key at this moment")
		}
		return err
	})
	if err != nil {
		return SigningKey{}, err
	}
	s.opened.Store(nil)
	k := newSigningKey(ed25519.NewKeyFromSeed(seed))
	return SigningKey{ID: k.id, Made: made.Time, Signs: signs.Time, State: "next"}, nil
}

// RetireKey takes away a key that signs no longer, and with it the tokens that it
// signed: for one that others may have seen.
func (s *Service) RetireKey(ctx context.Context, id string) error {
	if err := s.ownKeys(); err != nil {
		return err
	}
	now := s.options.Now()
	err := s.options.DB.Update(ctx, func(tx *database.Tx) error {
		keys, err := s.store.selectKeysIn(tx)
		if err != nil {
			return err
		}
		ring := keyring{keys: keys}
		signer := ring.signer(now)
		for _, k := range keys {
			switch {
			case k.id != id:
			case k.generation >= signer.generation:
				return market.Refuse(market.Conflict, "key_signs", "the key %s signs tokens, or is about to: make another with `emporium keys rotate`, and retire this one when that signs", id)
			default:
				return s.store.deleteSigningKey(tx, k.generation)
			}
		}
		return market.Refuse(market.NotFound, "unknown_key", "there is no signing key '%s'", id)
	})
	if err == nil {
		s.opened.Store(nil)
		s.verifier.seen.forget(func(holder) bool { return true })
	}
	return err
}

// ownKeys refuses to change keys that are kept elsewhere.
func (s *Service) ownKeys() error {
	if len(s.options.Keys) > 0 {
		return market.Refuse(market.Conflict, "keys_given", "the signing keys come from the setting EMPORIUM_TOKEN_KEY: put the new key there, above the old one, and start again")
	}
	return nil
}
