package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"emporium/internal/market"
)

// Commands and processes of one deployment know each other by its secret. What
// is sent proves that one knows it, for one method and address, and for a minute;
// it is of no use for anything else.
const (
	proofScheme = "Emporium"
	proofLife   = time.Minute
)

// Prove gives the Authorization header by which a request of this deployment is
// known to another of its processes.
func Prove(secret []byte, r *http.Request, now time.Time) string {
	at := strconv.FormatInt(now.Unix(), 10)
	return proofScheme + " " + at + "." + base64.RawURLEncoding.EncodeToString(proofOf(secret, r, at))
}

func proofOf(secret []byte, r *http.Request, at string) []byte {
	key := hmac.New(sha256.New, secret)
	key.Write([]byte("emporium inside 1")) // the secret has other uses
	mac := hmac.New(sha256.New, key.Sum(nil))
	mac.Write([]byte(at + "\n" + r.Method + "\n" + r.URL.EscapedPath() + "\n" + r.URL.RawQuery))
	return mac.Sum(nil)
}

// checkProof refuses what this deployment did not make, or too long ago.
func (a *API) checkProof(r *http.Request, proof string) error {
	refusal := market.Refuse(market.Unauthenticated, "bad_proof",
		"this does not come from a process of this deployment: give all of them the same --secret (EMPORIUM_SECRET), and clocks that agree")
	at, text, _ := strings.Cut(proof, ".")
	seconds, err := strconv.ParseInt(at, 10, 64)
	mac, decoding := base64.RawURLEncoding.DecodeString(text)
	if err != nil || decoding != nil || len(a.options.Secret) == 0 || !hmac.Equal(mac, proofOf(a.options.Secret, r, at)) {
		return refusal
	}
	if age := a.options.Now().Sub(time.Unix(seconds, 0)); age > proofLife || age < -proofLife {
		return refusal
	}
	return nil
}
