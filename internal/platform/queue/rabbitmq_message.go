package queue

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// What the broker takes. A message that breaks a limit would end the channel, and
// with it what others are publishing.
const (
	mostID      = 255      // bytes, of the protocol
	mostKey     = 255      // bytes, of the protocol
	mostHeaders = 96 << 10 // bytes; all must fit one frame of 128 KiB
	mostBody    = 16 << 20 // bytes, the default of version 4
)

// unsent are headers that mean something to the broker: more queues to put a
// message into.
var unsent = []string{"CC", "BCC"}

// publishingOf is a message as it is sent.
func publishingOf(m Message, at time.Time) (amqp.Publishing, error) {
	p := amqp.Publishing{
		MessageId: m.ID, Body: m.Body, Timestamp: at, DeliveryMode: amqp.Persistent, ContentType: "application/json",
	}
	if len(m.Body) > 0 && m.Body[0] != '{' && m.Body[0] != '[' {
		p.ContentType = "application/octet-stream"
	}
	if len(m.Headers) > 0 {
		p.Headers = make(amqp.Table, len(m.Headers))
		for k, v := range m.Headers {
			p.Headers[k] = v
		}
		for _, k := range unsent {
			delete(p.Headers, k)
		}
	}
	switch {
	case len(m.ID) > mostID:
		return p, fmt.Errorf("the id of a message has %d bytes; the broker takes %d", len(m.ID), mostID)
	case len(m.Body) > mostBody:
		return p, fmt.Errorf("message %q has %d bytes; the broker takes %d", m.ID, len(m.Body), mostBody)
	}
	if bytes, fit := headerBytes(p.Headers); !fit {
		return p, fmt.Errorf("the headers of message %q have %d bytes; the broker takes %d, and keys of %d", m.ID, bytes, mostHeaders, mostKey)
	}
	return p, nil
}

// headerBytes counts what headers take up, roughly and rather too much.
func headerBytes(t amqp.Table) (n int, fit bool) {
	fit = true
	for k, v := range t {
		n += len(k) + fieldBytes(v)
		fit = fit && len(k) <= mostKey
	}
	return n, fit && n <= mostHeaders
}

func fieldBytes(v any) int {
	switch v := v.(type) {
	case string:
		return 8 + len(v)
	case []byte:
		return 8 + len(v)
	case amqp.Table:
		n, _ := headerBytes(v)
		return 8 + n
	case []any:
		n := 8
		for _, field := range v {
			n += fieldBytes(field)
		}
		return n
	}
	return 16
}

// deliveryOf is a message as it came, from whomever.
func deliveryOf(raw *amqp.Delivery) Delivery {
	d := Delivery{Message: Message{ID: raw.MessageId, Body: raw.Body}}
	if !raw.Timestamp.IsZero() {
		d.PublishedAt = raw.Timestamp.UTC()
	}
	if len(raw.Headers) > 0 {
		d.Headers = make(map[string]string, len(raw.Headers))
		for k, v := range raw.Headers {
			d.Headers[k] = headerText(v)
		}
	}
	return d
}

// headerText is a header of any type as text.
func headerText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return hex.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// letterOf is the dead letter of a message: what it had and why it is dead. What
// would make the broker throw the letter away, refuse it or put it elsewhere too
// is left out.
func letterOf(raw *amqp.Delivery, d *Delivery, at time.Time) amqp.Publishing {
	p := republished(raw)
	for k, v := range deadLetter(d, at).Headers {
		if strings.HasPrefix(k, deadPrefix) {
			p.Headers[k] = v
		}
	}
	if _, fit := headerBytes(p.Headers); !fit || p.Headers.Validate() != nil {
		maps.DeleteFunc(p.Headers, func(k string, _ any) bool { return !strings.HasPrefix(k, deadPrefix) })
	}
	return p
}

// republished is a message that is put into another queue as it was.
func republished(raw *amqp.Delivery) amqp.Publishing {
	p := amqp.Publishing{
		Headers: amqp.Table{}, DeliveryMode: amqp.Persistent,
		ContentType: raw.ContentType, ContentEncoding: raw.ContentEncoding, Priority: raw.Priority,
		CorrelationId: raw.CorrelationId, MessageId: raw.MessageId, Timestamp: raw.Timestamp,
		Type: raw.Type, AppId: raw.AppId, Body: raw.Body,
	}
	maps.Copy(p.Headers, raw.Headers)
	for _, k := range unsent {
		delete(p.Headers, k)
	}
	return p
}
