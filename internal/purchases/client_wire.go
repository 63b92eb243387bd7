package purchases

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
)

// What a data API sends, in the forms in which servers write it.

type wireProduct struct {
	ID    wireInt `json:"id"`
	Face  string  `json:"face"`
	Size  wireInt `json:"size"`
	Price wireInt `json:"price"`
}

type wirePurchase struct {
	ID        wireInt  `json:"id"`
	ProductID wireInt  `json:"product_id"`
	Username  string   `json:"username"`
	Date      wireTime `json:"date"`
}

// wireInt is a whole number written as 27, 27.0, 2.7e1 or "27"; null is 0.
type wireInt int64

// UnmarshalJSON refuses what is not a whole number of 64 bits.
func (n *wireInt) UnmarshalJSON(b []byte) error {
	text := string(b)
	switch {
	case text == "null":
		*n = 0
		return nil
	case len(b) > 0 && b[0] == '"':
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	whole, err := market.ParseInteger(text)
	if err != nil {
		return fmt.Errorf("%.40s %w", b, err)
	}
	*n = wireInt(whole)
	return nil
}

// wireTime is an RFC 3339 time. Whatever else it is, is no time: nothing that we
// answer depends on it, as purchases are taken in the order in which they come.
type wireTime market.Time

// UnmarshalJSON never fails.
func (t *wireTime) UnmarshalJSON(b []byte) error {
	*t = wireTime{}
	if text, ok := bytes.CutPrefix(b, []byte(`"`)); ok {
		_ = (*market.Time)(t).UnmarshalText(bytes.TrimSuffix(text, []byte(`"`)))
	}
	return nil
}
