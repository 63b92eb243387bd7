package app

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/edge"
	"emporium/internal/platform/limit"
)

// Quota is how often something may be done: "600/1m", "off", or "auto" for what
// the mode of access makes of it.
type Quota struct {
	auto  bool
	times int64 // 0: as often as one likes
	span  time.Duration
}

var errQuota = errors.New("must be so many in a span of time, such as 600/1m or 20/1h, or auto, or off")

// UnmarshalText reads a quota.
func (q *Quota) UnmarshalText(b []byte) error {
	*q = Quota{}
	switch text := string(b); text {
	case "auto":
		q.auto = true
		return nil
	case "off":
		return nil
	default:
		times, span, ok := strings.Cut(text, "/")
		n, err := strconv.ParseInt(times, 10, 64)
		d, spanErr := time.ParseDuration(span)
		if !ok || err != nil || spanErr != nil {
			return fmt.Errorf("%w; got %q", errQuota, text)
		}
		if _, err := limit.NewRule("quota", n, d); err != nil {
			return fmt.Errorf("%w; got %q", err, text)
		}
		q.times, q.span = n, d
		return nil
	}
}

// rule is the quota under a name: in protected mode auto stands for what is
// usual, in open mode for none.
func (q Quota) rule(name string, mode httpapi.Mode, usual string) limit.Rule {
	if q.auto {
		if mode != httpapi.Protected {
			return limit.Rule{}
		}
		_ = q.UnmarshalText([]byte(usual)) // one of those below
	}
	r, _ := limit.NewRule(name, q.times, q.span) // judged when it was read; the zero rule when it is off
	return r
}

// Count is how many there may be: a number, 0 for any, or "auto".
type Count struct {
	auto bool
	n    int
}

// UnmarshalText reads a count.
func (c *Count) UnmarshalText(b []byte) error {
	*c = Count{auto: string(b) == "auto"}
	if c.auto {
		return nil
	}
	n, err := strconv.ParseUint(string(b), 10, 31)
	if err != nil {
		return fmt.Errorf("must be a number, 0 for any, or auto; got %q", b)
	}
	c.n = int(n)
	return nil
}

func (c Count) in(mode httpapi.Mode, usual int) int {
	if c.auto && mode == httpapi.Protected {
		return usual
	}
	return c.n
}

// LimitFlags bound what callers may take.
type LimitFlags struct {
	Address    Quota  `default:"auto" env:"ADDRESS" help:"How often an address may ask (IPv6: a network of /64), such as 600/1m; off for as often as it likes. auto is 600/1m in protected mode and off in open mode." placeholder:"N/SPAN"`
	Account    Quota  `default:"auto" env:"ACCOUNT" help:"How often an account may ask, from wherever. auto is 600/1m in protected mode and off in open mode." placeholder:"N/SPAN"`
	Key        Quota  `default:"auto" env:"KEY" help:"How often one API key of an account may ask. auto is 300/1m in protected mode and off in open mode." placeholder:"N/SPAN"`
	SignIn     Quota  `default:"auto" env:"SIGN_IN" help:"How often an address may try to sign in. auto is 30/10m in protected mode and off in open mode." placeholder:"N/SPAN"`
	SignInMail Quota  `default:"auto" env:"SIGN_IN_MAIL" help:"How often an address may try to sign in with the same mail. auto is 10/10m in protected mode and off in open mode." placeholder:"N/SPAN"`
	SignUp     Quota  `default:"auto" env:"SIGN_UP" help:"How often an address may sign up. auto is 20/1h in protected mode and off in open mode." placeholder:"N/SPAN"`
	URL        Secret `name:"url" env:"URL" help:"The Redis (6 or newer) in which processes count together; that of --cache-url when not given. Without either, each process counts by itself, as it does while Redis is away." placeholder:"URL"`

	Connections        int    `default:"10000" env:"CONNECTIONS" help:"How many connections may be open; fewer where the system lets the program open fewer files. When there are too many, one that waits without a request makes room. 0: any number." placeholder:"N"`
	AddressConnections Count  `default:"auto" env:"ADDRESS_CONNECTIONS" help:"How many of them an address may have that is no trusted proxy and no process of this deployment; 0: any number. auto is 256 in protected mode and any number in open mode." placeholder:"N"`
	AddressRequests    Count  `default:"auto" env:"ADDRESS_REQUESTS" help:"How many requests of an address may be under way at the same time; 0: any number. auto is 128 in protected mode and any number in open mode." placeholder:"N"`
	Work               int    `default:"1024" env:"WORK" help:"How many calls each service works on at the same time, those whose bodies have come; others wait up to 5 s and then get a 503. 0: any number." placeholder:"N"`
	HeaderBytes        int    `default:"32768" env:"HEADER_BYTES" help:"How large the head of a request may be, in bytes." placeholder:"N"`
	HeaderTime         Millis `default:"10s" env:"HEADER_TIME" help:"How long the head of a request may take to come."`
	RequestTime        Millis `default:"60s" env:"REQUEST_TIME" help:"How long a whole request may take to come."`
	AnswerTime         Millis `default:"60s" env:"ANSWER_TIME" help:"How long a caller may take to read what was written; counted anew as a long answer goes on."`
	IdleTime           Millis `default:"120s" env:"IDLE_TIME" help:"How long a connection may wait for its next request."`
	Streams            int    `default:"100" env:"STREAMS" help:"How many requests of one HTTP/2 connection may be under way at the same time." placeholder:"N"`
}

// limits makes the rules.
func (c *Config) limits(mode httpapi.Mode) (address limit.Rule, l httpapi.Limits) {
	f := &c.Limit
	l.Account, l.Key = f.Account.rule("account", mode, "600/1m"), f.Key.rule("key", mode, "300/1m")
	l.SignIn, l.SignInMail = f.SignIn.rule("sign-in", mode, "30/10m"), f.SignInMail.rule("sign-in-mail", mode, "10/10m")
	l.SignUp = f.SignUp.rule("sign-up", mode, "20/1h")
	return f.Address.rule("address", mode, "600/1m"), l
}

// CORSFlags say which other sites may ask from a browser.
type CORSFlags struct {
	Origins     []string `env:"ORIGINS" sep:"," help:"The sites whose pages may call the API from a browser, such as https://shop.example, with commas between them; * for any." placeholder:"ORIGIN,…"`
	Credentials bool     `env:"CREDENTIALS" help:"Let those pages send cookies along; only with origins by name. Tokens in the Authorization header do not need it."`
}

// TLSFlags say how the server speaks TLS.
type TLSFlags struct {
	Cert     string `env:"CERT" help:"The certificate of this server (PEM, with those that lead to its issuer). With it every --listen address speaks TLS, with HTTP/2. Read again when it changes." placeholder:"FILE"`
	Key      string `env:"KEY" help:"The key of the certificate (PEM). Read again when it changes." placeholder:"FILE"`
	Redirect string `env:"REDIRECT" help:"Where to listen without TLS, to send whoever comes there to the first --listen address." placeholder:"HOST:PORT"`
	HSTS     Millis `name:"hsts" default:"8760h" env:"HSTS" help:"How long browsers shall come by TLS alone, once they have (Strict-Transport-Security); 0s: nothing is said."`
	Look     Millis `default:"5s" env:"LOOK" help:"How often the files of the certificate are looked at."`
}

func (c *Config) edgeFaults() (faults []error) {
	wrong := func(flag, variable string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s (EMPORIUM_%s): %w", flag, variable, err))
		}
	}
	if c.Limit.URL != "" {
		wrong("limit-url", "LIMIT_URL", limit.CheckRedisURL(string(c.Limit.URL)))
	}
	for _, n := range []struct {
		flag, variable string
		is, least      int
	}{
		{"limit-connections", "LIMIT_CONNECTIONS", c.Limit.Connections, 0},
		{"limit-work", "LIMIT_WORK", c.Limit.Work, 0},
		{"limit-header-bytes", "LIMIT_HEADER_BYTES", c.Limit.HeaderBytes, 4096},
		{"limit-streams", "LIMIT_STREAMS", c.Limit.Streams, 1},
	} {
		if n.is < n.least {
			wrong(n.flag, n.variable, fmt.Errorf("must be at least %d; got %d", n.least, n.is))
		}
	}
	for _, t := range []struct {
		flag, variable string
		is             Millis
	}{
		{"limit-header-time", "LIMIT_HEADER_TIME", c.Limit.HeaderTime},
		{"limit-request-time", "LIMIT_REQUEST_TIME", c.Limit.RequestTime},
		{"limit-answer-time", "LIMIT_ANSWER_TIME", c.Limit.AnswerTime},
		{"limit-idle-time", "LIMIT_IDLE_TIME", c.Limit.IdleTime},
		{"tls-look", "TLS_LOOK", c.TLS.Look},
	} {
		if t.is == 0 {
			wrong(t.flag, t.variable, errors.New("must be longer than 0"))
		}
	}
	_, err := edge.ParseOrigins(c.CORS.Origins, c.CORS.Credentials)
	wrong("cors-origins", "CORS_ORIGINS", err)
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		faults = append(faults, errors.New("--tls-cert (EMPORIUM_TLS_CERT) and --tls-key (EMPORIUM_TLS_KEY): give both or neither"))
	}
	if c.TLS.Redirect != "" && c.TLS.Cert == "" {
		faults = append(faults, errors.New("--tls-redirect (EMPORIUM_TLS_REDIRECT): there is no TLS to send callers to; give --tls-cert and --tls-key"))
	}
	return faults
}

// limitURL is the Redis in which processes count together, "" for none.
func (c *Config) limitURL() string { return string(cmp.Or(c.Limit.URL, c.CacheURL)) }
