package popular

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"emporium/internal/market"
	"emporium/internal/platform/cache"
)

// Options are what the service needs. Purchases and Cache must be given.
type Options struct {
	Purchases market.Purchases // the data API: the service of this process, or a client
	Cache     cache.Cache      // under the keys of market, which the purchases service drops
	Life      cache.Life       // of what is cached; a zero field is as in DefaultLife, a negative one is none
	Answers   int              // bytes of finished answers to keep; 0: 16 MiB
}

// Service answers what was bought lately.
type Service struct {
	data      market.Purchases
	customers *cache.Shelf[market.Customer]
	latest    *cache.Shelf[latest]
	products  *cache.Shelf[market.Product]
	buyers    *cache.Shelf[buyers]
	answers   *cache.Memo[[]byte]
}

// DefaultLife is how long what the data API answers is kept when nothing else is
// set: an hour, a day longer for when it fails.
var DefaultLife = cache.Life{Fresh: time.Hour, Stale: 24 * time.Hour, Unknown: 30 * time.Second, Timeout: 30 * time.Second}

// New makes the service. It asks nothing yet.
func New(o Options) (*Service, error) {
	if o.Purchases == nil || o.Cache == nil {
		return nil, errors.New("recent purchases need a data API and a cache")
	}
	for _, f := range []struct{ set, otherwise *time.Duration }{
		{&o.Life.Fresh, &DefaultLife.Fresh},
		{&o.Life.Stale, &DefaultLife.Stale},
		{&o.Life.Unknown, &DefaultLife.Unknown},
		{&o.Life.Timeout, &DefaultLife.Timeout},
	} {
		if *f.set == 0 {
			*f.set = *f.otherwise
		}
	}
	if o.Answers <= 0 {
		o.Answers = 16 << 20
	}
	return &Service{
		data:      o.Purchases,
		customers: cache.NewShelf(o.Cache, o.Life, func(c *market.Customer) int { return 32 + len(c.Username) + len(c.Email) }),
		latest:    cache.NewShelf(o.Cache, o.Life, func(l *latest) int { return 24 + 8*len(l.Products) }),
		products:  cache.NewShelf(o.Cache, o.Life, func(p *market.Product) int { return 40 + len(p.Face) }),
		buyers: cache.NewShelf(o.Cache, o.Life, func(b *buyers) int {
			bytes := 32
			for _, name := range b.Names {
				bytes += 16 + len(name)
			}
			return bytes
		}),
		answers: cache.NewMemo[[]byte](o.Cache, o.Answers),
	}, nil
}

// Answer gives what [Service.RecentPurchases] gives as JSON, which must not be
// changed. It is kept until one of the dozen cached values that it was made of
// is dropped or expires.
func (s *Service) Answer(ctx context.Context, username string) ([]byte, error) {
	if answer, ok := s.answers.Get(ctx, username); ok {
		return answer, nil
	}
	all, parts, err := s.gather(ctx, username)
	if err != nil {
		return nil, err
	}
	// One that lacks a product is not kept: nothing would tell when it comes.
	complete := !slices.ContainsFunc(all, func(b bought) bool { return b.product == nil })
	answer, err := encode(ranked(all))
	if err != nil {
		return nil, fmt.Errorf("encode the recent purchases of %q: %w", username, err)
	}
	if complete {
		s.answers.Put(ctx, username, answer, len(answer), parts)
	}
	return answer, nil
}

// RecentPurchases gives the products of the user's five latest purchases with
// everyone who bought them, the most bought first. It refuses an unknown user as
// NotFound, and as Unavailable when the data API fails and something that is
// needed is not cached.
func (s *Service) RecentPurchases(ctx context.Context, username string) ([]Product, error) {
	all, _, err := s.gather(ctx, username)
	if err != nil {
		return nil, err
	}
	return ranked(all), nil
}

// gather asks for everything at the same time: the user beside his purchases,
// and for each product its record beside its buyers. It gives the products in
// the order of the purchases, and the cached values that they were made of.
func (s *Service) gather(ctx context.Context, username string) ([]bought, []cache.Part, error) {
	if username == "" || !utf8.ValidString(username) {
		return nil, nil, unknownUser(username)
	}
	var (
		group    errgroup.Group // without a context: who fails first does not decide what is answered
		customer *market.Customer
		unknown  error
		all      []bought
		made     []cache.Part
	)
	group.Go(func() (err error) {
		customer, err = s.customer(ctx, username)
		unknown = err
		return err
	})
	group.Go(func() (err error) {
		all, made, err = s.bought(ctx, username)
		return err
	})
	err := group.Wait()
	switch {
	case market.KindOf(unknown) == market.NotFound:
		return nil, nil, unknown
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case err != nil:
		var refusal *market.Error
		if errors.As(err, &refusal) && refusal.Cause != nil {
			err = fmt.Errorf("%w: %w", err, refusal.Cause) // the log shows only the text
		}
		return nil, nil, &market.Error{
			Kind: market.Unavailable, Code: "data_api_unavailable", Cause: err,
			Detail: "the purchases data does not answer, and what is needed is not cached: try again shortly",
		}
	}
	return all, append(made, cache.Part{Key: market.CustomerKey(username), Value: customer}), nil
}

// bought gives the products of the user's latest purchases in their order.
func (s *Service) bought(ctx context.Context, username string) ([]bought, []cache.Part, error) {
	last, err := s.latestOf(ctx, username)
	if err != nil {
		return nil, nil, err
	}
	all := make([]bought, len(last.Products))
	var group errgroup.Group
	group.SetLimit(64) // five products need ten; only a server that gives more than was asked for comes near
	for i, id := range last.Products {
		group.Go(func() (err error) {
			all[i].product, err = s.product(ctx, id)
			if market.KindOf(err) == market.NotFound {
				return nil
			}
			return err
		})
		group.Go(func() (err error) {
			all[i].buyers, err = s.buyersOf(ctx, id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	made := append(make([]cache.Part, 0, 2*len(all)+2), cache.Part{Key: market.PurchasesOfKey(username), Value: last})
	for i, id := range last.Products {
		made = append(made, cache.Part{Key: market.ProductKey(id), Value: all[i].product}, cache.Part{Key: market.BuyersOfKey(id), Value: all[i].buyers})
	}
	return all, made, nil
}
