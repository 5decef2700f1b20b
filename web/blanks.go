package web

import "outcry/post"

// blanks are empty values of what the scripts draw: the templates draw each
// into a <template> element, so a row has one description, not two.
type blanks struct {
	Alert   alert
	Agency  agency
	Mention mention
	Source  source
	Blind   source
	Point   chartPoint
}

func newBlanks() blanks {
	return blanks{
		Alert:  alert{Severity: "warning", State: post.Firing},
		Agency: agency{Level: "quiet"},
	}
}
