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
	"time"

	"github.com/cenkalti/backoff/v5"
)

type importCommand struct {
	Config `embed:""`
	Server string `env:"EMPORIUM_SERVER" placeholder:"URL" help:"The server to import into. Without it, the one that runs on the data folder, or the data folder itself."`
	Bearer string `name:"bearer" env:"EMPORIUM_BEARER" placeholder:"TOKEN" help:"A token to send along."`
	What   string `arg:"" enum:"movies,coupons,products,users,purchases" help:"What the rows are: movies, coupons, products, users or purchases."`
	File   string `arg:"" help:"A JSON file: an array of objects, an object around one, or JSON Lines; - reads the standard input."`
}

// Run imports a file: each row is the same as a POST of it. What is wrong is
// reported by line, and the rest goes in.
func (c *importCommand) Run(ctx context.Context, t Terminal) (err error) {
	in, size, err := openInput(c.File, t.In)
	if err != nil {
		return err
	}
	defer in.Close()
	kind := goodsByName[c.What]
	shop, err := reach(ctx, &c.Config, c.Server, c.Bearer, kind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.Close()) }()
	good, bad, err := importRows(ctx, shop, kind, newRows(in, kind.assigned), newProgress(t.Err, c.What, size, time.Now), t.Err)
	fmt.Fprintf(t.Out, "%d %s imported into %s", good, c.What, shop)
	if bad > 0 {
		fmt.Fprintf(t.Out, ", %d refused", bad)
	}
	fmt.Fprintln(t.Out)
	if err != nil {
		return err
	}
	if bad > 0 {
		return exitError(1)
	}
	return nil
}

// importRows posts one row after the other, so that they keep their order.
func importRows(ctx context.Context, shop *shop, kind goods, rows *rows, bar *progress, report io.Writer) (good, bad int, err error) {
	run := rand.Text() // a repeat after a lost answer must not store a row twice
	defer bar.clear()
	var broken brokenRowError
	for {
		row, line, err := rows.next()
		switch {
		case errors.Is(err, io.EOF):
			return good, bad, nil
		case errors.As(err, &broken):
			bad++
			bar.clear()
			fmt.Fprintf(report, "line %d: %s\n", line, broken)
			continue
		case err != nil:
			return good, bad, fmt.Errorf("line %d: %w; what stands before it is imported", line, err)
		}
		refusal, err := post(ctx, shop, kind.path, row, run+"-"+strconv.Itoa(good+bad))
		if err != nil {
			return good, bad, fmt.Errorf("line %d: %w; what stands before it is imported", line, err)
		}
		if refusal == "" {
			good++
		} else {
			bad++
			bar.clear()
			fmt.Fprintf(report, "line %d: %s\n", line, refusal)
		}
		bar.show(rows.lines.read, good+bad)
	}
}

// patience is how long a server may be away in the middle of an import.
const patience = 30 * time.Second

// post sends one row until it is answered. It gives the refusal, or "".
func post(ctx context.Context, shop *shop, path string, row []byte, key string) (refusal string, err error) {
	return backoff.Retry(ctx, func() (string, error) {
		status, answer, err := shop.do(ctx, http.MethodPost, path, row, key)
		switch {
		case err != nil:
			return "", err
		case status < 300:
			return "", nil
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			return "", backoff.Permanent(errors.New(detail(answer, status) + " (send a token with --bearer)"))
		case status == http.StatusTooManyRequests || status >= 500:
			return "", errors.New(detail(answer, status))
		}
		return detail(answer, status), nil
	}, backoff.WithMaxElapsedTime(patience))
}

// detail is what a problem says.
func detail(answer []byte, status int) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(answer, &problem) != nil || problem.Detail == "" {
		return http.StatusText(status)
	}
	return problem.Detail
}

func openInput(name string, stdin io.Reader) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
