package post

import (
	"strconv"
	"time"
)

// AlertState is a state in the life cycle of an alert.
type AlertState string

// The life cycle: inactive → pending → firing → resolved.
const (
	Inactive AlertState = "inactive"
	Pending  AlertState = "pending"
	Firing   AlertState = "firing"
	Resolved AlertState = "resolved"
)

// AlertChange is one transition of one alert: a row of the append-only log in
// ClickHouse and a message on outcry.alerts.
type AlertChange struct {
	ID          Key               `json:"id"` // hash of fingerprint, started and state: the same transition written twice is one
	At          time.Time         `json:"at"` // evaluation time of the transition
	Fingerprint Key               `json:"fingerprint"`
	Rule        string            `json:"rule"`
	RuleVersion string            `json:"rule_version"` // hash of the rule's text
	Series      Series            `json:"series"`
	Severity    string            `json:"severity"` // info, warning, critical
	From        AlertState        `json:"from"`
	State       AlertState        `json:"state"`
	Started     time.Time         `json:"started"`  // when the condition began
	Window      Duration          `json:"window"`   // over which Observed and Expected were taken
	Observed    float64           `json:"observed"` // distinct authors in the window
	Expected    float64           `json:"expected"`
	Surprise    float64           `json:"surprise"` // −log10 of the chance of seeing as much in normal times
	Negative    float64           `json:"negative"` // share of negative posts in the window, 0 to 1
	Summary     string            `json:"summary"`  // one line for people
	Exemplars   []Key             `json:"exemplars,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Notification is one attempt to tell one receiver of one change, or the reason
// why it was not told.
type Notification struct {
	At       time.Time `json:"at"`
	Change   Key       `json:"change"` // AlertChange.ID
	Receiver string    `json:"receiver"`
	Status   string    `json:"status"` // sent, failed, suppressed
	Reason   string    `json:"reason,omitempty"`
	Attempt  int       `json:"attempt"`
}

// Duration is a time.Duration that travels as seconds in JSON.
type Duration time.Duration

// MarshalJSON encodes the duration as seconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(d).Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON decodes seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	s, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return err
	}
	*d = Duration(s * float64(time.Second))
	return nil
}
