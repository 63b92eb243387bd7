package purchases

import (
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

func (s *store) insertCustomer(tx *database.Tx, c market.Customer) (market.Customer, error) {
	added, err := scanCustomer(tx.QueryRow(s.insertedCustomer, c.Username, c.Email))
	if database.IsUnique(err) {
		return added, market.Refuse(market.Conflict, "user_exists", "there is a user '%s' already", c.Username)
	}
	return added, err
}

func (s *store) insertProduct(tx *database.Tx, p market.Product) (market.Product, error) {
	if err := s.number(tx, "product", &p.ID); err != nil {
		return p, err
	}
	added, err := scanProduct(tx.QueryRow(s.insertedProduct, p.ID, p.Face, p.Size, p.Price))
	if database.IsUnique(err) {
		return added, market.Refuse(market.Conflict, "product_exists", "there is a product %d already", p.ID)
	}
	return added, err
}

func (s *store) insertPurchase(tx *database.Tx, p market.Purchase) (market.Purchase, error) {
	if err := s.number(tx, "purchase", &p.ID); err != nil {
		return p, err
	}
	added, err := scanPurchase(tx.QueryRow(s.insertedPurchase, p.ID, p.ProductID, p.Username, p.Date))
	switch {
	case errors.Is(err, database.ErrNoRows):
		return added, s.unknown(tx, p)
	case database.IsUnique(err):
		return added, market.Refuse(market.Conflict, "purchase_exists", "there is a purchase %d already", p.ID)
	}
	return added, err
}

// unknown says which of the things that a purchase names are not there.
func (s *store) unknown(tx *database.Tx, p market.Purchase) error {
	var product, customer bool
	if err := tx.QueryRow(s.hasProduct, p.ProductID).Scan(&product); err != nil {
		return err
	}
	if err := tx.QueryRow(s.hasCustomer, p.Username).Scan(&customer); err != nil {
		return err
	}
	var faults market.Faults
	code := "unknown_user"
	if !product {
		code = "unknown_product"
		faults.Add("body.product_id", p.ProductID, "there is no product %d", p.ProductID)
	}
	if !customer {
		faults.Add("body.username", p.Username, "there is no user '%s'", p.Username)
	}
	return faults.Err(code)
}

// number gives the next id of a noun, or sees to it that a chosen one is never
// given again.
func (s *store) number(tx *database.Tx, noun string, id *int64) error {
	if *id == 0 {
		return tx.QueryRow(s.next, noun).Scan(id)
	}
	_, err := tx.Exec(s.atLeast, noun, *id)
	return err
}
