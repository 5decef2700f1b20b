package replay

import (
	"fmt"
	"strconv"
	"strings"

	"outcry/internal/config"
)

// Formats that a file may have.
const (
	FormatOutcry = "outcry" // one JSON document a line, see ingest.DecodeDocument
	FormatCSV    = "csv"    // a header, then one post a row
)

// Config says what to read and how.
type Config struct {
	// File is the file to read; "-" is the standard input. gzip and zstd are
	// recognised by their content.
	File string `yaml:"file"`
	// Format is outcry or csv.
	Format string `yaml:"format"`
	// Platform is the platform of posts that name none.
	Platform string `yaml:"platform"`
	// Speed is "max", or how much faster than real time posts are released, in
	// the rhythm of their own times: "1x", "60x". Their times stay as they are.
	Speed string `yaml:"speed"`
	// The columns of a CSV file. Those of time and text must exist; the others
	// are used where they do. Without an id column, the id is made of the row's
	// content and number, so that replaying the file again moves no number.
	TimeColumn     string `yaml:"time_column"`
	TextColumn     string `yaml:"text_column"`
	IDColumn       string `yaml:"id_column"`
	AuthorColumn   string `yaml:"author_column"`
	LanguageColumn string `yaml:"language_column"`
	PlatformColumn string `yaml:"platform_column"`
}

// DefaultConfig reads Outcry's own documents as fast as they go.
func DefaultConfig() Config {
	return Config{
		Format: FormatOutcry, Platform: "import", Speed: "max",
		TimeColumn: "timestamp", TextColumn: "text", IDColumn: "id",
		AuthorColumn: "author", LanguageColumn: "language", PlatformColumn: "platform",
	}
}

// SetDefaults lets a configuration file leave keys out.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate names what cannot work.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if c.File == "" {
		f.Add("file", `must name a file, or "-" for the standard input`)
	}
	if c.Format != FormatOutcry && c.Format != FormatCSV {
		f.Add("format", "%q is unknown; there are %s and %s", c.Format, FormatOutcry, FormatCSV)
	}
	if _, err := parseSpeed(c.Speed); err != nil {
		f.Add("speed", "%v", err)
	}
	if c.Format == FormatCSV && c.TimeColumn == "" {
		f.Add("time_column", "must name a column")
	}
	if c.Format == FormatCSV && c.TextColumn == "" {
		f.Add("text_column", "must name a column")
	}
	return f
}

// parseSpeed gives the factor, 0 for max.
func parseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	factor, err := strconv.ParseFloat(strings.TrimSuffix(s, "x"), 64)
	if err != nil || !(factor > 0 && factor <= 1e9) {
		return 0, fmt.Errorf(`%q must be "max" or a factor such as "60x"`, s)
	}
	return factor, nil
}
