package market_test

import (
	"encoding/json"
	"testing"
	"time"

	"emporium/internal/market"
)

// However a time is written, it has exactly three decimals, and comes back.
func TestTimeIsWrittenWithThreeDecimals(t *testing.T) {
	for instant, want := range map[time.Time]string{
		time.Date(2016, 8, 5, 8, 40, 51, 620e6, time.UTC):                           "2016-08-05T08:40:51.620Z",
		time.Date(2016, 8, 5, 8, 40, 51, 0, time.UTC):                               "2016-08-05T08:40:51.000Z",
		time.Date(2016, 8, 5, 10, 40, 51, 999_999_999, time.FixedZone("", 2*60*60)): "2016-08-05T08:40:51.999Z",
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC):                                    "0001-01-01T00:00:00.000Z",
	} {
		at := market.At(instant)
		asText, _ := at.MarshalText()
		stored, _ := at.Value()
		asJSON, err := json.Marshal(map[string]any{"at": at, "p": &at})
		if at.String() != want || string(asText) != want || stored != want || string(asJSON) != `{"at":"`+want+`","p":"`+want+`"}` || err != nil {
			t.Errorf("%s, %s, %v, %s, %v; want %s", at, asText, stored, asJSON, err, want)
		}
		var back struct{ At, P market.Time }
		if err := json.Unmarshal(asJSON, &back); err != nil || back.At != at || back.P != at {
			t.Errorf("%s came back as %v, %v", asJSON, back, err)
		}
	}
	var at market.Time
	for _, wrong := range []string{`5`, `"yesterday"`, `{}`, `""`, `"2016-08-05"`} {
		if json.Unmarshal([]byte(wrong), &at) == nil {
			t.Errorf("%s was read as a time", wrong)
		}
	}
	if err := json.Unmarshal([]byte(`null`), &at); err != nil || !at.IsZero() {
		t.Errorf("null: %v, %v", at, err)
	}
}
