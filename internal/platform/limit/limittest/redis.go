package limittest

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// PassRedis lets time pass for all that is counted under a prefix: what is
// whole again at some time is so earlier.
func PassRedis(address, prefix string) func(testing.TB, time.Duration) {
	return func(t testing.TB, d time.Duration) {
		t.Helper()
		o, err := rueidis.ParseURL(address)
		if err != nil {
			t.Fatal(err)
		}
		o.DisableCache = true
		client, err := rueidis.NewClient(o)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx := context.Background()
		keys, err := client.Do(ctx, client.B().Keys().Pattern(prefix+"*").Build()).AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			full, err := client.Do(ctx, client.B().Get().Key(key).Build()).AsInt64()
			if rueidis.IsRedisNil(err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			left, err := client.Do(ctx, client.B().Pttl().Key(key).Build()).AsInt64()
			if err != nil {
				t.Fatal(err)
			}
			if left -= d.Milliseconds(); left <= 0 { // it would have expired
				err = client.Do(ctx, client.B().Del().Key(key).Build()).Error()
			} else {
				err = client.Do(ctx, client.B().Set().Key(key).Value(strconv.FormatInt(full-d.Microseconds(), 10)).PxMilliseconds(left).Build()).Error()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
