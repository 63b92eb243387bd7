package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
)

// TokenFlags are the settings of the tokens that accounts signs.
type TokenFlags struct {
	Life    Millis `default:"24h" env:"LIFE" help:"How long a token holds after signing in."`
	Short   Millis `name:"short-life" default:"15m" env:"SHORT_LIFE" help:"How long a token holds that comes with a refresh token."`
	Session Millis `name:"session-life" default:"720h" env:"SESSION_LIFE" help:"How long a refresh token holds that is not used."`
	Key     Secret `env:"KEY" help:"The Ed25519 key that signs tokens (PEM, PKCS #8); tokens of further ones behind it are taken. Made at the first start and kept with the accounts when not given." placeholder:"PEM"`
}

func (f *TokenFlags) faults() (faults []error) {
	if f.Key != "" {
		if _, err := accounts.ParseKeys([]byte(f.Key)); err != nil {
			faults = append(faults, fmt.Errorf("--token-key (EMPORIUM_TOKEN_KEY): %w", err))
		}
	}
	for _, life := range []struct {
		names string
		value Millis
	}{
		{"--token-life (EMPORIUM_TOKEN_LIFE)", f.Life},
		{"--token-short-life (EMPORIUM_TOKEN_SHORT_LIFE)", f.Short},
		{"--token-session-life (EMPORIUM_TOKEN_SESSION_LIFE)", f.Session},
	} {
		if life.value == 0 {
			faults = append(faults, fmt.Errorf("%s: must be longer than 0", life.names))
		}
	}
	return faults
}

// PasswordFlags are the settings of passwords.
type PasswordFlags struct {
	Pepper    Secret `env:"PEPPER" help:"A secret that is mixed into the hashes of passwords, at least 16 characters. To change it, put the new one on the first line and keep the old ones below: each password is hashed anew when its owner signs in." placeholder:"TEXT"`
	ResetHook Secret `name:"reset-hook" env:"RESET_HOOK" help:"Who sends the message to somebody who forgot a password: a command that reads JSON from its standard input, or the URL of a server that takes it as a POST. Without it, the operator makes tokens with 'emporium password-reset'." placeholder:"COMMAND|URL"`
	ResetLink string `name:"reset-link" env:"RESET_LINK" help:"The address of your page for a new password, with {token} in it, to be sent along and printed." placeholder:"URL"`
}

// minPepper is the fewest characters of a pepper.
const minPepper = 16

func (f *PasswordFlags) faults() (faults []error) {
	for i, pepper := range f.peppers() {
		if len(pepper) < minPepper {
			faults = append(faults, fmt.Errorf("--password-pepper (EMPORIUM_PASSWORD_PEPPER): line %d has %d characters; it needs at least %d", i+1, len(pepper), minPepper))
		}
	}
	if f.ResetLink != "" && (!isBase(strings.ReplaceAll(f.ResetLink, "?", "/")) || !strings.Contains(f.ResetLink, "{token}")) {
		faults = append(faults, fmt.Errorf("--password-reset-link (EMPORIUM_PASSWORD_RESET_LINK): %q is not a URL with {token} in it, such as https://shop.example.org/reset?token={token}", f.ResetLink))
	}
	return faults
}

// peppers are the lines of the setting, the one for new hashes first.
func (f *PasswordFlags) peppers() (all [][]byte) {
	for line := range strings.Lines(string(f.Pepper)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, []byte(line))
		}
	}
	return all
}

// link is the address of the page for a new password; "" when there is none.
func (f *PasswordFlags) link(token string) string {
	return strings.ReplaceAll(f.ResetLink, "{token}", token)
}

// resetMessage is what a hook reads.
type resetMessage struct {
	Kind    string      `json:"kind"` // password_reset
	Mail    string      `json:"mail"`
	Name    string      `json:"name"`
	Token   string      `json:"token"`
	Link    string      `json:"link,omitempty"`
	Expires market.Time `json:"expires_at"`
}

// Bounds of what a hook may take.
const (
	hookTries = 3
	hookLife  = 20 * time.Second
	hookPause = 2 * time.Second
)

// send gives what sends messages; nil when nothing does.
func (f *PasswordFlags) send(log *slog.Logger) func(context.Context, accounts.Reset) error {
	hook := strings.TrimSpace(string(f.ResetHook))
	if hook == "" {
		return nil
	}
	deliver := runHook
	if strings.HasPrefix(hook, "http://") || strings.HasPrefix(hook, "https://") {
		deliver = postHook
	}
	return func(ctx context.Context, r accounts.Reset) error {
		body, err := json.Marshal(resetMessage{"password_reset", r.Mail, r.Name, r.Token, f.link(r.Token), r.Expires})
		if err != nil {
			return err
		}
		for try := 1; ; try++ {
			if err = deliver(ctx, hook, body); err == nil || try == hookTries {
				return err
			}
			log.WarnContext(ctx, "the hook for password resets failed; it is tried again", "account", r.User, "error", err)
			select {
			case <-time.After(hookPause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// runHook runs a command. What it says goes to no log: it may repeat the token.
func runHook(ctx context.Context, command string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, hookLife)
	defer cancel()
	words := strings.Fields(command)
	c := exec.CommandContext(ctx, words[0], words[1:]...) // the operator's command; what callers send is on its standard input alone
	c.Stdin = bytes.NewReader(body)
	c.WaitDelay = time.Second
	if err := c.Run(); err != nil {
		return fmt.Errorf("run the hook for password resets: %w", err)
	}
	return nil
}

// hookClient goes where the setting says, and nowhere else: the token would follow
// a redirect, or be lost on the way of one that turns a POST into a GET.
var hookClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func postHook(ctx context.Context, url string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, hookLife)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return errors.New("ask the hook for password resets: its address cannot be read")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := hookClient.Do(request)
	if err != nil {
		return errors.New("ask the hook for password resets: it does not answer") // the error holds its address, which may hold a secret
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("ask the hook for password resets: it answers %s", response.Status)
	}
	return nil
}
