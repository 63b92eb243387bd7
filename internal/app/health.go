package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"emporium/internal/platform/httpapi"
)

// readyWithin bounds how long a part may take to say that it is ready.
const readyWithin = 2 * time.Second

// mountHealth answers those who watch the process: is it alive, is it ready, and
// what is not.
func (a *App) mountHealth(api *httpapi.API) {
	api.Handle("GET /healthz", answerJSON(func(context.Context) (int, any) {
		return http.StatusOK, map[string]string{"status": "alive"}
	}))
	api.Handle("GET /health", answerJSON(func(context.Context) (int, any) { return http.StatusOK, "healthy" }))
	api.Handle("GET /readyz", answerJSON(a.readiness))
}

// readiness asks every part, and names each. Only its own databases make a
// process unready: without the queue, the cache or another service it does less,
// but no other process would do more.
func (a *App) readiness(ctx context.Context) (int, any) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	status, word, parts := http.StatusOK, "ready", map[string]string{}
	if a.draining.Load() {
		status, word = http.StatusServiceUnavailable, "stopping"
	}
	for _, p := range a.parts {
		parts[p.name] = "ready"
		if p.ready == nil {
			continue
		}
		if err := p.ready(ctx); err != nil {
			parts[p.name] = "not ready"
			if !p.elsewhere {
				status, word = http.StatusServiceUnavailable, "not ready"
			}
			a.log.WarnContext(ctx, "not ready", "part", p.name, "error", err)
		}
	}
	return status, map[string]any{"status": word, "parts": parts}
}

func answerJSON(f func(context.Context) (int, any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, v := f(r.Context())
		body, err := json.Marshal(v)
		if err != nil {
			status, body = http.StatusInternalServerError, []byte(`"cannot be written"`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}
