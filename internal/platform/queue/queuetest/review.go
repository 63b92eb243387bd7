package queuetest

import (
	"context"
	"errors"

	"emporium/internal/platform/queue"
)

// review looks at dead letters, beside a running consumer as a person would.
func review(b *bench) {
	messages := numbered(6)
	messages[4].Headers = map[string]string{"traceparent": "00-1-2-01"}
	b.publish(messages...)
	var got record
	healthy := make(chan struct{})
	stop := b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			select {
			case <-healthy:
				got.add(d)
			default:
				d.Reject(errors.New("the reason of " + d.ID))
			}
		}
		return nil
	})
	b.until("6 dead letters", func() bool { return b.stats().Dead == 6 })
	close(healthy)

	person := b.open()
	look := func(judge func(*queue.Delivery) queue.Fate) (seen []string) {
		b.Helper()
		err := person.Review(b.Context(), name.Dead(), func(d *queue.Delivery) queue.Fate {
			if d.Headers[queue.HeaderReason] != "the reason of "+d.ID || string(d.Body) != `{"n":`+d.ID+`}` || d.PublishedAt.IsZero() {
				b.Errorf("shown: %+v", d)
			}
			seen = append(seen, d.ID)
			return judge(d)
		})
		if err != nil {
			b.Error(err)
		}
		return seen
	}
	keep := func(*queue.Delivery) queue.Fate { return queue.Keep }
	for range 2 { // what is kept stays in its place
		b.until("all are shown in order", func() bool { return b.sameOrder(look(keep), ids(messages)) })
	}
	b.until("all are back", func() bool { return b.stats().Dead == 6 })
	look(func(d *queue.Delivery) queue.Fate {
		switch d.ID {
		case "1", "4":
			return queue.Requeue
		case "0", "5":
			return queue.Drop
		}
		return queue.Keep
	})
	b.until("two are left", func() bool { return b.sameOrder(look(keep), []string{"2", "3"}) })
	b.until("two were handled after all", func() bool { return b.sameOrder(got.all(), []string{"1", "4"}) })
	stop()
	b.empty()
}

// reviewEnds looks at a queue that nobody consumes, and puts back what it
// showed as it was.
func reviewEnds(b *bench) {
	none := func(*queue.Delivery) queue.Fate {
		b.Error("a queue that was never used has messages")
		return queue.Keep
	}
	if err := b.q.Review(b.Context(), "never used", none); err != nil {
		b.Error(err)
	}
	b.publish(numbered(500)...)
	var seen []string
	if err := b.q.Review(b.Context(), name, func(d *queue.Delivery) queue.Fate {
		if seen = append(seen, d.ID); len(seen) == 3 {
			return queue.Leave
		}
		return queue.Keep
	}); err != nil || len(seen) != 3 {
		b.Errorf("shown until told to leave: %v, %v", seen, err)
	}
	if err := b.q.Review(b.Context(), name, func(*queue.Delivery) queue.Fate { return queue.Requeue }); err == nil {
		b.Error("what is not dead was put back")
	}
	b.until("all are back", func() bool { return b.stats().Depth == 500 })
	dropped := 0
	if err := b.q.Review(b.Context(), name, func(d *queue.Delivery) queue.Fate {
		if len(d.ID) == 3 {
			dropped++
			return queue.Drop
		}
		return queue.Keep
	}); err != nil || dropped != 400 {
		b.Errorf("%d dropped, %v", dropped, err)
	}
	b.until("what was kept is back", func() bool { return b.stats().Depth == 100 })
	var got record
	o := options()
	o.Batch = 100
	b.handled(100, &got, b.consume(b.q, o, got.handle))
	if !b.sameOrder(got.all(), ids(numbered(100))) {
		b.Errorf("what was kept came as %v", got.all())
	}
}
