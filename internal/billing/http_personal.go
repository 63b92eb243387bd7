package billing

import (
	"context"
	"iter"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

var _ market.PersonalData = (*Service)(nil)

// PersonalData walks the orders that bear an account's number. In open mode that
// is what somebody wrote there.
func (s *Service) PersonalData(ctx context.Context, about market.UserID) iter.Seq2[market.PersonalRecord, error] {
	own := strconv.FormatInt(int64(about), 10)
	orders := market.Chunks(market.Page{}, func(o Order) int64 { return o.ID }, func(after int64, limit int) ([]Order, error) {
		return s.store.selectOrders(ctx, own, after, limit)
	})
	return market.PersonalRecords(ctx, about, "billing", market.Personal("order", orders, show))
}

func personalRoutes(g *httpapi.Group, s *Service) {
	httpapi.RegisterPersonal(g, s, market.PersonalRecord{Service: "billing", Kind: "order", Data: example})
}
