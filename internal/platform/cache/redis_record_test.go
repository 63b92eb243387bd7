package cache

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"emporium/internal/market"
)

type note struct{ Text string }

func noteKind() *Kind {
	return &NewShelf(nil, Life{}, func(n *note) int { return len(n.Text) }).kind
}

func TestRecordComesBack(t *testing.T) {
	fresh := time.UnixMilli(1762345678901)
	for what, e := range map[string]*entry{
		"value":   {value: &note{Text: "1 value\n。◕‿◕。"}, token: "T", fresh: fresh, stale: fresh.Add(time.Hour)},
		"unknown": {err: market.Refuse(market.NotFound, "unknown_thing", "there is no thing %q", "x\ny"), token: "T", fresh: fresh},
	} {
		head, body, err := record{entry: e, generation: "G"}.encode(noteKind())
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeRecord([]byte(head+string(body)), "k", noteKind(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.generation != "G" || got.token != "T" || !got.fresh.Equal(e.fresh) || !reflect.DeepEqual(got.value, e.value) || !sameRefusal(got.err, e.err) {
			t.Errorf("%s: %q became %+v", what, head, got.entry)
		}
		if e.value == nil {
			continue
		}
		if got.value == e.value {
			t.Error("nobody has decoded it")
		}
		if got, _ = decodeRecord([]byte(head+string(body)), "k", noteKind(), e); got.value != e.value {
			t.Error("the value of a known token is not the one that was known")
		}
	}
}

func sameRefusal(a, b error) bool {
	var x, y *market.Error
	if !errors.As(a, &x) || !errors.As(b, &y) {
		return a == nil && b == nil
	}
	return x.Kind == y.Kind && x.Code == y.Code && x.Detail == y.Detail
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("1 value TOKEN GENERATION 1762345678901 1762345678901\n{\"Text\":\"x\"}"))
	f.Add([]byte("1 unknown TOKEN GENERATION 1762345678901 0\n{\"code\":\"unknown_thing\",\"detail\":\"none\"}"))
	f.Add([]byte("2 value TOKEN GENERATION 1762345678901 0\n{}"))
	f.Add([]byte("1 value   1 1\n{}"))
	f.Add([]byte("1 value T G -1 99999999999999999999\n{}"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeRecord(raw, "k", noteKind(), nil)
		if err != nil {
			return
		}
		if (r.value == nil) == (r.err == nil) || r.token == "" {
			t.Fatalf("%q became %+v", raw, r.entry)
		}
		if r.err != nil && market.KindOf(r.err) != market.NotFound {
			t.Fatalf("%q became %v", raw, r.err)
		}
		head, body, err := r.encode(noteKind())
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeRecord([]byte(head+string(body)), "k", noteKind(), nil)
		if err != nil || !reflect.DeepEqual(again.value, r.value) || !again.fresh.Equal(r.fresh) {
			t.Fatalf("%q became %q and %+v, %v", raw, head, again.entry, err)
		}
	})
}

func TestRecordOfSomethingElse(t *testing.T) {
	if _, _, err := (record{entry: &entry{err: errors.New("down")}}).encode(noteKind()); err == nil {
		t.Error("a failure was encoded as an answer")
	}
}
