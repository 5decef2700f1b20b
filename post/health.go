package post

import "time"

// SourceState tells how a source instance is doing.
type SourceState string

// The states of a source.
const (
	SourceRunning  SourceState = "running"
	SourceBackoff  SourceState = "backoff"  // failed, will be restarted
	SourceStalled  SourceState = "stalled"  // connected but silent for longer than its stall time-out
	SourceGap      SourceState = "gap"      // posts between GapFrom and At may be missing
	SourceFinished SourceState = "finished" // read to its end (files)
	SourceFailed   SourceState = "failed"   // ended by a fault that no restart can mend
)

// SourceHealth is one row of the health log of a source.
type SourceHealth struct {
	At        time.Time   `json:"at"`
	Source    string      `json:"source"` // instance name
	State     SourceState `json:"state"`
	LastEvent time.Time   `json:"last_event,omitzero"`
	GapFrom   time.Time   `json:"gap_from,omitzero"`
	Received  uint64      `json:"received"`  // events since the process started
	Published uint64      `json:"published"` // matched events acknowledged by Kafka
	Refused   uint64      `json:"refused"`   // dead-lettered
	Detail    string      `json:"detail,omitempty"`
}

// DeadLetter is input that could not be used, with the reason.
type DeadLetter struct {
	At     time.Time `json:"at"`
	Stage  string    `json:"stage"`  // ingest, analyze
	Source string    `json:"source"` // source instance, or topic/partition/offset
	Reason string    `json:"reason"` // short constant, the label of the counter
	Detail string    `json:"detail,omitempty"`
	Raw    []byte    `json:"raw,omitempty"` // bounded copy of the input
}
