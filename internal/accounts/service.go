package accounts

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/events"
)

// DefaultTokenLife is how long one stays signed in where nothing else is set.
const DefaultTokenLife = 24 * time.Hour

// Options say what the accounts need and what their tokens are like. DB,
// Outbox and Now are required.
type Options struct {
	DB        *database.DB
	Outbox    *events.Outbox // of DB
	Now       func() time.Time
	Random    io.Reader          // for keys, salts and token ids, read by many at once; crypto/rand when nil
	Argon     Argon              // what hashing a password costs; DefaultArgon when zero
	AtOnce    int                // how many passwords are hashed at the same time; the number of CPUs when 0
	Key       ed25519.PrivateKey // signs tokens, see [ParseKey]; when nil, one made at the first start and kept in DB
	Issuer    Name               // DefaultName when empty
	Audience  Name               // DefaultName when empty
	TokenLife time.Duration      // DefaultTokenLife when 0
}

// Service is the accounts' use cases. It tells for all of Emporium whose a token
// is ([market.Tokens]).
type Service struct {
	options  Options
	store    *store
	opened   atomic.Pointer[keyring]
	opening  sync.Mutex
	hasher   *hasher
	verifier *verifier
}

var _ market.Tokens = (*Service)(nil)

// New makes the service on its database, from which it reads the key that signs
// tokens, or puts one there. Where the database is still waited for, the first
// who needs the key does.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Argon == (Argon{}) {
		o.Argon = DefaultArgon
	}
	if o.AtOnce <= 0 {
		o.AtOnce = runtime.GOMAXPROCS(0)
	}
	if o.Issuer == "" {
		o.Issuer = DefaultName
	}
	if o.Audience == "" {
		o.Audience = DefaultName
	}
	if o.TokenLife <= 0 {
		o.TokenLife = DefaultTokenLife
	}
	store, err := newStore(o.DB)
	if err != nil {
		return nil, fmt.Errorf("prepare accounts: %w", err)
	}
	s := &Service{options: o, store: store}
	if s.hasher, err = newHasher(o.Argon, o.Random, o.AtOnce); err != nil {
		return nil, fmt.Errorf("prepare accounts: %w", err)
	}
	if _, err := s.keys(ctx); err != nil && market.KindOf(err) != market.Unavailable {
		return nil, err
	}
	s.verifier = newVerifier(o.Issuer, o.Audience, o.Now)
	s.verifier.key = func(ctx context.Context, id string) (ed25519.PublicKey, error) {
		keys, err := s.keys(ctx)
		if err != nil {
			return nil, err
		}
		if key := keys.public[id]; key != nil {
			return key, nil
		}
		return nil, errors.New("unknown key")
	}
	s.verifier.exists = func(ctx context.Context, id market.UserID) error {
		_, err := s.store.selectAccount(ctx, id)
		return err
	}
	return s, nil
}

// keys gives the keys; Unavailable while the database is waited for.
func (s *Service) keys(ctx context.Context) (*keyring, error) {
	if opened := s.opened.Load(); opened != nil {
		return opened, nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if opened := s.opened.Load(); opened != nil {
		return opened, nil
	}
	keys, err := s.openKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the signing key: %w", err)
	}
	s.opened.Store(&keys)
	return &keys, nil
}

// openKeys gives the keys of the setting, or those that are stored. Of two first
// starts that both make one, the database keeps one, and both read that.
func (s *Service) openKeys(ctx context.Context) (keyring, error) {
	if s.options.Key != nil {
		return newKeyring(s.options.Key), nil
	}
	fresh, err := newSeed(s.options.Random)
	if err != nil {
		return keyring{}, err
	}
	now := market.At(s.options.Now())
	var seeds [][]byte
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error { //nolint:contextcheck // a change never sees its caller's context
		if err := s.store.insertFirstKey(tx, fresh, now); err != nil {
			return err
		}
		seeds, err = s.store.selectKeys(tx)
		return err
	})
	if err != nil {
		return keyring{}, err
	}
	keys := make([]ed25519.PrivateKey, len(seeds))
	for i, seed := range seeds {
		if len(seed) != ed25519.SeedSize {
			return keyring{}, fmt.Errorf("a stored key has %d bytes, not %d", len(seed), ed25519.SeedSize)
		}
		keys[i] = ed25519.NewKeyFromSeed(seed)
	}
	return newKeyring(keys...), nil
}

// Account gives one account; NotFound when there is none of that id.
func (s *Service) Account(ctx context.Context, id market.UserID) (Account, error) {
	return s.store.selectAccount(ctx, id)
}

// Accounts walks the accounts in id order.
func (s *Service) Accounts(ctx context.Context, page market.Page) iter.Seq2[Account, error] {
	return market.Chunks(page, func(a Account) int64 { return int64(a.ID) }, func(after int64, limit int) ([]Account, error) {
		return s.store.selectAccounts(ctx, after, limit)
	})
}

// SignUp makes an account. A mail that has one already is a Conflict.
func (s *Service) SignUp(ctx context.Context, n Newcomer) (Account, error) {
	if err := n.check(s.today()); err != nil {
		return Account{}, err
	}
	passwordHash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return Account{}, err
	}
	key := database.Fold(n.Mail)
	return database.Once(ctx, s.options.DB, func(tx *database.Tx) (Account, error) {
		return s.store.insertAccount(tx, n, key, passwordHash)
	})
}

// SignIn gives a token for the account of a mail. A mail that has none takes as
// long as a wrong password, and is told no different.
func (s *Service) SignIn(ctx context.Context, c Credentials) (token string, err error) {
	if err := c.check(); err != nil {
		return "", err
	}
	user, stored, err := s.store.selectPassword(ctx, database.Fold(c.Mail))
	if errors.Is(err, database.ErrNoRows) {
		stored = s.hasher.nobody
	} else if err != nil {
		return "", err
	}
	right, err := s.hasher.matches(ctx, c.Password, stored)
	if err != nil {
		return "", err
	}
	if !right || user == 0 {
		return "", market.Refuse(market.Unauthenticated, "wrong_credentials", "the mail or the password is wrong")
	}
	keys, err := s.keys(ctx)
	if err != nil {
		return "", err
	}
	return keys.sign(user, s.options.Issuer, s.options.Audience, s.options.Now(), s.options.TokenLife, s.options.Random)
}

// Identify tells whose a token is. A token of an account that was deleted holds
// no longer: at once in the process that deleted it, within a minute in others
// that share its database.
func (s *Service) Identify(ctx context.Context, token string) (market.Identity, error) {
	return s.verifier.identify(ctx, token)
}

// ChangeAccount changes the fields that are set, for whom the account is.
func (s *Service) ChangeAccount(ctx context.Context, id market.UserID, c Change, match market.IfMatch) (Account, error) {
	var changed Account
	by, today := market.IdentityOf(ctx), s.today()
	err := s.options.DB.Update(ctx, func(tx *database.Tx) error {
		a, err := s.store.selectAccountForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := itself(by, id); err != nil {
			return err
		}
		if a, err = c.apply(a, today); err != nil {
			return err
		}
		if err := match.Check(a.Version); err != nil {
			return err
		}
		changed, err = s.store.updateAccount(tx, a)
		return err
	})
	return changed, err
}

// DeleteAccount ends an account for whom it is, and tells those who listen
// (market.AccountDeleted).
func (s *Service) DeleteAccount(ctx context.Context, id market.UserID, match market.IfMatch) error {
	by, gone := market.IdentityOf(ctx), market.AccountDeleted{User: id, At: market.At(s.options.Now())}
	err := s.options.DB.Update(ctx, func(tx *database.Tx) error {
		a, err := s.store.selectAccountForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := itself(by, id); err != nil {
			return err
		}
		if err := match.Check(a.Version); err != nil {
			return err
		}
		if err := s.store.deleteAccount(tx, a); err != nil {
			return err
		}
		return s.options.Outbox.Add(tx, gone)
	})
	if err == nil {
		s.verifier.seen.forget(id)
	}
	return err
}

// itself refuses a change of somebody else's account.
func itself(by market.Identity, id market.UserID) error {
	if by.User != id {
		return market.Refuse(market.Denied, "not_oneself", "this is somebody else's account")
	}
	return nil
}

func (s *Service) today() string { return s.options.Now().UTC().Format(time.DateOnly) }
