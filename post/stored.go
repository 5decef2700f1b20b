package post

import "time"

// StoredMention is one stored row: a post as it was understood, for one agency.
// Text, Permalink and Links are empty once their retention has passed.
type StoredMention struct {
	Mention
	Agency   string    // the agency of this row
	StoredAt time.Time // when the row was written; milliseconds
}

// MentionCursor is a position in the order in which mentions were stored.
type MentionCursor struct {
	StoredAt time.Time
	Key      Key
}

// MentionQuery asks for stored mentions: the latest version of each post, none
// that was deleted. Empty fields do not restrict.
type MentionQuery struct {
	Agency     string
	Issue      string
	TouchPoint string
	Platform   string
	Language   string   // the detected language
	Label      Polarity // class of the sentiment
	From, To   time.Time
	// After, when set, asks for what was stored after that position, oldest
	// first: how a feed follows the store. Otherwise the newest posts (by event
	// time) come first.
	After *MentionCursor
	Limit int // rows; 0: 100, at most 10000
}

// Activity is what was said of an agency during a stretch of time.
type Activity struct {
	Posts    uint64  `json:"posts"`    // distinct posts
	Voices   uint64  `json:"voices"`   // distinct authors, or posts whose author is unknown
	Negative float64 `json:"negative"` // share of the posts that are negative, 0 to 1
}

// AgencySummary is how one agency is being spoken of now.
type AgencySummary struct {
	Agency     string   `json:"agency"`
	TenMinutes Activity `json:"ten_minutes"`
	Hour       Activity `json:"hour"`
	Day        Activity `json:"day"`
}
