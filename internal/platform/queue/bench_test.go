package queue_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"emporium/internal/platform/queue"
)

var body = bytes.Repeat([]byte("0123456789"), 20)

// BenchmarkPublish has 64 publishers share commits.
func BenchmarkPublish(b *testing.B) {
	q := open(b, filepath.Join(b.TempDir(), "queue.db"))
	publish(b, q)
}

// BenchmarkPublishAndConsume counts a message when it is acknowledged.
func BenchmarkPublishAndConsume(b *testing.B) {
	q := open(b, filepath.Join(b.TempDir(), "queue.db"))
	all := consume(b, q)
	publish(b, q)
	<-all
}

// BenchmarkConsume works off what waits.
func BenchmarkConsume(b *testing.B) {
	q := open(b, filepath.Join(b.TempDir(), "queue.db"))
	for left := b.N; left > 0; left -= 1000 {
		if err := q.Publish(b.Context(), "orders", make([]queue.Message, min(left, 1000))...); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	<-consume(b, q)
}

func publish(b *testing.B, q queue.Queue) {
	b.Helper()
	var n atomic.Int64
	b.SetParallelism(32) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := fmt.Sprint("message ", n.Add(1))
			if err := q.Publish(b.Context(), "orders", queue.Message{ID: id, Body: body}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// consume ends the channel when as many messages as the benchmark counts were
// handled.
func consume(b *testing.B, q queue.Queue) <-chan struct{} {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	left := b.N
	go func() {
		defer close(ended)
		err := q.Consume(ctx, queue.ConsumeOptions{Queue: "orders"}, func(_ context.Context, batch []*queue.Delivery) error {
			if left -= len(batch); left <= 0 {
				cancel()
			}
			return nil
		})
		if err != nil {
			b.Error(err)
		}
	}()
	return ended
}
