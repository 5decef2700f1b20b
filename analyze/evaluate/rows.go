package evaluate

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Row is one labelled text.
type Row struct {
	Text        string   `json:"text"`
	Label       string   `json:"label"`
	Sentiment   string   `json:"sentiment"`
	Issues      []string `json:"issues"`
	TouchPoints []string `json:"touch_points"`
}

// maxLine bounds one line of a labelled file, in bytes.
const maxLine = 1 << 20

// maxFaults is how many bad lines a reader names before it gives up.
const maxFaults = 10

// ReadFile reads a file of labelled texts, one JSON object a line, gzipped
// where its name ends in .gz. Its error names every bad line (the first ten).
func ReadFile(path string) ([]Row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read labelled texts: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("read labelled texts: %s: %w", path, err)
		}
		defer unzipped.Close()
		r = unzipped
	}
	return Read(path, r)
}

// Read reads labelled texts from r; name stands for it in errors.
func Read(name string, r io.Reader) ([]Row, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var rows []Row
	var faults []error
	n := 0
	for lines.Scan() {
		n++
		line := lines.Bytes()
		if len(strings.TrimSpace(string(line))) == 0 {
			continue
		}
		var row Row
		if err := parse(line, &row); err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, n, err))
			if len(faults) == maxFaults {
				return nil, errors.Join(faults...)
			}
			continue
		}
		rows = append(rows, row)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		faults = append(faults, fmt.Errorf("%s:%d: the line is longer than %d bytes", name, n+1, maxLine))
	case err != nil:
		faults = append(faults, fmt.Errorf("%s:%d: %w", name, n+1, err))
	case len(rows) == 0 && len(faults) == 0:
		faults = append(faults, fmt.Errorf("%s: no labelled texts", name))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return rows, nil
}

func parse(line []byte, row *Row) error {
	if !utf8.Valid(line) {
		return errors.New("not valid UTF-8")
	}
	if err := json.Unmarshal(line, row); err != nil {
		return fmt.Errorf("not a labelled text: %w", err)
	}
	if row.Text == "" {
		return errors.New(`"text" is missing or empty`)
	}
	return nil
}
