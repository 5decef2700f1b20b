package detect

import "time"

// localTime is a moment as the rhythm sees it.
type localTime struct {
	secondOfDay int
	day         int // Sunday is 0
}

// clock turns bins into local time. It remembers the offset from UTC until the
// next change of it, so daylight saving costs nothing between the changes.
type clock struct {
	offset   int64
	from, to int64 // Unix seconds between which offset holds
}

func (c *clock) at(unix int64, location *time.Location) localTime {
	if unix < c.from || unix >= c.to {
		c.find(unix, location)
	}
	s := unix + c.offset
	day := floorDiv(s, 86400)
	return localTime{secondOfDay: int(s - day*86400), day: int(((day+4)%7 + 7) % 7)}
}

func (c *clock) find(unix int64, location *time.Location) {
	t := time.Unix(unix, 0).In(location)
	_, offset := t.Zone()
	c.offset = int64(offset)
	start, end := t.ZoneBounds()
	c.from, c.to = minTime, maxTime
	if !start.IsZero() {
		c.from = start.Unix()
	}
	if !end.IsZero() {
		c.to = end.Unix()
	}
}

const (
	minTime = -1 << 62
	maxTime = 1 << 62
)

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
