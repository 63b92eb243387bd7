package queue_test

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"emporium/internal/platform/queue"
)

func quiet(o *queue.RabbitMQOptions) { o.Log = slog.New(slog.DiscardHandler) }

// BenchmarkRabbitMQPublish has 64 publishers wait for their confirms.
func BenchmarkRabbitMQPublish(b *testing.B) {
	if broker, ok := newBroker(b); ok {
		publish(b, broker.open(b, quiet))
	}
}

// BenchmarkRabbitMQPublishBare is the client alone, with as many outstanding.
func BenchmarkRabbitMQPublishBare(b *testing.B) {
	broker, ok := newBroker(b)
	if !ok {
		return
	}
	ch := broker.channel(b)
	if err := ch.Confirm(false); err != nil {
		b.Fatal(err)
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				confirm, err := ch.PublishWithDeferredConfirm("", broker.prefix+"orders", true, false,
					amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
				if err != nil || !confirm.Wait() {
					b.Error("not confirmed", err)
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkRabbitMQConsume works off what waits.
func BenchmarkRabbitMQConsume(b *testing.B) {
	broker, ok := newBroker(b)
	if !ok {
		return
	}
	q := broker.open(b, quiet)
	fill(b, q)
	b.ResetTimer()
	<-consume(b, q)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkRabbitMQConsumeBare is the client alone, with an acknowledgement for
// each 100.
func BenchmarkRabbitMQConsumeBare(b *testing.B) {
	broker, ok := newBroker(b)
	if !ok {
		return
	}
	fill(b, broker.open(b, quiet))
	ch := broker.channel(b)
	if err := ch.Qos(400, 0, false); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	source, err := ch.Consume(broker.prefix+"orders", "", false, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		d := <-source
		if i%100 == 99 || i == b.N-1 {
			if err := d.Ack(true); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func (b broker) channel(t testing.TB) *amqp.Channel {
	t.Helper()
	ch, err := b.dial(t).Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(b.prefix+"orders", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	return ch
}

// fill puts in as many messages as the benchmark counts.
func fill(b *testing.B, q queue.Queue) {
	b.Helper()
	for left := b.N; left > 0; left -= 1000 {
		messages := make([]queue.Message, min(left, 1000))
		for i := range messages {
			messages[i].Body = body
		}
		if err := q.Publish(b.Context(), "orders", messages...); err != nil {
			b.Fatal(err)
		}
	}
}
