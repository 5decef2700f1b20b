package post

import "time"

// Series names what is counted. An empty field means "all".
type Series struct {
	Agency     string `json:"agency"`
	Issue      string `json:"issue,omitempty"`
	TouchPoint string `json:"touch_point,omitempty"`
	Platform   string `json:"platform,omitempty"`
	Language   string `json:"language,omitempty"`
}

// Point is one minute of a series. Every count is a count of distinct values,
// so a redelivered post moves none of them.
type Point struct {
	Series
	Minute   time.Time `json:"minute"`
	Posts    uint64    `json:"posts"`    // distinct post keys
	Negative uint64    `json:"negative"` // distinct keys of posts labelled negative
	Authors  uint64    `json:"authors"`  // distinct voices: authors, or posts whose author is unknown
	Score    float64   `json:"score"`    // mean sentiment of the distinct posts, −1 to 1
}

// Dimensions says by what, besides the agency, a series query is broken down.
type Dimensions struct {
	Issue      bool
	TouchPoint bool
	Platform   bool
	Language   bool
}

// SeriesQuery asks for the points of series in From ≤ minute < To.
//
// A dimension that is not in By is summed over, and is empty in the points. A
// post without an issue (or touch point) belongs to no point of a query by
// issue (or touch point), so an empty field of a Series always means "all".
type SeriesQuery struct {
	From, To time.Time
	By       Dimensions
	Agency   string        // only this agency; empty: every agency
	Issue    string        // only posts with this issue; empty: every post
	Step     time.Duration // width of a point, whole minutes; 0: one minute. Points start at multiples of Step since 1970
}
