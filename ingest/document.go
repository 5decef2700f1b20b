package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"outcry/post"
)

// document is the form in which posts come from files and webhooks, one JSON
// object each:
//
//	{"platform": "forum", "id": "4711", "time": "2026-03-01T09:30:00Z", "text": "…",
//	 "author": "…", "language": "en", "permalink": "https://…", "links": ["https://…"],
//	 "kind": "post", "edited": "…"}
//
// Only text is needed (and, for a delete, id); id and time also come as numbers.
// Unknown fields are ignored.
type document struct {
	Platform  string    `json:"platform,omitempty"`
	ID        scalar    `json:"id,omitempty"`
	Time      scalar    `json:"time,omitempty"`
	Text      *string   `json:"text,omitempty"`
	Author    scalar    `json:"author,omitempty"`
	Language  string    `json:"language,omitempty"`
	Permalink string    `json:"permalink,omitempty"`
	Links     []string  `json:"links,omitempty"`
	Kind      post.Kind `json:"kind,omitempty"`
	Edited    scalar    `json:"edited,omitempty"`
}

// scalar is a string that may be written as a number.
type scalar string

// UnmarshalJSON accepts a string, a number or null.
func (s *scalar) UnmarshalJSON(b []byte) error {
	switch c := b[0]; {
	case c == '"':
		return json.Unmarshal(b, (*string)(s))
	case c == '-' || c >= '0' && c <= '9':
		*s = scalar(b)
		return nil
	case c == 'n':
		return nil
	}
	return &Refusal{ReasonWrongType, fmt.Sprintf("a string or a number is wanted, got %.20s", b)}
}

// DecodeDocument reads one document. platform is used where it names none. An
// event without an id is returned as it is: a file can make one up, a webhook
// cannot.
func DecodeDocument(raw []byte, platform string) (Event, *Refusal) {
	if len(raw) > MaxRaw {
		return Event{}, &Refusal{ReasonTooLarge, fmt.Sprintf("more than %d bytes", MaxRaw)}
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return Event{}, refuseJSON(err)
	}
	ev := Event{
		Kind: d.Kind, Platform: d.Platform, ID: string(d.ID), Author: string(d.Author),
		Language: d.Language, Permalink: d.Permalink, Links: d.Links,
		// The JSON decoder replaces what is not UTF-8 without a word.
		Repaired: !utf8.Valid(raw),
	}
	if ev.Platform == "" {
		ev.Platform = platform
	}
	if d.Text != nil {
		ev.Text = *d.Text
	} else if d.Kind != post.KindDelete {
		return Event{}, &Refusal{ReasonMissing, `"text" is missing`}
	}
	for _, f := range []struct {
		name string
		from scalar
		to   *time.Time
	}{{"time", d.Time, &ev.Time}, {"edited", d.Edited, &ev.Edited}} {
		if f.from == "" {
			continue
		}
		t, err := ParseTime(string(f.from))
		if err != nil {
			return Event{}, &Refusal{ReasonBadTime, fmt.Sprintf("%q: %v", f.name, err)}
		}
		*f.to = t
	}
	return ev, nil
}

// refuseJSON words an error of encoding/json.
func refuseJSON(err error) *Refusal {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal
	}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &Refusal{ReasonWrongType, fmt.Sprintf("%q at byte %d cannot be a %s", typ.Field, typ.Offset, typ.Value)}
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &Refusal{ReasonBadJSON, fmt.Sprintf("byte %d: %v", syntax.Offset, syntax)}
	}
	return &Refusal{ReasonBadJSON, err.Error()}
}

// EncodeDocument writes an event in the form that DecodeDocument reads.
func EncodeDocument(ev *Event) ([]byte, error) {
	d := document{
		Platform: ev.Platform, ID: scalar(ev.ID), Author: scalar(ev.Author), Language: ev.Language,
		Permalink: ev.Permalink, Links: ev.Links, Kind: ev.Kind,
	}
	if ev.Kind != post.KindDelete {
		d.Text = &ev.Text
	}
	if !ev.Time.IsZero() {
		d.Time = scalar(ev.Time.UTC().Format(time.RFC3339Nano))
	}
	if !ev.Edited.IsZero() {
		d.Edited = scalar(ev.Edited.UTC().Format(time.RFC3339Nano))
	}
	b, err := json.Marshal(&d)
	if err != nil {
		return nil, fmt.Errorf("encode document: %w", err)
	}
	return b, nil
}
