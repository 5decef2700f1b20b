package analyze

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"outcry/post"
)

// The reasons for which a message becomes a dead letter. They are labels of a
// counter, so they are few and fixed.
const (
	reasonTooLarge = "too_large"    // larger than any post that ingest publishes
	reasonEncoding = "invalid_utf8" // not valid UTF-8, or holds NUL
	reasonJSON     = "invalid_json" // not a JSON document, or fields of the wrong type
	reasonKind     = "unknown_kind" // neither post, edit nor delete
	reasonKey      = "no_key"       // the key is missing or zero
	reasonAgency   = "no_agency"    // no agency matched, or an empty id
	reasonTime     = "absurd_time"  // a time is missing or outside what can be stored
	reasonPanic    = "panic"        // a fault of ours
)

// Limits on what a message may hold.
const (
	maxMessage  = 1 << 20  // bytes
	maxAgencies = 1000     // of one post
	maxDetail   = 4 << 10  // bytes of a reason's detail
	maxLetter   = 64 << 10 // bytes kept of a refused message
	firstYear   = 1990     // of a post's times
	lastYear    = 2099
)

// reasons gives all reasons, for the counter.
func reasons() []string {
	return []string{reasonTooLarge, reasonEncoding, reasonJSON, reasonKind, reasonKey, reasonAgency, reasonTime, reasonPanic}
}

// poison says why a message cannot be used.
type poison struct{ reason, detail string }

// decode reads a message strictly enough that everything behind it can rely on
// it. Unknown fields are passed over: a newer ingest may send some.
func decode(value []byte, p *post.Post) *poison {
	if len(value) > maxMessage {
		return &poison{reasonTooLarge, fmt.Sprintf("%d bytes", len(value))}
	}
	if !utf8.Valid(value) {
		return &poison{reasonEncoding, "not valid UTF-8"}
	}
	if err := json.Unmarshal(value, p); err != nil {
		return &poison{reasonJSON, jsonFault(err)}
	}
	switch p.Kind {
	case post.KindPost, post.KindEdit, post.KindDelete:
	default:
		return &poison{reasonKind, fmt.Sprintf("kind %q", p.Kind)}
	}
	if p.Key == 0 {
		return &poison{reason: reasonKey}
	}
	if fault := checkTimes(p); fault != nil {
		return fault
	}
	if p.Kind == post.KindDelete {
		*p = post.Post{Kind: p.Kind, Key: p.Key, Platform: p.Platform, Source: p.Source, Time: p.Time, Arrived: p.Arrived}
	} else if fault := checkAgencies(p); fault != nil {
		return fault
	}
	if holdsNUL(p) {
		return &poison{reasonEncoding, "holds a NUL character"}
	}
	return nil
}

// jsonFault describes a decoding error by place and type, without the input.
func jsonFault(err error) string {
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("field %q is a JSON %s", wrongType.Field, wrongType.Value)
	}
	return err.Error()
}

func checkTimes(p *post.Post) *poison {
	for _, t := range []struct {
		name     string
		at       time.Time
		optional bool
	}{{"time", p.Time, false}, {"arrived", p.Arrived, false}, {"edited", p.Edited, true}} {
		switch {
		case t.at.IsZero() && t.optional:
		case t.at.IsZero():
			return &poison{reasonTime, t.name + " is missing"}
		case t.at.Year() < firstYear || t.at.Year() > lastYear:
			return &poison{reasonTime, fmt.Sprintf("%s is in the year %d", t.name, t.at.Year())}
		}
	}
	p.Time, p.Arrived, p.Edited = p.Time.UTC(), p.Arrived.UTC(), p.Edited.UTC()
	return nil
}

func checkAgencies(p *post.Post) *poison {
	switch {
	case len(p.Agencies) == 0:
		return &poison{reason: reasonAgency}
	case len(p.Agencies) > maxAgencies:
		return &poison{reasonAgency, fmt.Sprintf("%d agencies", len(p.Agencies))}
	}
	if slices.Contains(p.Agencies, "") {
		return &poison{reasonAgency, "an agency has no id"}
	}
	return nil
}

// holdsNUL finds the character that C programs and many tools end a text at.
func holdsNUL(p *post.Post) bool {
	for _, s := range append([]string{p.Text, p.Platform, p.Source, p.Language, p.Permalink}, p.Agencies...) {
		if strings.IndexByte(s, 0) >= 0 {
			return true
		}
	}
	for _, s := range p.Links {
		if strings.IndexByte(s, 0) >= 0 {
			return true
		}
	}
	return false
}

// letter makes the dead letter of a message.
func (a *Analyzer) letter(m *Message, reason, detail string) *post.DeadLetter {
	raw := m.Value[:min(len(m.Value), maxLetter)]
	return &post.DeadLetter{
		At:     a.deps.Now().UTC(),
		Stage:  "analyze",
		Source: fmt.Sprintf("%s/%d/%d", a.deps.Topic, m.Partition, m.Offset),
		Reason: reason,
		Detail: strings.ToValidUTF8(detail[:min(len(detail), maxDetail)], ""),
		Raw:    append([]byte(nil), raw...),
	}
}
