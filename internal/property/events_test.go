package property_test

import (
	"context"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/events"
	"emporium/internal/platform/queue"
	"emporium/internal/property"
)

// TestAccountDeleted tells the service over a real queue, twice, that an account
// is gone.
func TestAccountDeleted(t *testing.T) {
	db := dbtest.Open(t, "property", property.Migrations())
	service := must[*property.Service](t)(property.New(db))
	fill(t, service)
	elsewhere := dbtest.Open(t, "accounts", nil)
	q := must[*queue.SQLite](t)(queue.OpenSQLite(t.Context(), queue.SQLiteOptions{Path: t.TempDir() + "/queue.db", Now: time.Now}))
	t.Cleanup(func() { q.Close() })
	listener := must[*events.Listener](t)(events.NewListener(events.ListenerOptions{Service: "property", DB: db, Queue: q, Now: time.Now}))
	service.Listen(listener)
	outbox := must[*events.Outbox](t)(events.NewOutbox(elsewhere, time.Now))
	relay := events.NewRelay(events.RelayOptions{
		Service: "accounts", Outbox: outbox, Queue: q, Listeners: events.Listeners{market.AccountDeleted{}.EventName(): {"property"}},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- listener.Run(ctx) }()
	go func() { ended <- relay.Run(ctx) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()

	gone := market.AccountDeleted{User: 1, At: market.At(time.Now())}
	for range 2 {
		if err := elsewhere.Update(t.Context(), func(tx *database.Tx) error { return outbox.Add(tx, gone) }); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := service.Property(t.Context(), 1)
		if market.KindOf(err) == market.NotFound {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the property stays: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	for room, want := range map[property.RoomID]market.Kind{1: market.NotFound, 2: market.NotFound, 3: 0} {
		if _, err := service.Room(t.Context(), room); market.KindOf(err) != want {
			t.Errorf("room %d: %v", room, err)
		}
	}
	if _, err := service.Property(t.Context(), 2); err != nil {
		t.Errorf("somebody else's property: %v", err)
	}
	if _, err := service.AddProperty(as(t, 1), change("", "", 9)); market.KindOf(err) != market.Unauthenticated {
		t.Errorf("a deleted account offers a property: %v", err)
	}
	if _, err := service.AddProperty(as(t, 2), change("x", "x", 1)); err != nil {
		t.Errorf("another account cannot offer one: %v", err)
	}
}

// TestDeletedBeforeAnything has an account go that never offered anything, while
// others do.
func TestDeletedBeforeAnything(t *testing.T) {
	service := newService(t)
	fill(t, service)
	property.Delete(t, service, 3)
	if _, err := service.AddProperty(as(t, 3), change("x", "x", 1)); market.KindOf(err) != market.Unauthenticated {
		t.Errorf("a deleted account offers a property: %v", err)
	}
}

// TestNothingOutlivesItsOwner has an account offer properties, in two processes,
// while it goes: whatever was answered with success is gone in the end.
func TestNothingOutlivesItsOwner(t *testing.T) {
	here, there := dbtest.OpenTwice(t, "property", property.Migrations())
	service, other := must[*property.Service](t)(property.New(here)), must[*property.Service](t)(property.New(there))
	fill(t, service)
	done := make(chan int)
	for n := range 16 {
		service := service
		if n%2 == 0 {
			service = other
		}
		go func() {
			made := 0
			for {
				_, err := service.AddProperty(as(t, 9), change("x", "x", 1))
				if market.KindOf(err) == market.Unauthenticated {
					break
				}
				if err != nil {
					t.Error(err)
					break
				}
				made++
			}
			done <- made
		}()
	}
	time.Sleep(20 * time.Millisecond)
	property.Delete(t, service, 9)
	made := 0
	for range 16 {
		made += <-done
	}
	for p, err := range service.Properties(t.Context(), "", market.Page{}) {
		if err != nil || p.Owner == 9 {
			t.Fatalf("left is %+v, %v", p, err)
		}
	}
	if made == 0 {
		t.Error("nothing was made")
	}
}
