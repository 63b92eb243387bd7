// Package market holds what crosses services, and nothing else: the kinds of
// errors, money, times, pages, who is asking, what services ask of each other
// and what they tell each other. It does no I/O and uses only the standard
// library.
package market

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of refusal an [Error] is. Each kind has one HTTP status,
// given by platform/httpapi and read back by every client.go.
type Kind uint8

// The kinds, with the HTTP status that each becomes.
const (
	Invalid         Kind = iota + 1 // 400: the input breaks a rule
	Unauthenticated                 // 401: no token, or one that does not hold
	Denied                          // 403: signed in, but not allowed
	NotFound                        // 404: the thing in the path does not exist
	Conflict                        // 409: it contradicts what is stored
	Stale                           // 412: the If-Match precondition failed
	Unavailable                     // 503: something it needs is down; try again
)

// Fault is one thing wrong with an input.
type Fault struct {
	Location string `json:"location"`       // where it is: "body.store.lat", "query.limit", "path.id"
	Message  string `json:"message"`        // what is wrong, for a person
	Value    any    `json:"value,omitzero"` // what was sent, when that helps; never a secret
}

// Error is a refusal that the caller may read.
type Error struct {
	Kind       Kind
	Code       string // stable, for programs: "unknown_item"
	Detail     string // one sentence for a person
	Faults     []Fault
	RetryAfter time.Duration // with Unavailable: when to come back; 0 means one second
	Cause      error         // for the log, never for the caller
}

// Error gives the sentence for the caller.
func (e *Error) Error() string { return e.Detail }

// Unwrap gives the cause, which the caller never sees.
func (e *Error) Unwrap() error { return e.Cause }

// Refuse makes an error of a kind with a stable code and a sentence.
func Refuse(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// KindOf gives the kind of the first [Error] in err's chain, or 0.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

// Faults collects everything wrong with a body, so that it is reported at once.
// The zero value is ready to use.
type Faults []Fault

// Add notes one fault. The value may be nil.
func (f *Faults) Add(location string, value any, format string, args ...any) {
	*f = append(*f, Fault{Location: location, Message: fmt.Sprintf(format, args...), Value: value})
}

// Err gives nil when there are none, and otherwise one [Invalid] error. Its
// detail is the message of a single fault, or says how many there are and
// repeats each.
func (f Faults) Err(code string) error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return &Error{Kind: Invalid, Code: code, Detail: f[0].Message, Faults: f}
	}
	detail := fmt.Sprintf("%d faults: ", len(f))
	for i, fault := range f {
		if i > 0 {
			detail += "; "
		}
		detail += fault.Message
	}
	return &Error{Kind: Invalid, Code: code, Detail: detail, Faults: f}
}
