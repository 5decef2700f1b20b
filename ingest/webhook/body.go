package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"outcry/ingest"
	"outcry/post"
)

// maxDocuments bounds the documents of one request.
const maxDocuments = 10_000

// errTooMany refuses a request with more documents than that.
var errTooMany = fmt.Errorf("more than %d documents", maxDocuments)

// refused is what a sender is told of a document that cannot be used.
type refused struct {
	Index  int    `json:"index"` // counted from 0
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// maxTold bounds the refusals that an answer lists.
const maxTold = 100

// content is what a request holds.
type content struct {
	events  []ingest.Event
	bad     []post.DeadLetter
	refused []refused
}

// parse reads a body: one document, an array of them, or one after the other
// (NDJSON). A body that is no JSON is refused as a whole, with the place; a
// document that cannot be used costs its neighbours nothing.
func parse(body []byte, platform string) (content, error) {
	var c content
	dec := json.NewDecoder(bytes.NewReader(body))
	array := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("["))
	if array {
		if _, err := dec.Token(); err != nil {
			return c, syntaxAt(body, 0, err)
		}
	}
	for i := 0; ; i++ {
		if array && !dec.More() {
			if _, err := dec.Token(); err != nil {
				return c, syntaxAt(body, 0, err)
			}
			if _, err := dec.Token(); !errors.Is(err, io.EOF) {
				return c, fmt.Errorf("line %d, byte %d: something follows the array", lineAt(body, dec.InputOffset()), dec.InputOffset())
			}
			return c, nil
		}
		start := dec.InputOffset()
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) && !array {
			return c, nil
		} else if err != nil {
			if array {
				start = 0
			}
			return c, syntaxAt(body, start, err)
		}
		if i == maxDocuments {
			return c, errTooMany
		}
		c.add(i, raw, platform)
	}
}

// add takes one document in.
func (c *content) add(i int, raw []byte, platform string) {
	ev, refusal := ingest.DecodeDocument(raw, platform)
	if refusal == nil && ev.ID == "" {
		// A made-up id would count a document again when it is sent again.
		refusal = &ingest.Refusal{Reason: ingest.ReasonMissing, Detail: `"id" is missing`}
	}
	if refusal == nil {
		c.events = append(c.events, ev)
		return
	}
	c.bad = append(c.bad, refusal.DeadLetter(raw))
	if len(c.refused) < maxTold {
		c.refused = append(c.refused, refused{i, refusal.Reason, refusal.Detail})
	}
}

// ignore accepts any JSON value, so that decoding into it only checks syntax.
type ignore struct{}

func (ignore) UnmarshalJSON([]byte) error { return nil }

// syntaxAt names the place of a syntax error in the value that begins at start.
func syntaxAt(body []byte, start int64, err error) error {
	var syntax *json.SyntaxError
	if again := json.Unmarshal(body[start:], &ignore{}); errors.As(again, &syntax) {
		at := start + syntax.Offset
		return fmt.Errorf("line %d, byte %d: %w", lineAt(body, at), at, again)
	}
	return err
}

// lineAt gives the number of the line at an offset, from 1.
func lineAt(body []byte, offset int64) int {
	return 1 + bytes.Count(body[:min(int(offset), len(body))], []byte("\n"))
}
