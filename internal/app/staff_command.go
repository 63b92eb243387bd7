package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

type staffCommand struct {
	Add    staffAddCommand    `cmd:"" help:"Make somebody staff: the account of a mail, or a new one."`
	List   staffListCommand   `cmd:"" help:"List the staff."`
	Log    staffLogCommand    `cmd:"" help:"Show what staff changed, in all services, oldest first."`
	Remove staffRemoveCommand `cmd:"" help:"Take the role from a staff member, who keeps the account."`
}

// StaffPlace says where the accounts are.
type StaffPlace struct {
	Data      string        `default:"./data" env:"EMPORIUM_DATA" placeholder:"FOLDER" help:"Where the data is kept."`
	Secret    Secret        `env:"EMPORIUM_SECRET" placeholder:"TEXT" help:"The secret of the deployment; the one in the data folder when not given."`
	Databases DatabaseFlags `embed:"" envprefix:"EMPORIUM_"`
	Queue     QueueFlags    `embed:"" prefix:"queue-" envprefix:"EMPORIUM_QUEUE_"`
	Server    string        `env:"EMPORIUM_SERVER" placeholder:"URL" help:"The server to ask, with the same secret. Without it, the one that runs on the data folder, or the data itself."`
}

// Validate reports everything that is wrong with the settings together.
func (p *StaffPlace) Validate() error {
	return errors.Join(append(p.Databases.check(), p.Queue.faults()...)...)
}

// visit asks the accounts as a command of their deployment: over HTTP where a
// server runs, and else on their data.
func (p *StaffPlace) visit(ctx context.Context, do func(*shop) error) (err error) {
	if p.Server == "" {
		if _, err := os.Stat(p.Data); err != nil && !p.Databases.remote() {
			return fmt.Errorf("there is no data at %s: name the folder with --data, or start the server first", p.Data)
		}
	}
	c := &Config{Data: p.Data, Secret: p.Secret, Databases: p.Databases, Queue: p.Queue, Listen: []string{"127.0.0.1:0"}, CacheBytes: 1 << 20}
	c.Token.Life = Millis(time.Hour)
	s, err := reach(ctx, c, p.Server, "", goods{service: "accounts"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.app != nil {
		s.secret = s.app.secret
	} else if s.secret, err = (&App{config: c}).readSecret(); err != nil {
		return err
	}
	return do(s)
}

// call makes one call, and reads its answer into what is given.
func (s *shop) call(ctx context.Context, method, path string, body, into any) error {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	status, answer, err := s.do(ctx, method, path, sent, "")
	if err != nil {
		return fmt.Errorf("ask %s: %w", s, err)
	}
	if status >= http.StatusBadRequest {
		var problem struct{ Detail string }
		if json.Unmarshal(answer, &problem) != nil || problem.Detail == "" {
			problem.Detail = fmt.Sprintf("%s answers %d", s, status)
		}
		return errors.New(problem.Detail)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// member is a staff member as the accounts show one.
type member struct {
	ID        int64  `json:"userId"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Mail      string `json:"mail"`
}

func (m member) String() string {
	return fmt.Sprintf("%s (account %d, %s %s)", m.Mail, m.ID, m.FirstName, m.LastName)
}

type staffAddCommand struct {
	StaffPlace    `embed:""`
	Mail          string `arg:"" help:"The mail to sign in with."`
	FirstName     string `default:"Staff" placeholder:"NAME" help:"Of a new account."`
	LastName      string `default:"Member" placeholder:"NAME" help:"Of a new account."`
	PasswordStdin bool   `help:"Read the password of a new account from the standard input, rather than make one up and print it."`
}

// Help is shown by --help.
func (*staffAddCommand) Help() string {
	return `Works on the running server, and on the data when none runs.

Examples:
  emporium staff add ada@example.org                        a new account gets a password, printed once
  emporium staff add ada@example.org --data /srv/emporium   elsewhere than ./data
  emporium staff add ada@example.org --password-stdin < pw  with a password of your own`
}

// Run makes somebody staff.
func (c *staffAddCommand) Run(ctx context.Context, t Terminal) error {
	password := rand.Text()
	if c.PasswordStdin {
		text, err := io.ReadAll(io.LimitReader(t.In, 4<<10))
		if err != nil {
			return fmt.Errorf("read the password: %w", err)
		}
		if password = strings.TrimRight(string(text), "\r\n"); password == "" {
			return errors.New("--password-stdin: the standard input is empty")
		}
	}
	return c.visit(ctx, func(s *shop) error {
		var made struct {
			Account          member
			Created, Already bool
		}
		err := s.call(ctx, http.MethodPost, "/api/staff", map[string]string{
			"mail": c.Mail, "password": password, "firstName": c.FirstName, "lastName": c.LastName,
		}, &made)
		switch {
		case err != nil:
			return err
		case made.Created && c.PasswordStdin:
			fmt.Fprintf(t.Out, "made %s, who is staff\n", made.Account)
		case made.Created:
			fmt.Fprintf(t.Out, "made %s, who is staff\npassword: %s\nIt is not shown again.\n", made.Account, password)
		case made.Already:
			fmt.Fprintf(t.Out, "%s was staff already\n", made.Account)
		default:
			fmt.Fprintf(t.Out, "%s is staff now, with the password that the account had, after signing in again\n"+
				"Whoever signed up with this mail has the account: if you do not know who did, run 'emporium staff remove %s'.\n", made.Account, c.Mail)
		}
		return nil
	})
}

type staffListCommand struct {
	StaffPlace `embed:""`
}

// Run lists the staff.
func (c *staffListCommand) Run(ctx context.Context, t Terminal) error {
	return c.visit(ctx, func(s *shop) error {
		var all []member
		if err := s.call(ctx, http.MethodGet, "/api/staff", nil, &all); err != nil {
			return err
		}
		table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "account\tmail\tname")
		for _, m := range all {
			fmt.Fprintf(table, "%d\t%s\t%s %s\n", m.ID, m.Mail, m.FirstName, m.LastName)
		}
		return table.Flush()
	})
}

type staffRemoveCommand struct {
	StaffPlace `embed:""`
	Mail       string `arg:"" help:"The mail of the staff member."`
}

// Run takes the role from a staff member.
func (c *staffRemoveCommand) Run(ctx context.Context, t Terminal) error {
	return c.visit(ctx, func(s *shop) error {
		var all []member
		if err := s.call(ctx, http.MethodGet, "/api/staff", nil, &all); err != nil {
			return err
		}
		for _, m := range all {
			if !strings.EqualFold(m.Mail, c.Mail) {
				continue
			}
			if err := s.call(ctx, http.MethodDelete, "/api/staff/"+strconv.FormatInt(m.ID, 10), nil, &m); err != nil {
				return err
			}
			fmt.Fprintf(t.Out, "%s is no longer staff\n", m)
			return nil
		}
		return fmt.Errorf("%s is no staff member", c.Mail)
	})
}
