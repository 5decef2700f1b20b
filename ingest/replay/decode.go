package replay

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"outcry/ingest"
	"outcry/post"
)

// decoder reads the records of one format.
type decoder interface {
	// next gives the next record: an event, or a dead letter for a record that
	// cannot be used, or the error that ends the input.
	next() (ingest.Event, *post.DeadLetter, error)
	// skip reads over one record.
	skip() error
	// line is the number of the line at which the record last read began.
	line() int
}

// madeID is the id of a record that has none. The number of the record keeps
// equal records apart; content and number together are the same whenever the
// file is replayed.
func madeID(content uint64, record int) string { return fmt.Sprintf("%016x-%d", content, record) }

// documents decodes one JSON document a line.
type documents struct {
	lines    *lineReader
	platform string
}

func (d *documents) line() int { return d.lines.line }

func (d *documents) skip() error {
	for {
		line, _, err := d.lines.next()
		if err != nil || len(line) > 0 {
			return err
		}
	}
}

func (d *documents) next() (ingest.Event, *post.DeadLetter, error) {
	for {
		line, long, err := d.lines.next()
		if err != nil {
			return ingest.Event{}, nil, err
		}
		if d.lines.line == 1 {
			line = trimBOM(line)
		}
		if len(line) == 0 {
			continue
		}
		var refusal *ingest.Refusal
		if long {
			refusal = &ingest.Refusal{Reason: ingest.ReasonTooLarge, Detail: errLong.Error()}
		} else {
			var ev ingest.Event
			if ev, refusal = ingest.DecodeDocument(line, d.platform); refusal == nil {
				if ev.ID == "" {
					ev.ID = madeID(xxhash.Sum64(line), d.lines.line)
				}
				return ev, nil, nil
			}
		}
		return ingest.Event{}, refuse(refusal, d.line(), line), nil
	}
}

// refuse makes a dead letter that names the line.
func refuse(r *ingest.Refusal, line int, raw []byte) *post.DeadLetter {
	r.Detail = fmt.Sprintf("line %d: %s", line, r.Detail)
	letter := r.DeadLetter(raw)
	return &letter
}

func trimBOM(b []byte) []byte {
	return []byte(strings.TrimPrefix(string(b), "\uFEFF"))
}

// rows decodes CSV with a header.
type rows struct {
	csv    *csvReader
	cfg    Config
	header []string
	record int // number of the record last read, from 1
	at     columns
}

// columns are the places of the columns, −1 where there is none.
type columns struct{ time, text, id, author, language, platform int }

func (r *rows) line() int { return r.csv.line }

func (r *rows) skip() error {
	_, _, err := r.read()
	return err
}

// read reads the header first, and then a record at each call. raw is not empty
// when the error concerns this record alone.
func (r *rows) read() (fields []string, raw []byte, err error) {
	if r.header == nil {
		if err := r.readHeader(); err != nil {
			return nil, nil, err
		}
	}
	fields, raw, err = r.csv.next()
	if err == nil || raw != nil {
		r.record++
	}
	return fields, raw, err
}

func (r *rows) readHeader() error {
	fields, raw, err := r.csv.next()
	if err != nil {
		if raw != nil {
			return fmt.Errorf("the header cannot be read: %w", err)
		}
		return err
	}
	r.header = slices.Clone(fields)
	r.header[0] = strings.TrimPrefix(r.header[0], "\uFEFF")
	find := func(name string) int {
		return slices.IndexFunc(r.header, func(h string) bool {
			return name != "" && strings.EqualFold(strings.TrimSpace(h), name)
		})
	}
	r.at = columns{
		time: find(r.cfg.TimeColumn), text: find(r.cfg.TextColumn), id: find(r.cfg.IDColumn),
		author: find(r.cfg.AuthorColumn), language: find(r.cfg.LanguageColumn), platform: find(r.cfg.PlatformColumn),
	}
	for _, needed := range []struct {
		name string
		at   int
	}{{r.cfg.TimeColumn, r.at.time}, {r.cfg.TextColumn, r.at.text}} {
		if needed.at < 0 {
			return fmt.Errorf("there is no column %q; the header has %.500q", needed.name, r.header)
		}
	}
	return nil
}

func (r *rows) next() (ingest.Event, *post.DeadLetter, error) {
	fields, raw, err := r.read()
	if err != nil && raw == nil {
		return ingest.Event{}, nil, err
	}
	var refusal *ingest.Refusal
	switch {
	case errors.Is(err, errLong):
		refusal = &ingest.Refusal{Reason: ingest.ReasonTooLarge, Detail: err.Error()}
	case err != nil:
		refusal = &ingest.Refusal{Reason: ingest.ReasonBadRow, Detail: err.Error()}
	case len(fields) != len(r.header):
		refusal = &ingest.Refusal{Reason: ingest.ReasonBadRow,
			Detail: fmt.Sprintf("the row has %d fields, the header %d", len(fields), len(r.header))}
	default:
		ev, refusal := r.event(fields)
		if refusal == nil {
			return ev, nil, nil
		}
		return ingest.Event{}, refuse(refusal, r.line(), raw), nil
	}
	return ingest.Event{}, refuse(refusal, r.line(), raw), nil
}

// event makes an event of a row.
func (r *rows) event(fields []string) (ingest.Event, *ingest.Refusal) {
	field := func(i int) string {
		if i < 0 {
			return ""
		}
		return fields[i]
	}
	ev := ingest.Event{
		Platform: field(r.at.platform), ID: field(r.at.id), Author: field(r.at.author),
		Language: field(r.at.language), Text: field(r.at.text),
	}
	if ev.Platform == "" {
		ev.Platform = r.cfg.Platform
	}
	if ev.ID == "" {
		ev.ID = madeID(hashFields(fields), r.record)
	}
	if t := field(r.at.time); t != "" {
		var err error
		if ev.Time, err = ingest.ParseTime(t); err != nil {
			return ingest.Event{}, &ingest.Refusal{Reason: ingest.ReasonBadTime, Detail: err.Error()}
		}
	}
	return ev, nil
}

// hashFields hashes the fields and where they end.
func hashFields(fields []string) uint64 {
	d := xxhash.New()
	for _, f := range fields {
		d.WriteString(f)
		d.Write([]byte{0})
	}
	return d.Sum64()
}
