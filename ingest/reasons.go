package ingest

import "outcry/post"

// MaxRaw is the size in bytes beyond which one raw event is refused unread.
const MaxRaw = 1 << 20

// maxDeadRaw bounds the copy of the input that a dead letter keeps.
const maxDeadRaw = 4 << 10

// Reasons for which input is refused; each is a label of the refused counter.
const (
	ReasonBadJSON     = "bad_json"     // not a JSON document
	ReasonWrongType   = "wrong_type"   // a field has a type it cannot have
	ReasonBadRow      = "bad_row"      // a CSV row that cannot be parsed
	ReasonTooLarge    = "too_large"    // larger than MaxRaw
	ReasonMissing     = "missing"      // a field that must be there is not
	ReasonBadTime     = "bad_time"     // a time that cannot be read, or before 1970
	ReasonBadPlatform = "bad_platform" // a platform that is no short lower-case name
	ReasonBadID       = "bad_id"       // an id that is too long or empty
	ReasonBadKind     = "bad_kind"     // neither post, edit nor delete
)

// reasonOther labels a reason that is none of the above.
const reasonOther = "other"

// reasons lists every reason, so that each counter exists from the start.
var reasons = []string{
	ReasonBadJSON, ReasonWrongType, ReasonBadRow, ReasonTooLarge, ReasonMissing,
	ReasonBadTime, ReasonBadPlatform, ReasonBadID, ReasonBadKind,
}

// Refusal says why one piece of input cannot be used.
type Refusal struct {
	Reason string // one of the Reason constants
	Detail string // what is wrong with it, for the person who reads the dead letter
}

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Reason + ": " + r.Detail }

// DeadLetter turns the refusal of raw into a dead letter with a bounded copy.
func (r *Refusal) DeadLetter(raw []byte) post.DeadLetter {
	raw = raw[:min(len(raw), maxDeadRaw)]
	return post.DeadLetter{Stage: "ingest", Reason: r.Reason, Detail: r.Detail, Raw: append([]byte(nil), raw...)}
}

// deadEvent makes a dead letter of an event that could be decoded and still
// cannot be used. It tells of the post, not of its author.
func (r *Refusal) deadEvent(ev *Event) post.DeadLetter {
	safe := *ev
	safe.Author = ""
	safe.Text = cut(safe.Text, maxDeadRaw)
	safe.ID, safe.Platform, safe.Links = cut(safe.ID, 2*maxID), cut(safe.Platform, 2*maxPlatform), nil
	raw, err := EncodeDocument(&safe)
	if err != nil { // a year that JSON cannot hold
		raw = []byte(safe.Text)
	}
	return r.DeadLetter(raw)
}
