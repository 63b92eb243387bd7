package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"emporium/internal/platform/cache"
	"emporium/internal/platform/httpapi"
)

// Config is every setting of the program. A setting is a flag, an environment
// variable (EMPORIUM_…), or a line of the file .env; secrets may be in a file
// of their own, named by EMPORIUM_…_FILE. docs/configuration.md is made from
// it.
type Config struct {
	Listen     []string      `default:"127.0.0.1:8080" env:"EMPORIUM_LISTEN" placeholder:"HOST:PORT" help:"Where to listen; may be given more than once. Port 0 takes a free one."`
	Data       string        `default:"./data" env:"EMPORIUM_DATA" placeholder:"FOLDER" help:"Where the data is kept. The folder is made when it is not there."`
	Access     string        `enum:"auto,open,protected" default:"auto" env:"EMPORIUM_ACCESS" help:"Who may do what: open, protected, or auto: open while every address to listen on is loopback, else protected. All processes of a deployment need the same."`
	Drain      Millis        `default:"300ms" env:"EMPORIUM_DRAIN" help:"How long to go on listening after the signal to stop, while /readyz already says no."`
	Stop       Millis        `default:"20s" env:"EMPORIUM_STOP" help:"How long requests under way may take to finish before they are broken off."`
	LogLevel   string        `enum:"debug,info,warn,error" default:"info" env:"EMPORIUM_LOG_LEVEL" help:"The least important lines to log: debug, info, warn or error."`
	LogFormat  string        `enum:"text,json" default:"text" env:"EMPORIUM_LOG_FORMAT" help:"How log lines look: text or json."`
	LogRequest bool          `name:"log-requests" default:"true" negatable:"" env:"EMPORIUM_LOG_REQUESTS" help:"Log a line for each request."`
	Secret     Secret        `env:"EMPORIUM_SECRET" help:"What the processes of a deployment know each other by, and what keys what is stored of repeatable requests; at least 32 characters, the same for all processes. Made at the first start and kept in the data folder when not given." placeholder:"TEXT"`
	Databases  DatabaseFlags `embed:"" envprefix:"EMPORIUM_"`
	Token      TokenFlags    `embed:"" prefix:"token-" envprefix:"EMPORIUM_TOKEN_"`
	Passwords  PasswordFlags `embed:"" prefix:"password-" envprefix:"EMPORIUM_PASSWORD_"`
	Hashes     int           `default:"0" env:"EMPORIUM_HASHES" help:"How many passwords may be hashed at the same time; 0 takes half of the processors, and at least one." placeholder:"N"`
	Popular    PopFlags      `embed:"" prefix:"popular-" envprefix:"EMPORIUM_POPULAR_"`
	Queue      QueueFlags    `embed:"" prefix:"queue-" envprefix:"EMPORIUM_QUEUE_"`
	CacheBytes int           `default:"67108864" env:"EMPORIUM_CACHE_BYTES" help:"How much memory the cache may take, in bytes." placeholder:"N"`
	CacheURL   Secret        `name:"cache-url" env:"EMPORIUM_CACHE_URL" help:"The Redis (6 or newer) through which processes share the cache: redis://user:password@host:6379/0, or rediss for TLS. Without it, each process has its own. While it is away everything is slower and nothing fails." placeholder:"URL"`
	CacheName  string        `name:"cache-prefix" default:"emporium:" env:"EMPORIUM_CACHE_PREFIX" help:"Begins every key in Redis, so that several deployments can share a server." placeholder:"TEXT"`
	URLs       URLFlags      `embed:"" envprefix:"EMPORIUM_"`
	TLS        TLSFlags      `embed:"" prefix:"tls-" envprefix:"EMPORIUM_TLS_"`
	Limit      LimitFlags    `embed:"" prefix:"limit-" envprefix:"EMPORIUM_LIMIT_"`
	CORS       CORSFlags     `embed:"" prefix:"cors-" envprefix:"EMPORIUM_CORS_"`
	PublicURL  string        `name:"public-url" env:"EMPORIUM_PUBLIC_URL" help:"The address by which people know this server, such as https://shop.example.org: where sign-in providers send them back to. Taken from each request when not given." placeholder:"URL"`
	SignIn     SignInFlags   `embed:"" prefix:"sign-in-" envprefix:"EMPORIUM_SIGN_IN_"`

	TrustedProxies TrustedProxies `env:"EMPORIUM_TRUSTED_PROXIES" help:"The proxies in front of this gateway, addresses or ranges such as 10.0.0.0/8 with commas between them: only their Forwarded and X-Forwarded-* headers are believed. Where a service runs by itself, its gateways are such proxies." placeholder:"CIDR,…"`
}

// PopFlags are the settings of recent purchases.
type PopFlags struct {
	DataURL   string `name:"data-url" env:"DATA_URL" help:"The data API that recent purchases reads; without it, purchases in this process." placeholder:"URL"`
	DataToken Secret `name:"data-token" env:"DATA_TOKEN" help:"A token to send to that data API, when it wants one." placeholder:"TOKEN"`
	CacheTTL  Millis `name:"cache-ttl" default:"1h" env:"CACHE_TTL" help:"How long answers of the data API are kept."`
}

// QueueFlags are the settings of the message queue.
type QueueFlags struct {
	URL    Secret `name:"url" env:"URL" help:"The RabbitMQ that carries messages: amqp://user:password@host:5672/virtual-host, or amqps. Without it, a file in the data folder does." placeholder:"URL"`
	Quorum bool   `env:"QUORUM" help:"Make new queues in RabbitMQ as quorum queues, which survive the loss of a broker. Those that exist stay as they are."`
}

// Secret is a setting that is never printed.
type Secret string

// String says only whether there is one.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(given)"
}

// GoString says only whether there is one.
func (s Secret) GoString() string { return s.String() }

// Millis is a span of time, positive, written as "300ms", "20s" or "24h".
type Millis time.Duration

// UnmarshalText reads a span of time.
func (m *Millis) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d < 0 {
		return fmt.Errorf("must be a span of time such as 300ms, 20s or 24h; got %q", b)
	}
	*m = Millis(d)
	return nil
}

// Validate reports everything that is wrong with the settings together.
func (c *Config) Validate() error {
	var faults []error
	for _, address := range c.Listen {
		if _, _, err := net.SplitHostPort(address); err != nil {
			faults = append(faults, fmt.Errorf("--listen (EMPORIUM_LISTEN): %q is not HOST:PORT, such as 127.0.0.1:8080", address))
		}
	}
	if c.Data == "" {
		faults = append(faults, errors.New("--data (EMPORIUM_DATA): name a folder"))
	}
	if n := len(c.Secret); n > 0 && n < 32 {
		faults = append(faults, fmt.Errorf("--secret (EMPORIUM_SECRET): has %d characters; it needs at least 32", n))
	}
	faults = append(faults, c.Token.faults()...)
	faults = append(faults, c.Passwords.faults()...)
	if c.Hashes < 0 || c.Hashes > 1024 {
		faults = append(faults, fmt.Errorf("--hashes (EMPORIUM_HASHES): must be 0 to 1024; got %d", c.Hashes))
	}
	if c.CacheBytes < 1<<20 {
		faults = append(faults, fmt.Errorf("--cache-bytes (EMPORIUM_CACHE_BYTES): must be at least 1048576 (1 MiB); got %d", c.CacheBytes))
	}
	faults = append(faults, c.Queue.faults()...)
	if c.CacheURL != "" {
		if err := cache.CheckRedisURL(string(c.CacheURL)); err != nil {
			faults = append(faults, fmt.Errorf("--cache-url (EMPORIUM_CACHE_URL): %w", err))
		}
		if c.CacheName == "" {
			faults = append(faults, errors.New("--cache-prefix (EMPORIUM_CACHE_PREFIX): must not be empty"))
		}
	}
	faults = append(faults, c.Databases.check()...)
	faults = append(faults, c.edgeFaults()...)
	faults = append(faults, c.signInFaults()...)
	for _, u := range []struct{ flag, value string }{
		{"--popular-data-url (EMPORIUM_POPULAR_DATA_URL)", c.Popular.DataURL},
	} {
		if u.value != "" && !isBase(u.value) {
			faults = append(faults, fmt.Errorf("%s: %q is not a URL such as http://127.0.0.1:8081", u.flag, u.value))
		}
	}
	return errors.Join(faults...)
}

// isBase says whether paths can be put behind a URL.
func isBase(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.RawQuery == "" && u.Fragment == ""
}

// mode is who may do what, and whether somebody chose it.
func (c *Config) mode() (mode httpapi.Mode, chosen bool) {
	if c.Access != "auto" {
		return httpapi.Mode(c.Access), true
	}
	if c.loopback() {
		return httpapi.Open, false
	}
	return httpapi.Protected, false
}

// loopback says whether nobody but this machine can reach any of the addresses.
func (c *Config) loopback() bool {
	for _, address := range c.Listen {
		host, _, _ := net.SplitHostPort(address)
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// file is the path of a file in the data folder.
func (c *Config) file(name string) string { return filepath.Join(c.Data, name) }
