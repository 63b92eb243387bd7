package accounts

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
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
	Random    io.Reader            // for keys, salts and token ids, read by many at once; crypto/rand when nil
	Argon     Argon                // what hashing a password costs; DefaultArgon when zero
	AtOnce    int                  // how many passwords are hashed at the same time; half of the CPUs when 0
	Keys      []ed25519.PrivateKey // the first signs tokens, all are taken, see [ParseKeys]; when there is none, those kept in DB
	Secret    []byte               // keys the hashes of refresh tokens, API keys and resets, the same in all processes; made up when empty, and then they end with the process
	Issuer    Name                 // DefaultName when empty
	Audience  Name                 // DefaultName when empty
	TokenLife time.Duration        // DefaultTokenLife when 0

	ShortLife   time.Duration // of tokens that can be renewed; DefaultShortLife when 0
	SessionLife time.Duration // of a session that nobody renews; DefaultSessionLife when 0

	Peppers    [][]byte                           // are mixed into password hashes, the first into new ones; none when empty
	OnlyStrong bool                               // refuses common passwords from those who sign up, too, as the protected mode does
	SendReset  func(context.Context, Reset) error // delivers the token of somebody who forgot a password; nil: nobody does
	Log        *slog.Logger                       // nil logs nothing
}

// Service is the accounts' use cases. It tells for all of Emporium whose a token
// is ([market.Tokens]).
type Service struct {
	options  Options
	store    *store
	opened   atomic.Pointer[keyring]
	opening  sync.Mutex
	hasher   *hasher
	secrets  secrets
	verifier *verifier
	letters  chan string // mails of those who forgot their password, as they asked
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
		o.AtOnce = max(1, runtime.GOMAXPROCS(0)/2) // the others stay free for everybody else
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
	if o.ShortLife <= 0 {
		o.ShortLife = DefaultShortLife
	}
	if o.SessionLife <= 0 {
		o.SessionLife = DefaultSessionLife
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Secret) == 0 {
		var err error
		if o.Secret, err = randomBytes(o.Random, secretSize); err != nil {
			return nil, err
		}
	}
	store, err := newStore(o.DB)
	if err != nil {
		return nil, fmt.Errorf("prepare accounts: %w", err)
	}
	s := &Service{options: o, store: store, secrets: o.Secret, letters: make(chan string, lettersWaiting)}
	if s.hasher, err = newHasher(o.Argon, o.Random, o.AtOnce, newPeppers(o.Peppers)); err != nil {
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
		if key := keys.taken[id]; key != nil {
			return key, nil
		}
		return nil, errors.New("unknown key")
	}
	s.verifier.account = func(ctx context.Context, id market.UserID) (standing, error) {
		a, err := s.store.selectAccount(ctx, id)
		return standing{staff: a.Staff, generation: a.generation}, err
	}
	s.verifier.apiKey = s.identifyKey
	s.verifier.revoked.fetch = func(ctx context.Context, after int64) (revocations, error) {
		if _, err := s.keys(ctx); err != nil { // one of them may have been taken away
			return revocations{}, err
		}
		return s.store.selectRevocations(ctx, after, readAtOnce)
	}
	return s, nil
}

// Account gives one account to whom may read it; NotFound when there is none of
// that id.
func (s *Service) Account(ctx context.Context, id market.UserID) (Account, error) {
	a, err := s.store.selectAccount(ctx, id)
	if err == nil && !market.IdentityOf(ctx).MayRead(id) {
		return Account{}, market.Refuse(market.Denied, "not_oneself", "this is somebody else's account")
	}
	return a, err
}

// Accounts walks the accounts that one may read, in id order.
func (s *Service) Accounts(ctx context.Context, page market.Page) iter.Seq2[Account, error] {
	if self, only := market.IdentityOf(ctx).ReadsOnly(); only {
		return s.itself(ctx, self, page)
	}
	return market.Chunks(page, func(a Account) int64 { return int64(a.ID) }, func(after int64, limit int) ([]Account, error) {
		return s.store.selectAccounts(ctx, after, limit)
	})
}

// itself is the list of accounts as one sees it who may read one's own alone.
func (s *Service) itself(ctx context.Context, self market.UserID, page market.Page) iter.Seq2[Account, error] {
	return func(yield func(Account, error) bool) {
		if int64(self) <= page.After {
			return
		}
		if a, err := s.store.selectAccount(ctx, self); market.KindOf(err) != market.NotFound {
			yield(a, err)
		}
	}
}

// SignUp makes an account. A mail that has one already is a Conflict.
func (s *Service) SignUp(ctx context.Context, n Newcomer) (Account, error) {
	if err := n.check(s.today(), s.options.OnlyStrong); err != nil {
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

// Identify tells whose a token or an API key is. What was ended holds no longer:
// at once in the process that ended it, within five seconds in all others.
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
		if err := allowed(by, id); err != nil {
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
	longest, err := s.longestLife(ctx)
	if err != nil {
		return err
	}
	ended := revocation{user: id, generation: allGenerations, expires: market.At(gone.At.Add(longest))}
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		a, err := s.store.selectAccountForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := allowed(by, id); err != nil {
			return err
		}
		if err := match.Check(a.Version); err != nil {
			return err
		}
		if err := s.store.deleteAccount(tx, a); err != nil {
			return err
		}
		if err := s.store.insertRevocation(tx, ended, gone.At); err != nil {
			return err
		}
		return s.options.Outbox.Add(tx, gone)
	})
	if err == nil {
		s.verifier.seen.forget(func(h holder) bool { return h.user == id }) // its API keys, too
		s.verifier.revoked.readNow(ctx)
	}
	return err
}

// allowed refuses a change of somebody else's account.
func allowed(by market.Identity, id market.UserID) error {
	if !by.MayChange(id) {
		return market.Refuse(market.Denied, "not_oneself", "this is somebody else's account")
	}
	return nil
}

func (s *Service) today() string { return s.options.Now().UTC().Format(time.DateOnly) }
