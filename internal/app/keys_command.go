package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"
)

type keysCommand struct {
	List   keysListCommand   `cmd:"" help:"Show the keys that tokens may be signed with, newest first."`
	Rotate keysRotateCommand `cmd:"" help:"Make a key that signs from ten seconds on. Tokens of the one before hold until they are over."`
	Retire keysRetireCommand `cmd:"" help:"Take away a key that signs no longer, and the tokens that it signed: for one that others may have seen."`
}

// tokenKey is a key as the accounts show it.
type tokenKey struct {
	ID    string    `json:"kid"`
	State string    `json:"state"`
	Made  time.Time `json:"created_at"`
	Signs time.Time `json:"signs_at"`
	Until time.Time `json:"until"`
}

type keysListCommand struct {
	StaffPlace `embed:""`
}

// Run prints a table of keys.
func (c *keysListCommand) Run(ctx context.Context, t Terminal) error {
	return c.visit(ctx, func(s *shop) error {
		var all struct{ Keys []tokenKey }
		if err := s.call(ctx, http.MethodGet, "/api/signing-keys", nil, &all); err != nil {
			return err
		}
		table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "key\tstate\tmade\tgone")
		for _, k := range all.Keys {
			gone := "-"
			if !k.Until.IsZero() {
				gone = k.Until.UTC().Format(time.DateTime)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", k.ID, k.State, k.Made.UTC().Format(time.DateTime), gone)
		}
		return table.Flush()
	})
}

type keysRotateCommand struct {
	StaffPlace `embed:""`
}

// Run makes a key.
func (c *keysRotateCommand) Run(ctx context.Context, t Terminal) error {
	return c.visit(ctx, func(s *shop) error {
		var made tokenKey
		if err := s.call(ctx, http.MethodPost, "/api/signing-keys", nil, &made); err != nil {
			return err
		}
		fmt.Fprintf(t.Out, "made the key %s\nIt is published now and signs from %s UTC on. Nobody is signed out.\n", made.ID, made.Signs.UTC().Format(time.DateTime))
		return nil
	})
}

type keysRetireCommand struct {
	StaffPlace `embed:""`
	ID         string `arg:"" name:"key" help:"The key, as 'emporium keys list' shows it."`
}

// Run takes a key away.
func (c *keysRetireCommand) Run(ctx context.Context, t Terminal) error {
	return c.visit(ctx, func(s *shop) error {
		if err := s.call(ctx, http.MethodDelete, "/api/signing-keys/"+url.PathEscape(c.ID), nil, nil); err != nil {
			return err
		}
		fmt.Fprintf(t.Out, "took the key %s away, and every token that it signed\n", c.ID)
		return nil
	})
}

type passwordCommand struct {
	StaffPlace `embed:""`
	ResetLink  string `name:"password-reset-link" env:"EMPORIUM_PASSWORD_RESET_LINK" placeholder:"URL" help:"The address of your page for a new password, with {token} in it, to be printed instead of the token."`
	Mail       string `arg:"" help:"The mail of the account."`
}

// Run makes a token and prints it, or the link with it.
func (c *passwordCommand) Run(ctx context.Context, t Terminal) error {
	return c.visit(ctx, func(s *shop) error {
		var made struct {
			User    int64     `json:"userId"`
			Mail    string    `json:"mail"`
			Token   string    `json:"token"`
			Expires time.Time `json:"expires_at"`
		}
		if err := s.call(ctx, http.MethodPost, "/api/user/password-reset/token", map[string]string{"mail": c.Mail}, &made); err != nil {
			return err
		}
		fmt.Fprintf(t.Out, "for %s (account %d), good once, until %s UTC:\n", made.Mail, made.User, made.Expires.UTC().Format(time.DateTime))
		flags := PasswordFlags{ResetLink: c.ResetLink}
		if link := flags.link(made.Token); link != "" {
			fmt.Fprintln(t.Out, link)
			return nil
		}
		fmt.Fprintf(t.Out, "%s\nSend it with the new password: PUT /api/user/password-reset {\"token\": …, \"newPassword\": …}\n", made.Token)
		return nil
	})
}
