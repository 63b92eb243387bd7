package fuzztest_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"emporium/internal/platform/httpapi/apitest"
)

// leaks are what belongs into the log: stack traces, SQL, paths of the machine,
// hashes of passwords.
var leaks = regexp.MustCompile(`goroutine \d|\.go:\d|\bpanic\b|runtime error|SQLSTATE|(?i:sqlite)|(?i:constraint failed)|(?i:syntax error at)|\bSELECT\b.*\bFROM\b|\bINSERT INTO\b|/tmp/|\$argon2`)

// judge says everything that is wrong with an answer.
func (r *round) judge(q *request, a *answer) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if a.status >= http.StatusInternalServerError {
		fault("the server failed")
	}
	if found := leaks.Find(a.body); found != nil {
		fault("the answer tells %q", found)
	}
	problem, _ := a.json.(map[string]any)
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") && text(problem["status"]) != strconv.Itoa(a.status) && q.method != http.MethodHead {
		fault("the problem's status is %v", problem["status"])
	}
	if (a.status == http.StatusUnauthorized) != (a.header.Get("WWW-Authenticate") == "Bearer") {
		fault("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
	}
	if (a.status == http.StatusMethodNotAllowed) && a.header.Get("Allow") == "" {
		fault("Allow is missing")
	}
	if to := a.header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
		fault("it leads to %s", to)
	}
	switch {
	case q.mended && a.status == http.StatusTemporaryRedirect:
	case q.astray:
		if a.status < 300 || a.status == http.StatusNotModified {
			fault("nothing should be here")
		}
	case !q.documented() && q.method == http.MethodOptions:
		if a.status != http.StatusNoContent || a.header.Get("Allow") == "" {
			fault("OPTIONS is 204 with Allow")
		}
	case !q.documented():
		if a.status != http.StatusMethodNotAllowed || slices.Contains(strings.Split(a.header.Get("Allow"), ", "), q.method) {
			fault("the method should not be allowed; allowed are %s", a.header.Get("Allow"))
		}
	default:
		if err := r.document.Fits(r.t.Context(), q.method, q.op.path, apitest.Answer{Status: a.status, Header: a.header, Body: a.body}); err != nil {
			fault("it does not fit the document: %v", err)
		}
		if a.status < http.StatusMultipleChoices && q.op.RequestBody != nil {
			if err := r.document.Takes(q.op.method, q.op.path, decode(q.body)); err != nil {
				fault("it takes what the document does not: %v", err)
			}
		}
		if a.status < http.StatusBadRequest && !r.may(q, a) {
			fault("%s may not do this in %s mode", q.caller.name, r.mode)
		}
	}
	return faults
}
