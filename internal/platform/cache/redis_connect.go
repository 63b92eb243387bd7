package cache

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"emporium/internal/platform/dial"
)

// errOne is for settings that the cache has no use for.
var errOne = errors.New("the cache uses one Redis server with RESP3 and client-side caching: no further addresses, protocol, client_cache or master_set")

// newToken gives a text that no one else has.
func newToken() string { return rand.Text() }

// CheckRedisURL says what is wrong with an address, without the secrets in it.
func CheckRedisURL(address string) error {
	_, err := redisOption(address)
	return err
}

func redisOption(address string) (rueidis.ClientOption, error) {
	o, err := dial.Redis(address)
	if err != nil {
		return o, err
	}
	if o.AlwaysRESP2 || o.DisableCache || o.Sentinel.MasterSet != "" || len(o.InitAddress) != 1 {
		return o, errOne
	}
	o.ClientName = "emporium"
	o.ForceSingleClient = true
	o.DisableRetry = true
	o.PipelineMultiplex = -1 // one connection: answers and what Redis tells come in their order
	o.ClientTrackingOptions = []string{"NOLOOP"}
	o.CacheSizeEachConn = 1 // rueidis caches nothing: values are kept decoded
	return o, nil
}

// unusable says that a server will not do, however often it is tried.
func unusable(err error) bool {
	if errors.Is(err, rueidis.ErrNoCache) {
		return true
	}
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	for _, begin := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "NOPROTO", "DENIED", "MOVED", "ERR invalid password", "ERR AUTH", "ERR Client sent AUTH", "ERR DB index", "ERR invalid DB"} {
		if strings.HasPrefix(answer.Error(), begin) {
			return true
		}
	}
	return false
}

// connect greets Redis and makes the drops that are owed. Only then is anything
// read from it.
func (r *Redis) connect(ctx context.Context) (_ *redisSession, err error) {
	s := &redisSession{cache: r, lost: make(chan struct{})}
	o := r.client
	o.OnInvalidations = func(names []rueidis.RedisMessage) { r.told(s, names) }
	o.DialCtxFn = s.dial(ctx, o.DialCtxFn)
	o.Dialer.Timeout, o.ConnWriteTimeout = 2*r.o.Wait, 2*r.o.Wait
	s.client, err = rueidis.NewClient(o)
	if err != nil {
		s.hangUp()
		if errors.Is(err, rueidis.ErrNoCache) {
			err = fmt.Errorf("it is older than Redis 6, or speaks no RESP3: %w", err)
		}
		return nil, err
	}
	defer func() {
		if err != nil {
			r.mu.Lock()
			r.lose(s, err)
			r.mu.Unlock()
			s.end()
		}
	}()
	r.mu.Lock()
	r.drops = s // so that no more come to be owed while those that are are made
	r.mu.Unlock()
	keys, all := r.debts()
	if err := s.settle(ctx, keys, all); err != nil {
		r.oweAgain(keys, all)
		return nil, err
	}
	if err := s.join(ctx); err != nil {
		return nil, err
	}
	if len(keys) > 0 || all {
		r.o.Log.InfoContext(ctx, "made the drops that were owed to Redis", "drops", len(keys), "all", all)
	}
	return s, r.arrive(s)
}

func (s *redisSession) settle(ctx context.Context, keys []string, all bool) error {
	if all {
		return s.giveUp(ctx)
	}
	return s.drop(ctx, keys)
}

// arrive begins to use a session, unless it has broken already.
func (r *Redis) arrive(s *redisSession) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-s.lost:
		return s.why
	default:
	}
	clear(r.trips) // they load without a lease: what is asked from now on is not theirs
	r.near.InvalidateAll()
	r.session = s
	r.epoch.Add(1)
	return nil
}

// dial connects once: a second connection would not know what the first was told.
func (s *redisSession) dial(work context.Context, dial func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error)) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	if dial == nil {
		dial = func(ctx context.Context, address string, d *net.Dialer, c *tls.Config) (net.Conn, error) {
			if c != nil {
				return (&tls.Dialer{NetDialer: d, Config: c}).DialContext(ctx, "tcp", address)
			}
			return d.DialContext(ctx, "tcp", address)
		}
	}
	dialled := false
	return func(ctx context.Context, address string, d *net.Dialer, c *tls.Config) (net.Conn, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if dialled {
			return nil, errors.New("the connection is lost")
		}
		dialled = true
		ctx, cancel := context.WithTimeout(ctx, s.cache.o.Wait*2)
		defer cancel()
		defer context.AfterFunc(work, cancel)()
		conn, err := dial(ctx, address, d, c)
		s.conn = conn
		return conn, err
	}
}

// hangUp breaks the connection, so that nobody waits for an answer any more.
func (s *redisSession) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

func (s *redisSession) end() {
	s.hangUp()
	s.client.Close()
}

// fail notes that an answer did not come: Redis is away, unless the one who
// asked has gone, or Redis is there and refuses.
func (r *Redis) fail(ctx context.Context, s *redisSession, what string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if _, refused := rueidis.IsRedisErr(err); refused {
		if now := r.o.Now(); now.Sub(r.complaint) > time.Minute {
			r.complaint = now
			r.o.Log.WarnContext(ctx, "Redis refuses: values are loaded and not cached", "attempt", what, "error", err)
		}
		return
	}
	r.lose(s, fmt.Errorf("%s: %w", what, err))
}

// lose ends the use of a session. The caller holds r.mu.
func (r *Redis) lose(s *redisSession, why error) {
	s.breaking.Do(func() {
		s.why = why
		close(s.lost)
	})
	if r.drops == s {
		r.drops = nil
	}
	if r.session == s {
		r.session = nil
		r.epoch.Add(1)
	}
}

// told hears from Redis what has changed; nothing named: the connection is lost,
// or everything has changed. It is called between the answers, in their order.
func (r *Redis) told(s *redisSession, names []rueidis.RedisMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if names == nil {
		r.lose(s, errors.New("the connection is lost, or the database was emptied"))
		return
	}
	for _, m := range names {
		name, err := m.ToString()
		if err != nil {
			continue
		}
		name, ours := strings.CutPrefix(name, r.o.Prefix)
		if !ours {
			continue
		}
		if name == "generation" {
			r.lose(s, errors.New("all values were given up"))
			continue
		}
		if key, ok := strings.CutPrefix(name, "v:"); ok {
			r.near.Invalidate(key)
			r.changed(key, true)
		} else if key, ok := strings.CutPrefix(name, "l:"); ok {
			r.changed(key, false)
		}
	}
}

// changed tells the trip of a key that its value or its lease has changed. The
// caller holds r.mu.
func (r *Redis) changed(key string, value bool) {
	t := r.trips[key]
	switch {
	case t == nil:
	case t.stage == loading, t.stage == reading && value:
		delete(r.trips, key)
	default:
		t.wake()
	}
}
