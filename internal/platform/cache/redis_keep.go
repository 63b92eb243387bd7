package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// redialPause is between attempts to reach Redis. A refused connection costs
// nothing, and until it is back every Get loads.
const redialPause = 250 * time.Millisecond

// keep holds the connection, and makes a new one when it is lost, until ctx ends.
func (r *Redis) keep(ctx context.Context, s *redisSession, err error) {
	defer close(r.stopped)
	said := "" // what was logged last
	for {
		if s == nil {
			if err != nil && said != err.Error() && ctx.Err() == nil {
				said = err.Error()
				r.o.Log.WarnContext(ctx, "Redis is away: values are loaded each time they are asked for", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(redialPause):
			}
			if s, err = r.connect(ctx); err == nil {
				r.o.Log.InfoContext(ctx, "Redis is back")
			}
			continue
		}
		r.watch(ctx, s)
		said, err, s = "", s.why, nil
	}
}

// watch asks Redis again and again whether it is there, since a hot key never
// asks, until it is not or ctx ends.
func (r *Redis) watch(ctx context.Context, s *redisSession) {
	defer s.end()
	ping := time.NewTicker(r.o.Wait / 2)
	defer ping.Stop()
	beat := time.NewTicker(r.o.Vanished / 4)
	defer beat.Stop()
	settled := time.After(r.o.Vanished) // by then, who lives has come back too
	look := false
	for {
		var err error
		select {
		case <-ctx.Done():
			r.bid(ctx, s)
			return
		case <-s.lost:
			return
		case <-settled:
			look = true
		case <-ping.C:
			_, err = s.do(ctx, s.command("PING"))
		case <-beat.C:
			var dead int64
			if dead, err = s.beat(ctx, look); dead > 0 {
				err = fmt.Errorf("%d processes have vanished: all values are given up", dead)
			}
		}
		if err != nil && ctx.Err() == nil {
			r.mu.Lock()
			r.lose(s, err)
			r.mu.Unlock()
		}
	}
}

// bid says goodbye to Redis, unless drops are owed: then the others are to find
// that this process has vanished.
func (r *Redis) bid(ctx context.Context, s *redisSession) {
	r.mu.Lock()
	owing := len(r.owed) > 0 || r.owedAll || r.session != s
	r.lose(s, errors.New("closed"))
	r.mu.Unlock()
	if !owing {
		_ = s.leave(context.WithoutCancel(ctx))
	}
}
