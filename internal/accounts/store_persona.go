package accounts

import (
	"context"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

type personaStatements struct {
	findPersona, addPersona, personaHolder *database.Stmt
	personasOf, deletePersona              *database.Stmt
	addJourney, takeJourney, sweepJourneys *database.Stmt
	keepArrival, findArrival, takeArrival  *database.Stmt
	sweepArrivals, holdsMail               *database.Stmt
}

func preparePersonas(db *database.DB) personaStatements {
	return personaStatements{
		findPersona: db.Prepare(`SELECT ` + columns + ` FROM accounts WHERE id =
			(SELECT p.user_id FROM personas p WHERE p.issuer = $1 AND p.subject = $2)`),
		addPersona: db.Prepare(`INSERT INTO personas (issuer, subject, user_id, linked_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (issuer, subject) DO NOTHING`),
		personaHolder: db.Prepare(`SELECT user_id FROM personas WHERE issuer = $1 AND subject = $2`),
		personasOf:    db.Prepare(`SELECT issuer, subject FROM personas WHERE user_id = $1 ORDER BY linked_at, issuer, subject`),
		deletePersona: db.Prepare(`DELETE FROM personas WHERE user_id = $1 AND issuer = $2`),

		addJourney: db.Prepare(`INSERT INTO journeys (state_hash, browser_hash, provider, return_to, user_id, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`),
		takeJourney: db.Prepare(`DELETE FROM journeys WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 AND expires_at > $4
			RETURNING return_to, user_id`),
		sweepJourneys: db.Prepare(`DELETE FROM journeys WHERE state_hash IN
			(SELECT j.state_hash FROM journeys j WHERE j.expires_at <= $1 ORDER BY j.expires_at LIMIT $2)`),

		keepArrival: db.Prepare(`INSERT INTO arrivals (browser_hash, provider, issuer, subject, mail, verified_mail, first_name, last_name, return_to, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (browser_hash) DO UPDATE SET provider = excluded.provider, issuer = excluded.issuer, subject = excluded.subject,
			mail = excluded.mail, verified_mail = excluded.verified_mail, first_name = excluded.first_name,
			last_name = excluded.last_name, return_to = excluded.return_to, expires_at = excluded.expires_at`),
		findArrival: db.Prepare(`SELECT provider, issuer, subject, mail, verified_mail, first_name, last_name, return_to
			FROM arrivals WHERE browser_hash = $1 AND expires_at > $2`),
		takeArrival: db.Prepare(`DELETE FROM arrivals WHERE browser_hash = $1 AND issuer = $2 AND subject = $3 AND expires_at > $4`),
		sweepArrivals: db.Prepare(`DELETE FROM arrivals WHERE browser_hash IN
			(SELECT a.browser_hash FROM arrivals a WHERE a.expires_at <= $1 ORDER BY a.expires_at LIMIT $2)`),
		holdsMail: db.Prepare(`SELECT count(*) FROM accounts WHERE mail_key = $1`),
	}
}

// selectPersona reads the account that a persona is linked to; ErrNoRows when
// there is none.
func (s *store) selectPersona(ctx context.Context, p Persona) (Account, error) {
	return scanAccount(s.findPersona.QueryRow(ctx, p.Issuer, p.Subject))
}

// insertPersona leaves it to the unique key whether the persona is free.
func (s *store) insertPersona(tx *database.Tx, user market.UserID, p Persona, now market.Time) error {
	n, err := tx.Exec(s.addPersona, p.Issuer, p.Subject, user, now)
	if err != nil || n == 1 {
		return err
	}
	var holder market.UserID
	if err := tx.QueryRow(s.personaHolder, p.Issuer, p.Subject).Scan(&holder); err != nil {
		return err
	}
	if holder != user {
		return linkedElsewhere()
	}
	return nil
}

func (s *store) selectPersonas(ctx context.Context, user market.UserID) ([]Persona, error) {
	rows, err := s.personasOf.Query(ctx, user)
	return database.All(rows, err, func(row database.Row) (p Persona, err error) {
		return p, row.Scan(&p.Issuer, &p.Subject)
	})
}

// insertJourney adds a journey, and takes away some of those that are over.
func (s *store) insertJourney(tx *database.Tx, j Journey, now, expires market.Time) error {
	if err := tx.Send(s.sweepJourneys, now, sweepRows); err != nil {
		return err
	}
	_, err := tx.Exec(s.addJourney, digest(j.State), digest(j.Browser), j.Provider, j.ReturnTo, j.User, expires)
	return err
}

// deleteJourney ends a journey and reads where it leads; ErrNoRows when there is
// none of that state, browser and provider.
func (s *store) deleteJourney(tx *database.Tx, j *Journey, now market.Time) error {
	return tx.QueryRow(s.takeJourney, digest(j.State), digest(j.Browser), j.Provider, now).Scan(&j.ReturnTo, &j.User)
}

func (s *store) upsertArrival(tx *database.Tx, a Arrival, now, expires market.Time) error {
	if err := tx.Send(s.sweepArrivals, now, sweepRows); err != nil {
		return err
	}
	verified := ""
	if a.MailVerified {
		verified = a.Mail
	}
	_, err := tx.Exec(s.keepArrival, digest(a.Browser), a.Provider, a.Issuer, a.Subject, a.Mail, verified, a.FirstName, a.LastName, a.ReturnTo, expires)
	return err
}

// selectArrival reads who came with a browser; ErrNoRows when nobody did.
func (s *store) selectArrival(ctx context.Context, browser string, now market.Time) (Arrival, error) {
	a, verified := Arrival{Browser: browser}, ""
	err := s.findArrival.QueryRow(ctx, digest(browser), now).
		Scan(&a.Provider, &a.Issuer, &a.Subject, &a.Mail, &verified, &a.FirstName, &a.LastName, &a.ReturnTo)
	a.MailVerified = verified != ""
	return a, err
}

// deleteArrival says whether it was still there.
func (s *store) deleteArrival(tx *database.Tx, a Arrival, now market.Time) (bool, error) {
	n, err := tx.Exec(s.takeArrival, digest(a.Browser), a.Issuer, a.Subject, now)
	return n == 1, err
}

func (s *store) hasMail(ctx context.Context, mailKey string) (bool, error) {
	n := 0
	err := s.holdsMail.QueryRow(ctx, mailKey).Scan(&n)
	return n > 0, err
}
