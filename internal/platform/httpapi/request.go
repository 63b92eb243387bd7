package httpapi

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// cleanText says whether a text can be stored on every engine.
func cleanText(s string) bool {
	for i := range len(s) {
		if s[i] == 0 || s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
		}
	}
	return true
}

// checkContentType wants JSON: application/json or application/*+json, with any
// parameters.
func checkContentType(header string) *statusError {
	if header == "application/json" {
		return nil
	}
	media, _, err := mime.ParseMediaType(header)
	if err == nil || errors.Is(err, mime.ErrInvalidMediaParameter) {
		if media == "application/json" || (strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")) {
			return nil
		}
	}
	return &statusError{
		status: http.StatusUnsupportedMediaType, code: "not_json",
		detail: "Expected Content-Type: 'application/json'; got: '" + clip(strings.ToValidUTF8(header, "")) + "'",
	}
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads at most limit bytes into a pooled buffer, which the caller
// gives back with returnBody.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*bytes.Buffer, *statusError) {
	tooLarge := bodyTooLarge(limit)
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close") // do not read the rest of it
		return nil, tooLarge
	}
	buf := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		returnBody(buf)
		return nil, tooLarge
	case err != nil && !errors.Is(err, io.EOF):
		returnBody(buf)
		return nil, &statusError{status: http.StatusBadRequest, code: "body_cut", detail: "the body ended before it was complete"}
	}
	return buf, nil
}

func bodyTooLarge(limit int64) *statusError {
	return &statusError{
		status: http.StatusRequestEntityTooLarge, code: "body_too_large",
		detail: "the body is larger than " + sizeText(limit),
	}
}

// RefuseBody answers, outside an operation, that the body is larger than limit
// bytes, and does not read the rest of it.
func RefuseBody(w http.ResponseWriter, r *http.Request, limit int64) {
	w.Header().Set("Connection", "close")
	writeProblem(w, r, aliasAt(w, r), bodyTooLarge(limit))
}

func returnBody(buf *bytes.Buffer) {
	if buf.Cap() <= 1<<16 { // do not pin the memory of a rare large one
		bodies.Put(buf)
	}
}

func sizeText(n int64) string {
	if n >= 1<<20 {
		return itoa(n>>20) + " MiB"
	}
	return itoa(n>>10) + " KiB"
}
