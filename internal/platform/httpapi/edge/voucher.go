package edge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fromHeader says for whom a process of this deployment asks another, and proves
// that it is one: the address, the minute and a MAC of both, with spaces between
// them. Whoever gets it was counted where they came in, and is not counted again.
const fromHeader = "Emporium-From"

// itself stands for the address when a process asks for itself.
const itself = "self"

// maxSkew is how far the clocks of two processes may be apart, in minutes.
const maxSkew = 2

type voucher struct{ client netip.Addr } // not valid: a process itself

// seal makes and checks vouchers.
type seal struct{ macs *sync.Pool }

func newSeal(secret []byte) seal {
	if len(secret) == 0 {
		return seal{}
	}
	derive := hmac.New(sha256.New, secret)
	derive.Write([]byte("emporium from 1")) // the secret has other uses
	key := derive.Sum(nil)
	return seal{&sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (s seal) of(text string) string {
	mac := s.macs.Get().(hash.Hash)
	defer s.macs.Put(mac)
	mac.Reset()
	mac.Write([]byte(text))
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.EncodeToString(mac.Sum(sum[:0]))
}

func minute(t time.Time) int64 { return t.Unix() / 60 }

// Vouch says in the head of a request to another process of this deployment for
// whom it is made; the zero address: for this process itself.
func (e *Edge) Vouch(h http.Header, client netip.Addr) {
	delete(h, fromHeader)
	if e.seal.macs == nil {
		return
	}
	who := itself
	if client.IsValid() {
		who = client.Unmap().WithZone("").String()
	}
	text := who + " " + strconv.FormatInt(minute(e.o.Now()), 10)
	h[fromHeader] = []string{text + " " + e.seal.of(text)}
}

// voucher gives what a process of this deployment says of a request; false when
// none does.
func (e *Edge) voucher(r *http.Request) (voucher, bool) {
	said := r.Header[fromHeader]
	if said == nil {
		return voucher{}, false
	}
	v, ok := e.check(said)
	if !ok && !e.other.Swap(true) {
		e.o.Log.WarnContext(r.Context(), "a request says that another process has let it in, and does not prove it: give all processes of a deployment the same --secret (EMPORIUM_SECRET), and clocks that agree", "from", r.RemoteAddr)
	}
	return v, ok
}

func (e *Edge) check(said []string) (v voucher, ok bool) {
	if len(said) != 1 || e.seal.macs == nil {
		return v, false
	}
	at := strings.LastIndexByte(said[0], ' ')
	if at < 0 {
		return v, false
	}
	text, mac := said[0][:at], said[0][at+1:]
	if !hmac.Equal([]byte(mac), []byte(e.seal.of(text))) {
		return v, false
	}
	who, when, _ := strings.Cut(text, " ")
	then, err := strconv.ParseInt(when, 10, 64)
	if age := minute(e.o.Now()) - then; err != nil || age > maxSkew || age < -maxSkew {
		return v, false
	}
	if who == itself {
		return v, true
	}
	v.client, err = netip.ParseAddr(who)
	return v, err == nil
}
