package property

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
)

// RoomID is the number of a room.
type RoomID int64

// Room is a part of a property.
type Room struct {
	ID              RoomID
	Property        ID
	Name            string
	Description     string
	Characteristics Characteristics // empty when none was set
	Version         int64
}

// Value is what a characteristic is: the JSON of a number or a string.
type Value string

// Characteristics say of a room what its owner finds worth saying, under keys of
// the owner's own.
type Characteristics map[string]Value

// Bounds of a room's characteristics.
const (
	maxKeys   = 50
	maxKey    = 64 // characters
	maxNumber = 64 // characters of a number: far more than any measure has
)

// RoomChange is what a caller asks a room to become, or to be from the start. A
// field that is not set stays.
type RoomChange struct {
	ID              market.Opt[int64] // read-only: may only repeat what is stored
	Property        market.Opt[int64] // likewise: a room stays where it is
	Name            market.Opt[string]
	Description     market.Opt[string]
	Characteristics market.Opt[Characteristics] // replaces them all; empty ones remove them
}

// apply gives the room as it would be, or every fault of the change.
func (c RoomChange) apply(r Room) (Room, error) {
	var faults market.Faults
	if c.ID.Set && c.ID.Value != int64(r.ID) {
		faults.Add("body.roomId", c.ID.Value, "roomId is read-only; it is %d", r.ID)
	}
	if c.Property.Set && c.Property.Value != int64(r.Property) {
		faults.Add("body.propertyId", c.Property.Value, "propertyId is read-only; it is %d", r.Property)
	}
	setText(&faults, "name", &r.Name, c.Name)
	setText(&faults, "description", &r.Description, c.Description)
	if c.Characteristics.Set {
		r.Characteristics = c.Characteristics.Value
		r.Characteristics.check(&faults)
	}
	return r, faults.Err("invalid_room")
}

func (c Characteristics) check(faults *market.Faults) {
	const at = "body.characteristics"
	if len(c) > maxKeys {
		faults.Add(at, nil, "characteristics may have at most %d keys; they have %d", maxKeys, len(c))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(c)) {
		if n := utf8.RuneCountInString(key); n == 0 || n > maxKey {
			faults.Add(at, nil, "keys of characteristics have 1 to %d characters; one has %d", maxKey, n)
			continue
		}
		if why := c[key].wrong(); why != "" {
			faults.Add(at+"."+key, nil, "characteristics.%s %s", key, why)
		}
	}
}

// wrong says why a value cannot be kept, or nothing.
func (v Value) wrong() string {
	if v == "" || v[0] != '"' {
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil || math.IsInf(f, 0) || len(v) > maxNumber {
			return "is too large, or has too many digits"
		}
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, string(v))
	if n := utf8.RuneCount(text); err != nil || n > maxText {
		return fmt.Sprintf("may have at most %d characters; it has %d", maxText, n)
	}
	return ""
}

// encode writes the characteristics as they are stored: compact JSON, by key.
func (c Characteristics) encode() (string, error) {
	raw := make(map[string]jsontext.Value, len(c))
	for key, value := range c {
		raw[key] = jsontext.Value(value)
	}
	text, err := json.Marshal(raw, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("write the characteristics of a room: %w", err)
	}
	return string(text), nil
}

// decodeCharacteristics reads what encode wrote.
func decodeCharacteristics(text string) (Characteristics, error) {
	var raw map[string]jsontext.Value
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("read the characteristics of a room: %w", err)
	}
	c := make(Characteristics, len(raw))
	for key, value := range raw {
		c[key] = Value(value)
	}
	return c, nil
}
