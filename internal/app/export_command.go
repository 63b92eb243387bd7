package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type exportCommand struct {
	Config `embed:""`
	Server string `env:"EMPORIUM_SERVER" placeholder:"URL" help:"The server to export from. Without it, the one that runs on the data folder, or the data folder itself."`
	Bearer string `name:"bearer" env:"EMPORIUM_BEARER" placeholder:"TOKEN" help:"A token to send along."`
	What   string `arg:"" enum:"movies,coupons,products,users,purchases" help:"What to export: movies, coupons, products, users or purchases."`
	File   string `arg:"" optional:"" default:"-" help:"The file to write; - is the standard output."`
}

// Run writes everything of one kind as a JSON array that import reads again. A
// file is there whole, or not at all.
func (c *exportCommand) Run(ctx context.Context, t Terminal) (err error) {
	kind := goodsByName[c.What]
	shop, err := reach(ctx, &c.Config, c.Server, c.Bearer, kind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.Close()) }()
	if c.File == "-" {
		return exportTo(ctx, shop, c.What, t.Out)
	}
	temp, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	err = exportTo(ctx, shop, c.What, temp)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), c.File)
}

func exportTo(ctx context.Context, shop *shop, what string, to io.Writer) error {
	out := bufio.NewWriterSize(to, 64<<10)
	kind := goodsByName[what]
	var err error
	switch {
	case kind.envelope == "":
		err = copyWhole(ctx, shop, kind.path, out)
	case what == "purchases":
		err = exportPurchases(ctx, shop, out)
	default:
		w := &arrayWriter{to: out}
		err = errors.Join(eachRow(ctx, shop, kind.path, kind.envelope, w.add), w.end())
	}
	if err == nil {
		_, err = out.WriteString("\n")
	}
	return errors.Join(err, out.Flush())
}

func copyWhole(ctx context.Context, shop *shop, path string, out io.Writer) error {
	var refusal bytes.Buffer // not rows, so not for the file
	status, err := shop.stream(ctx, http.MethodGet, path, nil, "", func(status int) io.Writer {
		if status == http.StatusOK {
			return out
		}
		return &refusal
	})
	if err == nil && status != http.StatusOK {
		err = errors.New(detail(refusal.Bytes(), status))
	}
	return err
}

// exportPurchases goes through the users, since purchases are listed by user.
func exportPurchases(ctx context.Context, shop *shop, out io.Writer) error {
	w := &arrayWriter{to: out}
	err := eachRow(ctx, shop, "/api/users", "users", func(row json.RawMessage) error {
		var user struct {
			Username string `json:"username"`
		}
		if err := json.Unmarshal(row, &user); err != nil {
			return err
		}
		return eachRow(ctx, shop, "/api/purchases/by_user/"+segment(user.Username), "purchases", w.add)
	})
	return errors.Join(err, w.end())
}

// segment writes a name as one segment of a path. Dots are escaped too: a name
// of nothing else would be resolved as a path.
func segment(name string) string {
	return strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
}

// eachRow reads a list of the data API page by page.
func eachRow(ctx context.Context, shop *shop, path, envelope string, do func(json.RawMessage) error) error {
	const page = 1000
	for skip := 0; ; skip += page {
		status, answer, err := shop.do(ctx, http.MethodGet, path+"?limit="+strconv.Itoa(page)+"&skip="+strconv.Itoa(skip), nil, "")
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return errors.New(detail(answer, status))
		}
		var lists map[string][]json.RawMessage
		if err := json.Unmarshal(answer, &lists); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		for _, row := range lists[envelope] {
			if err := do(row); err != nil {
				return err
			}
		}
		if len(lists[envelope]) < page {
			return nil
		}
	}
}

// arrayWriter writes rows as an array, a line each.
type arrayWriter struct {
	to   io.Writer
	rows int
}

func (w *arrayWriter) add(row json.RawMessage) error {
	lead := ",\n"
	if w.rows == 0 {
		lead = "[\n"
	}
	w.rows++
	_, err := w.to.Write(append([]byte(lead), row...))
	return err
}

func (w *arrayWriter) end() error {
	tail := "\n]"
	if w.rows == 0 {
		tail = "[]"
	}
	_, err := io.WriteString(w.to, tail)
	return err
}
