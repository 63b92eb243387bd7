package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
)

// mayRepeat says whether a request may be sent again although the first may have
// been acted on. A DELETE may not, nor a PUT with a precondition: what they did
// would come back as a 404 or a 412.
func mayRepeat(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	case http.MethodPut:
		return r.Header.Get("If-Match") == ""
	case http.MethodPost:
		return r.Header.Get("Idempotency-Key") != ""
	}
	return false
}

// dialError is why there is no connection. Nothing was sent.
type dialError struct{ cause error }

func (e *dialError) Error() string { return e.cause.Error() }
func (e *dialError) Unwrap() error { return e.cause }

func isDial(err error) bool {
	_, ok := errors.AsType[*dialError](err)
	return ok
}

// isTimeout says whether the caller has waited for long already. That nobody
// acknowledged the request (ETIMEDOUT) is found out sooner.
func isTimeout(err error) bool {
	if errors.Is(err, syscall.ETIMEDOUT) {
		return false
	}
	n, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && n.Timeout()
}

// The budget bounds how much more load repeated requests may make: one in five
// requests may be a repeat, and a hundred at once, such as those that were under
// way when a replica died.
const (
	repeatCost = 5
	budgetSize = 100 * repeatCost
)

type budget struct{ left atomic.Int64 }

func newBudget() *budget {
	b := new(budget)
	b.left.Store(budgetSize)
	return b
}

// earn is called for each request.
func (b *budget) earn() {
	if b.left.Load() < budgetSize {
		b.left.Add(1)
	}
}

// spend says whether one more may be repeated.
func (b *budget) spend() bool {
	if b.left.Add(-repeatCost) < 0 {
		b.left.Add(repeatCost)
		return false
	}
	return true
}
