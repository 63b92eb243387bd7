package queue_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"emporium/internal/platform/queue"
	"emporium/internal/platform/queue/queuetest"
)

func place(t testing.TB) queuetest.Place {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queue.db")
	return func(t testing.TB) queue.Queue {
		t.Helper()
		return open(t, path)
	}
}

func open(t testing.TB, path string) *queue.SQLite {
	t.Helper()
	q, err := queue.OpenSQLite(t.Context(), queue.SQLiteOptions{
		Path:  path,
		Lease: 2 * time.Second,
		Log:   slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func TestSQLite(t *testing.T) {
	queuetest.Run(t, queuetest.Features{CountsHeld: true, Age: true, KeepsTries: true, KeepsPlace: true}, place)
}
