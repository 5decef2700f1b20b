package post

// Agency is a public body or service that Outcry listens for.
type Agency struct {
	ID      string `yaml:"id"`      // stable: stored, charted and alerted on; [a-z0-9-]
	Name    string `yaml:"name"`    // what people are shown
	Country string `yaml:"country"` // ISO 3166-1 alpha-2, or empty
	Query   string `yaml:"query"`   // in the query language of package match
}
