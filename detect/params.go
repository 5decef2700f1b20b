package detect

import (
	"math"
	"time"
)

// Params are what a user may choose. Everything else about the detector was
// measured and is fixed.
type Params struct {
	Bin       time.Duration  // width of a bin; one minute when zero
	Location  *time.Location // whose hours and weekdays make the rhythm; UTC when nil
	WarmUp    time.Duration  // what a series must have been heard before it is judged; 48 h when zero, half of it once it has 200 voices
	MinVoices float64        // fewer voices in a window are never a burst; 5 when zero
}

// DefaultParams returns the parameters of minute series in UTC.
func DefaultParams() Params {
	return Params{Bin: time.Minute, Location: time.UTC, WarmUp: 48 * time.Hour, MinVoices: 5}
}

// windows are the spans, in bins, over which a burst is looked for.
var windows = [...]int{2, 3, 5, 10, 30}

const (
	scales    = len(windows)
	maxWindow = 30 // the longest of windows
)

// What the method fixes; names as in the formulas beside their use.
const (
	profileWeight    = 30.0 // κ: voices that the prior of an hour is worth; a weekday's is worth four times as much
	dispersionWeight = 50.0 // voices that the prior dispersion is worth
	dispersionPrior  = 1.5
	dispersionFloor  = 1.05 // social posts are never quieter than Poisson; it also bounds the work of the tail
	tailFrom         = 2.0  // U: surprise above which a peak is recorded
	tailPrior        = 20.0 // n₀: peaks that the ideal tail is worth
	tailCap          = 4.0  // the largest excess recorded
	freezeAt         = 4.0  // surprise at which learning stops
	busyVoices       = 200.0
)

// model holds the constants that follow from the parameters. A detector shares
// it with its children.
type model struct {
	binSeconds  int64
	location    *time.Location
	warmUp      int64 // bins
	minVoices   float64
	decayLevel  float64 // per bin, half-life 12 h
	decayFast   float64 // per bin, half-life 1 h
	decaySpread float64 // per bin, half-life 7 d
	decayHour   float64 // per hour, half-life 21 d
	winsorFrom  int64   // bins after which single bins are bounded before they are learned
	freezeHold  int64   // bins for which learning stays frozen after the last surprise
	freezeLimit int64   // bins after which a frozen series is taken to have a new level
	fastFor     int64   // bins for which the new level is then learned quickly
	cluster     int64   // bins between peaks for them to be two
}

func newModel(p Params) *model {
	if p.Bin <= 0 {
		p.Bin = time.Minute
	}
	if p.Location == nil {
		p.Location = time.UTC
	}
	if p.WarmUp <= 0 {
		p.WarmUp = 48 * time.Hour
	}
	if p.MinVoices <= 0 {
		p.MinVoices = 5
	}
	bins := func(d time.Duration) int64 { return max(1, int64(d/p.Bin)) }
	decay := func(halfLife time.Duration) float64 {
		return math.Exp2(-float64(p.Bin) / float64(halfLife))
	}
	return &model{
		binSeconds:  max(1, int64(p.Bin/time.Second)),
		location:    p.Location,
		warmUp:      bins(p.WarmUp),
		minVoices:   p.MinVoices,
		decayLevel:  decay(12 * time.Hour),
		decayFast:   decay(time.Hour),
		decaySpread: decay(7 * 24 * time.Hour),
		decayHour:   math.Exp2(-1.0 / (21 * 24)),
		winsorFrom:  bins(6 * time.Hour),
		freezeHold:  bins(15 * time.Minute),
		freezeLimit: bins(12 * time.Hour),
		fastFor:     bins(6 * time.Hour),
		cluster:     bins(time.Hour),
	}
}
