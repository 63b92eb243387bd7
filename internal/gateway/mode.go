package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// accessHeader says in which mode the process runs that sends it. Processes put
// it on what they ask each other, and answer with it: the mode is one setting of
// a deployment, and none of them goes on with one that runs in another.
const accessHeader = "Emporium-Access"

// otherModeError says that a process runs in another mode than this one.
type otherModeError struct {
	service      string
	theirs, ours string // theirs is "" when it does not say
}

func (e *otherModeError) Error() string {
	theirs := e.theirs
	if theirs == "" {
		theirs = "an unknown"
	}
	return fmt.Sprintf("the service '%s' runs in %s mode and this process in %s mode: start all processes of a deployment with the same --access (EMPORIUM_ACCESS)", e.service, theirs, e.ours)
}

// SameMode refuses what a process of another mode asks: it has judged, or will
// judge, who may do what by other rules. Who asks without being one of this
// deployment's processes says no mode.
func SameMode(next http.Handler, mode httpapi.Mode, log *slog.Logger) http.Handler {
	var told atomic.Bool
	ours := []string{string(mode)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		theirs, said := r.Header[accessHeader]
		if !said {
			next.ServeHTTP(w, r)
			return
		}
		w.Header()[accessHeader] = ours
		if len(theirs) != 1 || theirs[0] != string(mode) {
			if !told.Swap(true) {
				log.ErrorContext(r.Context(), "asked by a process of another mode: start all processes of a deployment with the same --access (EMPORIUM_ACCESS)", "from", r.RemoteAddr, "theirs", theirs, "ours", mode)
			}
			httpapi.Refuse(w, r, market.Refuse(market.Unavailable, "other_mode",
				"this process runs in %s mode, and what asks it in another: start all processes of a deployment with the same --access (EMPORIUM_ACCESS)", mode))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkMode refuses the answer of a process of another mode, and takes the mode
// off one of ours.
func (r *replica) checkMode(h http.Header) error {
	if r.mode == "" {
		return nil
	}
	theirs := h.Get(accessHeader)
	delete(h, accessHeader)
	if theirs == r.mode {
		r.other.Store(nil)
		return nil
	}
	err := &otherModeError{service: r.service, theirs: theirs, ours: r.mode}
	if r.other.Swap(err) == nil {
		r.log.Error("not asked: it runs in another mode", "service", r.breaker.Name(), "theirs", theirs, "ours", r.mode)
	}
	return err
}
