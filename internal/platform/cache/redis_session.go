package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// leaseLife is how long a load may go on without renewing its lease; it does so
// three times in this time.
const leaseLife = 3 * time.Second

// redisSession is one connection to Redis, from the greeting until it breaks. It
// never reconnects: on a new connection nobody would have told what changed in
// between, so everything that was learned on this one ends with it.
//
// Redis follows what the connection reads (tracking, with NOLOOP) and tells once
// when another connection changes it. So what is to be followed is read after
// each change of our own, in the same pipeline: value and lease. BCAST would
// need no such reading, but forgets to tell when another connection changes a
// key in the same turn as we do.
//
// Under the prefix stand, for each KEY, v:KEY, the value as a record, and
// l:KEY, the token of the load that holds the lease; generation, which every
// value must name, so that a new one gives up all values; run, which start of
// Redis they are from; and processes, when each was last heard of.
type redisSession struct {
	cache      *Redis
	client     rueidis.Client
	generation string
	lost       chan struct{} // closed when it has broken
	why        error         // once lost is closed
	breaking   sync.Once

	mu   sync.Mutex
	conn net.Conn
}

func (s *redisSession) valueKey(key string) string { return s.cache.o.Prefix + "v:" + key }
func (s *redisSession) leaseKey(key string) string { return s.cache.o.Prefix + "l:" + key }
func (s *redisSession) generationKey() string      { return s.cache.o.Prefix + "generation" }
func (s *redisSession) runKey() string             { return s.cache.o.Prefix + "run" }
func (s *redisSession) processesKey() string       { return s.cache.o.Prefix + "processes" }

func (s *redisSession) command(word string, args ...string) rueidis.Completed {
	return s.client.B().Arbitrary(word).Args(args...).Build()
}

// do sends commands in one go and waits for all answers, but not for long.
func (s *redisSession) do(ctx context.Context, commands ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cache.o.Wait, fmt.Errorf("no answer within %s", s.cache.o.Wait))
	defer cancel()
	results := s.client.DoMulti(ctx, commands...)
	for _, result := range results {
		if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, err
		}
	}
	return results, nil
}

// text gives the string of an answer, or nil when there is none.
func text(result rueidis.RedisResult) ([]byte, error) {
	b, err := result.AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}

// value reads what stands under a key, which Redis then follows.
func (s *redisSession) value(ctx context.Context, key string) ([]byte, error) {
	results, err := s.do(ctx, s.command("GET", s.valueKey(key)))
	if err != nil {
		return nil, err
	}
	return text(results[0])
}

// acquire takes the lease of a key when nobody has it, and reads the value and
// the lease, which Redis then follows.
func (s *redisSession) acquire(ctx context.Context, key, token string) (won bool, raw []byte, err error) {
	results, err := s.do(ctx,
		s.command("SET", s.leaseKey(key), token, "NX", "PX", milliseconds(leaseLife)),
		s.command("GET", s.valueKey(key)),
		s.command("GET", s.leaseKey(key)))
	if err != nil {
		return false, nil, err
	}
	if raw, err = text(results[1]); err != nil {
		return false, nil, err
	}
	holder, err := text(results[2])
	return string(holder) == token, raw, err
}

// storeScript stores a value (or, when it is empty, removes it) while the lease
// and the generation stand, and gives up the lease.
const storeScript = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('GET', KEYS[3]) ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
redis.call('DEL', KEYS[2])
return 1`

func (s *redisSession) storing(key, token, value string, life time.Duration) rueidis.Completed {
	return s.command("EVAL", storeScript, "3", s.valueKey(key), s.leaseKey(key), s.generationKey(), token, s.generation, value, milliseconds(life))
}

// store stores a record for so long and gives up the lease. It tells whether the
// record stands and Redis will tell of every change.
func (s *redisSession) store(ctx context.Context, key, token, head string, body []byte, life time.Duration) (stands bool, err error) {
	if life < time.Millisecond {
		return false, s.remove(ctx, key, token)
	}
	results, err := s.do(ctx,
		s.storing(key, token, head+string(body), life),
		s.command("GETRANGE", s.valueKey(key), "0", strconv.Itoa(len(head)-1)))
	if err != nil {
		return false, err
	}
	read, err := text(results[1])
	return string(read) == head, err
}

// remove takes away a value that has gone, while the lease stands, and gives up
// the lease.
func (s *redisSession) remove(ctx context.Context, key, token string) error {
	_, err := s.do(ctx, s.storing(key, token, "", 0))
	return err
}

// renew makes the lease last on, and tells whether it still stands.
func (s *redisSession) renew(ctx context.Context, key, token string) (stands bool, err error) {
	results, err := s.do(ctx,
		s.command("EVAL", `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`,
			"1", s.leaseKey(key), token, milliseconds(leaseLife)),
		s.command("GET", s.leaseKey(key)))
	if err != nil {
		return false, err
	}
	holder, err := text(results[1])
	return string(holder) == token, err
}

// release gives up a lease.
func (s *redisSession) release(ctx context.Context, key, token string) error {
	_, err := s.do(ctx, s.command("EVAL", `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 0`,
		"1", s.leaseKey(key), token))
	return err
}

// drop removes values and leases, so that no load that is under way can store.
func (s *redisSession) drop(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), 500)
		var names []string
		for _, key := range keys[:n] {
			names = append(names, s.valueKey(key), s.leaseKey(key))
		}
		if _, err := s.do(ctx, s.command("DEL", names...)); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// giveUp makes all values worthless.
func (s *redisSession) giveUp(ctx context.Context) error {
	_, err := s.do(ctx, s.command("SET", s.generationKey(), newToken()))
	return err
}

// joinScript makes a new generation where there is none, or where Redis has been
// started anew: what it then has from its disk may have been dropped since it
// was written there.
const joinScript = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
	redis.call('SET', KEYS[2], ARGV[1])
	redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[2], 'NX')
return 0`

// join reads the generation and makes this process known.
func (s *redisSession) join(ctx context.Context) error {
	results, err := s.do(ctx, s.command("INFO", "server"))
	if err != nil {
		return err
	}
	about, err := results[0].ToString()
	if err != nil {
		return err
	}
	_, run, _ := strings.Cut(about, "\nrun_id:")
	run, _, _ = strings.Cut(run, "\r")
	results, err = s.do(ctx,
		s.command("EVAL", joinScript, "2", s.generationKey(), s.runKey(), run, newToken()),
		s.command("GET", s.generationKey()))
	if err != nil {
		return err
	}
	generation, err := text(results[1])
	if err == nil && len(generation) == 0 {
		err = errors.New("the generation of the values is gone again")
	}
	if err != nil {
		return err
	}
	s.generation = string(generation)
	_, err = s.beat(ctx, false)
	return err
}

// beatScript notes that a process lives, and gives up all values when another
// has died: it may have changed something and not dropped it.
const beatScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
if ARGV[2] == '' then return 0 end
local dead = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if dead > 0 then redis.call('SET', KEYS[2], ARGV[3]) end
return dead`

// beat notes that this process lives. It tells how many others have died when it
// is to look for them.
func (s *redisSession) beat(ctx context.Context, look bool) (dead int64, err error) {
	vanished := ""
	if look {
		vanished = milliseconds(s.cache.o.Vanished)
	}
	results, err := s.do(ctx, s.command("EVAL", beatScript, "2", s.processesKey(), s.generationKey(), s.cache.name, vanished, newToken()))
	if err != nil {
		return 0, err
	}
	return results[0].AsInt64()
}

// leave says that this process ends and owes nothing.
func (s *redisSession) leave(ctx context.Context) error {
	_, err := s.do(ctx, s.command("ZREM", s.processesKey(), s.cache.name))
	return err
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
