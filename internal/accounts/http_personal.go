package accounts

import (
	"context"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

var _ market.PersonalData = (*Service)(nil)

type personalAccount struct {
	accountBody
	Staff bool `json:"staff"`
}

// PersonalData gives an account with its API keys, sessions and sign-ins by
// providers, without what one signs in with; NotFound when there is none of that id.
func (s *Service) PersonalData(ctx context.Context, about market.UserID) iter.Seq2[market.PersonalRecord, error] {
	a, err := s.store.selectAccount(ctx, about)
	if err != nil {
		return func(yield func(market.PersonalRecord, error) bool) { yield(market.PersonalRecord{}, err) }
	}
	keys := market.Chunks(market.Page{}, func(k APIKey) int64 { return k.ID }, func(after int64, limit int) ([]APIKey, error) {
		return s.store.selectAPIKeys(ctx, about, after, limit)
	})
	personas := func(yield func(Persona, error) bool) {
		all, err := s.store.selectPersonas(ctx, about)
		if err != nil {
			yield(Persona{}, err)
			return
		}
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
	sessions := func(yield func(session, error) bool) {
		for after := ""; ; {
			some, err := s.store.selectSessions(ctx, about, after, market.Chunk)
			if err != nil {
				yield(session{}, err)
				return
			}
			for _, n := range some {
				if !yield(n, nil) {
					return
				}
				after = n.id
			}
			if len(some) < market.Chunk {
				return
			}
		}
	}
	itself := func(yield func(Account, error) bool) { yield(a, nil) }
	return market.PersonalRecords(ctx, about, "accounts", market.Personal("account", itself, showPersonalAccount), market.Personal("api key", keys, showAPIKey),
		market.Personal("session", sessions, showSession), market.Personal("sign-in by a provider", personas, showPersona))
}

func showPersonalAccount(a Account) personalAccount { return personalAccount{show(a), a.Staff} }

type personaBody struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

func showPersona(p Persona) personaBody { return personaBody{p.Issuer, p.Subject} }

type sessionBody struct {
	Made    market.Time `json:"created_at,omitzero" doc:"Left out where this was not kept yet."`
	By      string      `json:"created_by"`
	Used    market.Time `json:"last_used_at" doc:"When it was renewed last."`
	Expires market.Time `json:"expires_at"`
}

func showSession(n session) sessionBody {
	return sessionBody{n.made, "password", n.rotated, n.expires} // a provider's sign-in gives a token that has none
}

func personalRoutes(g *httpapi.Group, s *Service) {
	httpapi.RegisterPersonal(g, s, market.PersonalRecord{Service: "accounts", Kind: "account", Data: personalAccount{accountBody: example}})
}
