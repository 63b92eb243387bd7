package limit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"emporium/internal/platform/dial"
)

// RedisOptions say where processes count together.
type RedisOptions struct {
	URL    string        // redis://user:password@host:6379/0, or rediss
	Prefix string        // begins every key
	Wait   time.Duration // how long an answer may take before Redis counts as away; 250ms when 0
	Retry  time.Duration // how often it is looked for while it is away; 1s when 0
	Away   *Memory       // counts while Redis is away
	Log    *slog.Logger
}

// Redis counts for all processes that use the same prefix, by the clock of the
// server. While it is away each process counts by itself, and no request waits
// for it or fails.
type Redis struct {
	o      RedisOptions
	client rueidis.ClientOption
	live   atomic.Pointer[session] // nil: away
	lost   chan struct{}
	stop   context.CancelFunc
	done   sync.WaitGroup
}

type session struct{ client rueidis.Client }

// script counts on the server, in one go. KEYS are those counted; ARGV has, for
// each, the step and the whole of its rule in microseconds. It answers whether
// they were counted, what time it is, and for each when its quota is whole again.
var script = rueidis.NewLuaScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local answer = {1, now}
for i, key in ipairs(KEYS) do
  local step, whole = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local stored = tonumber(redis.call('GET', key) or 0)
  local full = math.min(math.max(stored, now), now + whole)
  if stored > full then
    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil(whole / 1000))
  end
  if full + step - now > whole then answer[1] = 0 end
  answer[i + 2] = full
end
if answer[1] == 1 then
  for i, key in ipairs(KEYS) do
    local full = answer[i + 2] + tonumber(ARGV[2 * i - 1])
    redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
    answer[i + 2] = full
  end
end
return answer`)

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
	o.ClientName = "emporium-limits"
	o.ForceSingleClient, o.DisableRetry, o.DisableCache = true, true, true
	return o, nil
}

// OpenRedis counts in Redis from now on, or as soon as it is there. The work
// goes on until Close.
func OpenRedis(ctx context.Context, o RedisOptions) (*Redis, error) {
	client, err := redisOption(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Wait == 0 {
		o.Wait = 250 * time.Millisecond
	}
	if o.Retry == 0 {
		o.Retry = time.Second
	}
	client.Dialer.Timeout, client.ConnWriteTimeout = 4*o.Wait, 4*o.Wait
	r := &Redis{o: o, client: client, lost: make(chan struct{}, 1)}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	err = r.connect(work)
	if err != nil {
		o.Log.WarnContext(ctx, "limits: Redis is away, each process counts by itself", "error", err)
	}
	r.done.Go(func() { r.keep(work) })
	return r, nil
}

// keep looks for Redis whenever it is away.
func (r *Redis) keep(ctx context.Context) {
	for {
		if r.live.Load() == nil {
			if err := r.connect(ctx); err == nil {
				r.o.Log.InfoContext(ctx, "limits: Redis is there, processes count together")
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(r.o.Retry):
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-r.lost:
		}
	}
}

// connect greets Redis and counts once, to see whether it does.
func (r *Redis) connect(ctx context.Context) error {
	client, err := rueidis.NewClient(r.client)
	if err != nil {
		return err
	}
	rule, _ := NewRule("probe", maxQuota, minSpan)
	ctx, cancel := context.WithTimeout(ctx, 4*r.o.Wait)
	defer cancel()
	if err := r.ask(ctx, client, []Ask{{Rule: rule}}); err != nil {
		client.Close()
		return err
	}
	select {
	case <-r.lost: // of an earlier one
	default:
	}
	r.live.Store(&session{client})
	return nil
}

// Take counts each of the asks, or none.
func (r *Redis) Take(ctx context.Context, asks []Ask) bool {
	s := r.live.Load()
	if s == nil {
		return r.o.Away.Take(ctx, asks)
	}
	within, cancel := context.WithTimeout(ctx, r.o.Wait)
	defer cancel()
	err := r.ask(within, s.client, asks)
	if err == nil {
		for i := range asks {
			if asks[i].Wait > 0 {
				return false
			}
		}
		return true
	}
	if ctx.Err() == nil {
		r.lose(ctx, s, err)
	}
	return r.o.Away.Take(ctx, asks)
}

// ask runs the script and fills in the asks; Wait only when they were refused.
func (r *Redis) ask(ctx context.Context, client rueidis.Client, asks []Ask) error {
	keys, args := make([]string, len(asks)), make([]string, 0, 2*len(asks))
	for i := range asks {
		rule := asks[i].Rule
		keys[i] = r.o.Prefix + "limit:" + rule.name + ":" + asks[i].Who
		args = append(args, strconv.FormatInt(rule.step, 10), strconv.FormatInt(rule.whole, 10))
	}
	answer, err := script.Exec(ctx, client, keys, args).AsIntSlice()
	if err != nil {
		return fmt.Errorf("count in Redis: %w", err)
	}
	if len(answer) != len(asks)+2 {
		return fmt.Errorf("count in Redis: it answers with %d numbers", len(answer))
	}
	for i := range asks {
		asks[i].note(answer[i+2], answer[1])
		if answer[0] == 1 {
			asks[i].Wait = 0
		}
	}
	return nil
}

// lose notes that Redis is away. Those who still wait for it find out by
// themselves.
func (r *Redis) lose(ctx context.Context, s *session, why error) {
	if !r.live.CompareAndSwap(s, nil) {
		return
	}
	r.o.Log.WarnContext(ctx, "limits: Redis is away, each process counts by itself", "error", why)
	go s.client.Close()
	r.lost <- struct{}{}
}

// Ready says whether processes count together.
func (r *Redis) Ready(context.Context) error {
	if r.live.Load() == nil {
		return errors.New("redis is away: limits are counted by each process")
	}
	return nil
}

// Close ends the connection.
func (r *Redis) Close() error {
	r.stop()
	r.done.Wait()
	if s := r.live.Swap(nil); s != nil {
		s.client.Close()
	}
	return nil
}
