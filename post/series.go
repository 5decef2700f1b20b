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
