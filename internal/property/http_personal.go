package property

import (
	"context"
	"iter"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

var _ market.PersonalData = (*Service)(nil)

// PersonalData walks the properties of an owner, and then their rooms.
func (s *Service) PersonalData(ctx context.Context, about market.UserID) iter.Seq2[market.PersonalRecord, error] {
	properties := market.Chunks(market.Page{}, func(p Property) int64 { return int64(p.ID) }, func(after int64, limit int) ([]Property, error) {
		return s.store.selectPropertiesOf(ctx, about, after, limit)
	})
	rooms := func(yield func(Room, error) bool) {
		for p, err := range properties {
			if err != nil {
				yield(Room{}, err)
				return
			}
			for room, err := range s.roomsOf(ctx, p.ID, market.Page{}) {
				if !yield(room, err) {
					return
				}
			}
		}
	}
	return market.PersonalRecords(ctx, about, "property", market.Personal("property", properties, show), market.Personal("room", rooms, showRoom))
}

func personalRoutes(g *httpapi.Group, s *Service) {
	httpapi.RegisterPersonal(g, s,
		market.PersonalRecord{Service: "property", Kind: "property", Data: example},
		market.PersonalRecord{Service: "property", Kind: "room", Data: exampleRoom})
}
