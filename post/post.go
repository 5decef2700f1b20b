// Package post is the domain: what Outcry reads, what it concerns, and what was
// understood of it. It depends on the standard library only and has no
// behaviour beyond keeping its own values well formed.
package post

import (
	"strconv"
	"time"
)

// Kind tells what happened to a post.
type Kind string

// The kinds of event that travel on the topic outcry.posts.
const (
	KindPost   Kind = "post"   // a post was published
	KindEdit   Kind = "edit"   // its text was replaced; Time stays the time of publication
	KindDelete Kind = "delete" // it was withdrawn; only Kind, Key, Platform, Source, Time and Arrived are set
)

// Key identifies a post across sources, retries and processes: the 64-bit
// xxhash of platform, a zero byte, and the platform's own id. Everything Outcry
// counts is a count of distinct keys.
type Key uint64

// String gives the key in the decimal form that ClickHouse shows.
func (k Key) String() string { return strconv.FormatUint(uint64(k), 10) }

// MarshalText encodes the key as a decimal string: JSON numbers lose precision
// beyond 2^53 in many readers.
func (k Key) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(k), 10), nil }

// UnmarshalText decodes what MarshalText wrote.
func (k *Key) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return err
	}
	*k = Key(v)
	return nil
}

// Post is one event about one public post, as it travels on Kafka.
type Post struct {
	Kind      Kind      `json:"kind"`
	Key       Key       `json:"key"`
	Platform  string    `json:"platform"`            // bluesky, mastodon, x, feed, … or the name an import gave
	Source    string    `json:"source"`              // the source instance that read it
	Time      time.Time `json:"time"`                // event time: the post's own, clamped by ingest; UTC, milliseconds
	Edited    time.Time `json:"edited,omitzero"`     // for KindEdit: when the text was replaced
	Arrived   time.Time `json:"arrived"`             // when ingest read it; text retention counts from here
	Text      string    `json:"text,omitempty"`      // valid UTF-8, no NUL, bounded by ingest
	Language  string    `json:"language,omitempty"`  // what the platform says (ISO 639-1, lower case); often wrong
	Author    Key       `json:"author,omitempty"`    // keyed hash of the author's id; 0 is unknown
	Permalink string    `json:"permalink,omitempty"` // de-anonymises: lives and dies with the text
	Links     []string  `json:"links,omitempty"`     // targets of links in the text
	Agencies  []string  `json:"agencies,omitempty"`  // ids of the agencies whose query matched
}

// Version orders the states of one post: the latest replaces the others.
func (p *Post) Version() time.Time {
	if p.Edited.After(p.Time) {
		return p.Edited
	}
	return p.Time
}
