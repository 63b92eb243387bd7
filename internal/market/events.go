package market

// Event is something that has happened, told to whoever listens. Its name ends
// in its version; a change that old listeners cannot read gets a new name.
type Event interface {
	// EventName is the stable name: "account_deleted.v1".
	EventName() string
}

// AccountDeleted says that an account is gone. Its properties and rooms go with
// it; its bids stay, under a name that says nothing; so do its orders, under no
// account's number.
type AccountDeleted struct {
	User UserID `json:"user_id"`
	At   Time   `json:"at"`
}

// EventName is "account_deleted.v1".
func (AccountDeleted) EventName() string { return "account_deleted.v1" }
