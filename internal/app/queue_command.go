package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"emporium/internal/billing"
	"emporium/internal/market"
	"emporium/internal/platform/queue"
)

// faults are what is wrong with the settings.
func (f QueueFlags) faults() (faults []error) {
	if u, err := url.Parse(string(f.URL)); f.URL != "" && (err != nil || u.Host == "" || u.Scheme != "amqp" && u.Scheme != "amqps") {
		faults = append(faults, errors.New("--queue-url (EMPORIUM_QUEUE_URL): is not a URL such as amqp://user:password@127.0.0.1:5672/"))
	}
	if f.Quorum && f.URL == "" {
		faults = append(faults, errors.New("--queue-quorum (EMPORIUM_QUEUE_QUORUM): needs RabbitMQ; name it with --queue-url (EMPORIUM_QUEUE_URL)"))
	}
	return faults
}

// open opens the engine that the settings name: RabbitMQ, which need not be
// there yet, or a file.
func (f QueueFlags) open(ctx context.Context, file string, now func() time.Time, log *slog.Logger) (queue.Queue, error) {
	if f.URL == "" {
		return queue.OpenSQLite(ctx, queue.SQLiteOptions{Path: file, Now: now, Log: log})
	}
	return queue.OpenRabbitMQ(ctx, queue.RabbitMQOptions{URL: string(f.URL), Quorum: f.Quorum, Now: now, Log: log})
}

// QueuePlace are the settings that say where the queue is.
type QueuePlace struct {
	Data  string     `default:"./data" env:"EMPORIUM_DATA" placeholder:"FOLDER" help:"Where the data is kept."`
	Queue QueueFlags `embed:"" prefix:"queue-" envprefix:"EMPORIUM_QUEUE_"`
}

// Validate reports everything that is wrong with the settings together.
func (p *QueuePlace) Validate() error { return errors.Join(p.Queue.faults()...) }

type queueCommand struct {
	Status  queueStatusCommand  `cmd:"" help:"Count what waits in each queue, and its dead letters."`
	List    queueListCommand    `cmd:"" help:"Show the dead letters of a queue, oldest first."`
	Requeue queueRequeueCommand `cmd:"" help:"Put dead letters back into their queue, as if they had never been tried."`
	Drop    queueDropCommand    `cmd:"" help:"Throw dead letters away."`
}

// visit opens the queue beside whatever server runs on it.
func (p *QueuePlace) visit(ctx context.Context, t Terminal, do func(queue.Queue) error) error {
	log := slog.New(slog.NewTextHandler(t.Err, &slog.HandlerOptions{Level: slog.LevelError}))
	q, err := p.Queue.open(ctx, filepath.Join(p.Data, "queue.db"), time.Now, log)
	if err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	err = do(q)
	var refusal *market.Error
	if errors.As(err, &refusal) && refusal.Cause != nil {
		err = fmt.Errorf("%w: %w", err, refusal.Cause) // there is no log to look into
	}
	return errors.Join(err, q.Close())
}

type queueStatusCommand struct {
	QueuePlace `embed:""`
	Queues     []string `arg:"" optional:"" name:"queue" help:"Which queues; all that Emporium uses when none is named."`
}

// Run prints a table of queues.
func (c *queueStatusCommand) Run(ctx context.Context, t Terminal) error {
	names := append([]queue.Name{billing.QueueName}, listeners.Queues()...)
	if len(c.Queues) > 0 {
		names = nil
		for _, name := range c.Queues {
			names = append(names, queue.Name(name))
		}
	}
	return c.visit(ctx, t, func(q queue.Queue) error {
		table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "queue\twaiting\toldest\tdead letters")
		for _, name := range names {
			stats, err := q.Stats(ctx, name)
			if err != nil {
				return err
			}
			oldest, err := oldestIn(ctx, q, name, stats)
			if err != nil {
				return err
			}
			fmt.Fprintf(table, "%s\t%d\t%s\t%d\n", name, stats.Depth, oldest, stats.Dead)
		}
		return table.Flush()
	})
}

// oldestIn says how long the oldest message waits. Where the engine does not
// know, the message itself may; one that others sent need not.
func oldestIn(ctx context.Context, q queue.Queue, name queue.Name, stats queue.Stats) (string, error) {
	if stats.Depth == 0 {
		return "", nil
	}
	age := stats.Oldest
	if age == 0 {
		err := q.Review(ctx, name, func(d *queue.Delivery) queue.Fate {
			if !d.PublishedAt.IsZero() {
				age = time.Since(d.PublishedAt)
			}
			return queue.Leave
		})
		if err != nil || age == 0 {
			return "unknown", err
		}
	}
	return max(age, 0).Round(time.Second).String(), nil
}

// Letters says which dead letters a command is about.
type Letters struct {
	Of     string   `arg:"" name:"queue" optional:"" default:"billing_queue" help:"The queue whose dead letters; billing_queue when none is named."`
	ID     []string `name:"id" placeholder:"ID" help:"Only the message with this id; may be given more than once."`
	Reason string   `placeholder:"TEXT" help:"Only those whose reason or first error contains this, whatever its case."`
}

// dead is where the letters are.
func (l *Letters) dead() queue.Name {
	name := queue.Name(l.Of)
	if _, dead := name.Origin(); dead {
		return name
	}
	return name.Dead()
}

func (l *Letters) chosen(d *queue.Delivery) bool {
	if len(l.ID) > 0 && !slices.Contains(l.ID, d.ID) {
		return false
	}
	reasons := strings.ToLower(d.Headers[queue.HeaderReason] + "\n" + d.Headers[queue.HeaderFirstError])
	return strings.Contains(reasons, strings.ToLower(l.Reason))
}

type queueListCommand struct {
	QueuePlace `embed:""`
	Letters    `embed:""`
	Limit      int `default:"20" placeholder:"N" help:"How many to show, 20 when not given; 0 shows all."`
}

// Run prints dead letters.
func (c *queueListCommand) Run(ctx context.Context, t Terminal) error {
	return c.visit(ctx, t, func(q queue.Queue) error {
		shown, more := 0, false
		err := q.Review(ctx, c.dead(), func(d *queue.Delivery) queue.Fate {
			switch {
			case !c.chosen(d):
			case c.Limit > 0 && shown == c.Limit:
				more = true
				return queue.Leave
			default:
				shown++
				printLetter(t.Out, d)
			}
			return queue.Keep
		})
		switch {
		case err != nil:
			return err
		case more:
			fmt.Fprintln(t.Out, "There are more; --limit shows them.")
		case shown == 0:
			fmt.Fprintf(t.Out, "There are no such letters in %s.\n", c.dead())
		}
		return nil
	})
}

// printLetter shows what a person needs to decide.
func printLetter(out io.Writer, d *queue.Delivery) {
	id := "without an id"
	if d.ID != "" {
		id = fmt.Sprintf("%q", d.ID)
	}
	fmt.Fprintf(out, "message %s, given up at %s, tried %s times\n", id, d.Headers[queue.HeaderDiedAt], d.Headers[queue.HeaderTries])
	reason, first := d.Headers[queue.HeaderReason], d.Headers[queue.HeaderFirstError]
	fmt.Fprintf(out, "  reason  %s\n", oneLine(reason, 300))
	if first != reason {
		fmt.Fprintf(out, "  first   %s\n", oneLine(first, 300))
	}
	fmt.Fprintf(out, "  body    %s\n", oneLine(string(d.Body), 300))
}

// oneLine keeps what others wrote from taking over the terminal.
func oneLine(text string, most int) string {
	text, _, more := strings.Cut(text, "\n")
	if runes := []rune(text); len(runes) > most {
		text, more = string(runes[:most]), true
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, text)
	if more {
		text += " …"
	}
	return text
}

// Choice is which dead letters to change, which has to be said.
type Choice struct {
	Letters `embed:""`
	All     bool `help:"All of them."`
}

// Validate keeps a forgotten flag from meaning everything.
func (c *Choice) Validate() error {
	if chosen := len(c.ID) > 0 || c.Reason != ""; chosen == c.All {
		return errors.New("say which dead letters: --id, --reason, or --all")
	}
	return nil
}

type queueRequeueCommand struct {
	QueuePlace `embed:""`
	Choice     `embed:""`
}

// Run puts dead letters back.
func (c *queueRequeueCommand) Run(ctx context.Context, t Terminal) error {
	return c.settle(ctx, &c.QueuePlace, t, queue.Requeue, "put back into their queue")
}

type queueDropCommand struct {
	QueuePlace `embed:""`
	Choice     `embed:""`
}

// Run throws dead letters away.
func (c *queueDropCommand) Run(ctx context.Context, t Terminal) error {
	return c.settle(ctx, &c.QueuePlace, t, queue.Drop, "dropped")
}

func (c *Choice) settle(ctx context.Context, place *QueuePlace, t Terminal, fate queue.Fate, done string) error {
	return place.visit(ctx, t, func(q queue.Queue) error {
		n := 0
		err := q.Review(ctx, c.dead(), func(d *queue.Delivery) queue.Fate {
			if !c.chosen(d) {
				return queue.Keep
			}
			n++
			return fate
		})
		fmt.Fprintf(t.Out, "%d dead letters of %s %s\n", n, c.Of, done)
		return err
	})
}
