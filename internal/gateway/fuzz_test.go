package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"emporium/internal/gateway"
)

// What is written of an element is read back as it was.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{`for=1.2.3.4`, `For="[2001:db8::1]:4711";proto=https;host=a`, `for="a\"b";x=y, for=b`, `;;`, `,=,`, `for="`, `a=b;;c`, `for="x\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		way := gateway.ParseForwarded(s)
		if len(way) > strings.Count(s, ",")+1 {
			t.Fatalf("%q has %d elements", s, len(way))
		}
		for _, h := range way {
			text := h.String()
			again := gateway.ParseForwarded(text)
			if len(again) != 1 {
				t.Fatalf("%q reads as %d elements", text, len(again))
			}
			if third := gateway.ParseForwarded(again[0].String()); !reflect.DeepEqual(again, third) {
				t.Fatalf("%q reads as %+v and then %+v", s, again, third)
			}
		}
	})
}

// Two attempts that read at the same time, of which the first is given up, leave
// the second with the whole body.
func TestBodyTwice(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), 50_000)
	view := gateway.Views(iotest.OneByteReader(bytes.NewReader(want[:5000])))
	one, _ := view()
	two, _ := view()
	var readers sync.WaitGroup
	readers.Go(func() { _, _ = io.CopyN(io.Discard, one, 3000); _ = one.Close() })
	got, err := io.ReadAll(two)
	readers.Wait()
	if err != nil || !bytes.Equal(got, want[:5000]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := one.Read(make([]byte, 1)); err == nil {
		t.Error("a closed view reads on")
	}

	// What is more than is kept is read once.
	big := bytes.Repeat(want, 4)
	view = gateway.Views(bytes.NewReader(big))
	one, _ = view()
	late, _ := view()
	if got, err := io.ReadAll(one); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := late.Read(make([]byte, 1)); err == nil {
		t.Error("a second view reads what was not kept")
	}
	if _, err := view(); err == nil {
		t.Error("a view of what was not kept")
	}
	broken := gateway.Views(iotest.ErrReader(errors.New("gone")))
	one, _ = broken()
	if _, err := io.ReadAll(one); err == nil {
		t.Error("a broken body ends well")
	}
}
