package post

// Mention is a post as it was understood. The store keeps one row of it for
// each agency in Post.Agencies.
type Mention struct {
	Post
	DetectedLanguage string // ISO 639-1, or "und" where it cannot be told
	Sentiment        Sentiment
	Complaint        float32 // how likely the author complains of a service, 0 to 1
	Issues           []Label // what fails, ids of configs/issues.yaml, strongest first
	TouchPoints      []Label // where people meet the failure, strongest first
}

// Label is one issue or touch point and how sure the classifier is of it.
type Label struct {
	ID    string  `json:"id"`
	Score float32 `json:"score"` // 0 to 1
}

// Polarity is the class of a sentiment.
type Polarity string

// The classes of sentiment.
const (
	Negative Polarity = "negative"
	Neutral  Polarity = "neutral"
	Positive Polarity = "positive"
)

// Sentiment is what a scorer says of a text.
type Sentiment struct {
	Score      float32  // −1 (negative) to 1 (positive)
	Label      Polarity // the class
	Confidence float32  // 0 to 1
	Scorer     string   // name and version of the scorer, for example "vader-1"
}
