package ingest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are tried in turn; those without a zone are taken as UTC.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700 MST",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 MST",
	"2006-01-02T15:04:05-0700",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02",
	"Mon Jan 02 15:04:05 -0700 2006", // Twitter's v1.1
	time.RFC1123Z,
	time.RFC1123,
	"2006/01/02 15:04:05",
}

var errNoTime = errors.New("not a time")

// ParseTime reads a time as archives write it: RFC 3339, the usual variants with
// a space or without a zone (taken as UTC), Twitter's and mail's forms, and Unix
// time in seconds, milliseconds, microseconds or nanoseconds, told apart by
// their size.
func ParseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return time.Time{}, errNoTime
	}
	if t, ok := parseUnix(s); ok {
		return t, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %.64q", errNoTime, s)
}

// parseUnix reads Unix time. Seconds reach to the year 5138, so that the four
// units never overlap for a time after 1973.
func parseUnix(s string) (time.Time, bool) {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return time.Time{}, false
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch abs := max(n, -n); {
		case abs < 0: // the smallest integer has no positive
			return time.Time{}, false
		case abs < 1e11:
			return time.Unix(n, 0).UTC(), true
		case abs < 1e14:
			return time.UnixMilli(n).UTC(), true
		case abs < 1e17:
			return time.UnixMicro(n).UTC(), true
		}
		return time.Unix(n/1e9, n%1e9).UTC(), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(f) >= 1e14 {
		return time.Time{}, false
	}
	if math.Abs(f) >= 1e11 {
		f /= 1e3
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}
