package accounts

import (
	"context"
	"encoding/base64"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// StartJourney remembers that a browser goes to a provider.
func (s *Service) StartJourney(ctx context.Context, j Journey) error {
	now := s.options.Now()
	return s.options.DB.Update(ctx, func(tx *database.Tx) error {
		return s.store.insertJourney(tx, j, market.At(now), market.At(now.Add(journeyLife)))
	})
}

// EndJourney gives the journey of which a browser brings back the state, once.
func (s *Service) EndJourney(ctx context.Context, back Journey) (Journey, error) {
	now, found := market.At(s.options.Now()), back
	err := s.options.DB.Update(ctx, func(tx *database.Tx) error {
		found = back
		return s.store.deleteJourney(tx, &found, now)
	})
	if errors.Is(err, database.ErrNoRows) {
		return Journey{}, unknownJourney()
	}
	return found, err
}

// SignInAs gives a token for the account that a persona is linked to; NotFound
// when there is none. The mail plays no part in it.
func (s *Service) SignInAs(ctx context.Context, p Persona) (token string, err error) {
	if err := p.check(); err != nil {
		return "", err
	}
	a, err := s.store.selectPersona(ctx, p)
	if errors.Is(err, database.ErrNoRows) {
		return "", market.Refuse(market.NotFound, "unknown_persona", "no account is linked to whom the provider signed in")
	} else if err != nil {
		return "", err
	}
	return s.tokenOf(ctx, a)
}

// Link lets somebody who is signed in also sign in as a persona.
func (s *Service) Link(ctx context.Context, p Persona) error {
	if err := p.check(); err != nil {
		return err
	}
	user, now := market.IdentityOf(ctx).User, market.At(s.options.Now())
	return s.options.DB.Update(ctx, func(tx *database.Tx) error {
		if _, err := s.store.selectAccountForUpdate(tx, user); err != nil {
			return err
		}
		return s.store.insertPersona(tx, user, p, now)
	})
}

// Unlink takes the personas of an issuer away from who is signed in and knows
// the password: without one there would be no way in any more.
func (s *Service) Unlink(ctx context.Context, issuer, password string) error {
	user := market.IdentityOf(ctx).User
	a, err := s.store.selectAccount(ctx, user)
	if err != nil {
		return err
	}
	if _, err := s.prove(ctx, Credentials{Mail: a.Mail, Password: password}); err != nil {
		return err
	}
	return s.options.DB.Update(ctx, func(tx *database.Tx) error {
		_, err := tx.Exec(s.store.deletePersona, user, issuer)
		return err
	})
}

// Personas are those that the account of who is signed in is linked to.
func (s *Service) Personas(ctx context.Context) ([]Persona, error) {
	return s.store.selectPersonas(ctx, market.IdentityOf(ctx).User)
}

// Arrive remembers who came from a provider and has no account yet, until they
// have made one or shown that one is theirs.
func (s *Service) Arrive(ctx context.Context, a Arrival) error {
	if err := a.check(); err != nil {
		return err
	}
	a.Mail = short(a.Mail)
	a.MailVerified = a.MailVerified && isMail(a.Mail)
	a.FirstName, a.LastName = short(a.FirstName), short(a.LastName)
	now := s.options.Now()
	return s.options.DB.Update(ctx, func(tx *database.Tx) error {
		return s.store.upsertArrival(tx, a, market.At(now), market.At(now.Add(arrivalLife)))
	})
}

// short gives "" for what no account could hold, so that it is typed instead.
func short(text string) string {
	var faults market.Faults
	if !checkText(&faults, "", text) {
		return ""
	}
	return text
}

// Arrived gives who came from a provider with a browser.
func (s *Service) Arrived(ctx context.Context, browser string) (Arrival, error) {
	a, err := s.store.selectArrival(ctx, browser, market.At(s.options.Now()))
	if errors.Is(err, database.ErrNoRows) {
		return a, unknownArrival()
	} else if err != nil {
		return a, err
	}
	if a.MailVerified {
		a.Account, err = s.store.hasMail(ctx, database.Fold(a.Mail))
	}
	return a, err
}

// SignUpAs makes an account for who came from a provider, and gives its token. A
// mail that the provider verified is taken, whatever the newcomer says; one that
// has an account already is a Conflict. The account has a password that nobody
// knows.
func (s *Service) SignUpAs(ctx context.Context, browser string, n Newcomer) (token string, err error) {
	a, err := s.Arrived(ctx, browser)
	if err != nil {
		return "", err
	}
	if a.MailVerified {
		n.Mail = a.Mail
	}
	secret, err := randomBytes(s.options.Random, secretSize)
	if err != nil {
		return "", err
	}
	n.Password = base64.RawURLEncoding.EncodeToString(secret)
	if err := n.check(s.today(), false); err != nil {
		return "", err
	}
	passwordHash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return "", err
	}
	var made Account
	key, now := database.Fold(n.Mail), market.At(s.options.Now())
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		if err := s.depart(tx, a, now); err != nil {
			return err
		}
		if made, err = s.store.insertAccount(tx, n, key, passwordHash); err != nil {
			return err
		}
		return s.store.insertPersona(tx, made.ID, a.Persona, now)
	})
	if err != nil {
		return "", err
	}
	return s.tokenOf(ctx, made)
}

// LinkByPassword links who came from a provider to the account of the mail that
// the provider verified, and gives its token. The mail alone is not enough: whoever
// made the account may have typed a mail that is not theirs, and would then be
// signed in beside its owner.
func (s *Service) LinkByPassword(ctx context.Context, browser, password string) (token string, err error) {
	a, err := s.Arrived(ctx, browser)
	if err != nil {
		return "", err
	}
	if !a.MailVerified {
		return "", market.Refuse(market.Denied, "mail_not_verified", "the provider has not verified this mail, so it is linked to no account")
	}
	found, err := s.prove(ctx, Credentials{Mail: a.Mail, Password: password})
	if err != nil {
		return "", err
	}
	var owner Account
	now := market.At(s.options.Now())
	err = s.options.DB.Update(ctx, func(tx *database.Tx) error {
		if err := s.depart(tx, a, now); err != nil {
			return err
		}
		if owner, err = s.store.selectAccountForUpdate(tx, found.user); err != nil {
			return err
		}
		return s.store.insertPersona(tx, owner.ID, a.Persona, now)
	})
	if err != nil {
		return "", err
	}
	return s.tokenOf(ctx, owner)
}

func (s *Service) depart(tx *database.Tx, a Arrival, now market.Time) error {
	there, err := s.store.deleteArrival(tx, a, now)
	if err == nil && !there {
		err = unknownArrival()
	}
	return err
}

func (s *Service) tokenOf(ctx context.Context, a Account) (string, error) {
	return s.sign(ctx, grant{user: a.ID, staff: a.Staff, generation: a.generation, life: s.options.TokenLife})
}
