package cache

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
)

// What stands under a key in Redis is a line that a person can read, and the
// value as its kind encodes it:
//
//	1 value TOKEN GENERATION FRESH STALE
//
// 1 is this format; the word is "value" or "unknown" (then a refusal follows);
// the token is that of the load that stored it, and no other load has it; the
// generation is that of all values (see redisSession); the times are those of
// [Life] as milliseconds since 1970, by the clock of the engine that stored it.

// record is what stands in Redis. The times of its entry are whole milliseconds.
type record struct {
	*entry
	generation string
}

// refusal is a market.NotFound as it is stored.
type refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

const (
	recordFormat  = "1"
	recordValue   = "value"
	recordUnknown = "unknown"
)

var errRecord = errors.New("what stands in Redis is not of this format")

// head gives the line that begins the record.
func (r record) head() string {
	word := recordValue
	if r.err != nil {
		word = recordUnknown
	}
	return fmt.Sprintf("%s %s %s %s %d %d\n", recordFormat, word, r.token, r.generation, r.fresh.UnixMilli(), max(0, r.stale.UnixMilli()))
}

// encode gives the whole record.
func (r record) encode(kind *Kind) (head string, body []byte, err error) {
	if r.err == nil {
		body, err = kind.Encode(r.value)
		return r.head(), body, err
	}
	var e *market.Error
	if !errors.As(r.err, &e) {
		return "", nil, fmt.Errorf("not a refusal: %w", r.err)
	}
	body, err = json.Marshal(refusal{Code: e.Code, Detail: r.err.Error()})
	return r.head(), body, err
}

// decodeRecord reads a record. What it holds is the entry's value, unless known
// is an entry with the same token: then the value is the very one of known.
func decodeRecord(raw []byte, key string, kind *Kind, known *entry) (record, error) {
	line, body, found := bytes.Cut(raw, []byte{'\n'})
	part := strings.Split(string(line), " ")
	if !found || len(part) != 6 || part[0] != recordFormat || part[2] == "" || part[3] == "" {
		return record{}, errRecord
	}
	fresh, err := strconv.ParseInt(part[4], 10, 64)
	stale, err2 := strconv.ParseInt(part[5], 10, 64)
	if err = errors.Join(err, err2); err != nil || fresh < 0 || stale < 0 || max(fresh, stale) > math.MaxInt64/int64(time.Millisecond) {
		return record{}, errRecord
	}
	r := record{generation: part[3], entry: &entry{token: part[2], fresh: time.UnixMilli(fresh), stale: time.UnixMilli(stale)}}
	switch part[1] {
	case recordValue:
		if known != nil && known.token == r.token && known.err == nil {
			r.value, r.weight = known.value, known.weight
			return r, nil
		}
		if r.value, err = kind.Decode(body); err != nil {
			return record{}, fmt.Errorf("decode: %w", err)
		}
		r.weight = weight(bookkeeping + len(key) + kind.Weigh(r.value))
	case recordUnknown:
		var told refusal
		if err := json.Unmarshal(body, &told); err != nil {
			return record{}, fmt.Errorf("decode: %w", err)
		}
		r.err = &market.Error{Kind: market.NotFound, Code: told.Code, Detail: told.Detail}
		r.weight = weight(bookkeeping + 2*len(key))
	default:
		return record{}, errRecord
	}
	return r, nil
}
