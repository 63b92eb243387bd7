package market

import (
	"context"
	"iter"
)

// PersonalRecord is one thing that a service keeps about a person.
type PersonalRecord struct {
	Service string `json:"service" doc:"Who keeps it." example:"billing"`
	Kind    string `json:"kind" doc:"What it is: account, property, room, bidder, bid, order, …" example:"order"`
	Data    any    `json:"data" doc:"The thing itself, with the fields that the service shows it with."`
}

// PersonalPart is the things of one kind.
type PersonalPart struct {
	kind string
	walk iter.Seq2[any, error]
}

// Personal makes a part of a walk, whose rows are told as show gives them.
func Personal[T, B any](kind string, rows iter.Seq2[T, error], show func(T) B) PersonalPart {
	return PersonalPart{kind, func(yield func(any, error) bool) {
		for row, err := range rows {
			if !yield(show(row), err) {
				return
			}
		}
	}}
}

// PersonalRecords walks what a service keeps about an account, a part after the
// other, for whom it is about and, in protected mode, for staff.
func PersonalRecords(ctx context.Context, about UserID, service string, parts ...PersonalPart) iter.Seq2[PersonalRecord, error] {
	return func(yield func(PersonalRecord, error) bool) {
		if !IdentityOf(ctx).MayChange(about) {
			yield(PersonalRecord{}, Refuse(Denied, "not_oneself", "this is about somebody else"))
			return
		}
		for _, part := range parts {
			for data, err := range part.walk {
				if err != nil {
					yield(PersonalRecord{}, err)
					return
				}
				if !yield(PersonalRecord{Service: service, Kind: part.kind, Data: data}, nil) {
					return
				}
			}
		}
	}
}
