package property

import "emporium/internal/market"

// TypeID is the number of a type.
type TypeID int64

// Type is a kind of property, such as a house.
type Type struct {
	ID          TypeID
	Name        string
	Description string
	Version     int64
}

// maxTypeID leaves room above a chosen id for more than will ever be given, and
// keeps ids where a client that reads numbers as float64 still tells them apart.
const maxTypeID = 1 << 52

// TypeChange is what a caller asks a type to become, or to be from the start. A
// field that is not set stays.
type TypeChange struct {
	ID          market.Opt[int64] // chosen for a new one, or else the next; read-only later
	Name        market.Opt[string]
	Description market.Opt[string]
}

// start gives a new type, whose ID is 0 when none was chosen.
func (c TypeChange) start() (Type, error) {
	var t Type
	var faults market.Faults
	if c.ID.Set {
		t.ID = TypeID(c.ID.Value)
		if t.ID < 1 || t.ID > maxTypeID {
			faults.Add("body.typeId", c.ID.Value, "typeId must be from 1 to %d", int64(maxTypeID))
		}
	}
	t = c.texts(t, &faults)
	return t, faults.Err("invalid_type")
}

// apply gives the type as it would be, or every fault of the change.
func (c TypeChange) apply(t Type) (Type, error) {
	var faults market.Faults
	if c.ID.Set && c.ID.Value != int64(t.ID) {
		faults.Add("body.typeId", c.ID.Value, "typeId is read-only; it is %d", t.ID)
	}
	t = c.texts(t, &faults)
	return t, faults.Err("invalid_type")
}

func (c TypeChange) texts(t Type, faults *market.Faults) Type {
	setText(faults, "name", &t.Name, c.Name)
	setText(faults, "description", &t.Description, c.Description)
	return t
}
