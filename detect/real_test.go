package detect

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// shared finds a file of the data that is kept beside the module: in the folder
// named by OUTCRY_SHARED, or in ../shared of the module's root.
func shared(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("OUTCRY_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	path := filepath.Join(root, "data", "detection", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no shared data (set OUTCRY_SHARED): %v", err)
	}
	return path
}

// postTimes reads the times of a file's posts, in order, by their subject.
func postTimes(t *testing.T, path string) map[string][]time.Time {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	times := map[string][]time.Time{}
	for _, row := range rows[1:] {
		at, err := time.Parse(time.RFC3339, row[0])
		if err != nil {
			t.Fatal(err)
		}
		times[row[1]] = append(times[row[1]], at)
	}
	for _, v := range times {
		slices.SortFunc(v, time.Time.Compare)
	}
	return times
}

// alarms gives the first minute of each alarm over the posts, which begin after
// so many minutes of silence.
func alarms(times []time.Time, silence int64) (at []int64) {
	start := times[0].Unix()/60 - silence
	counts := make([]float64, times[len(times)-1].Unix()/60+1-start)
	for _, x := range times {
		counts[x.Unix()/60-start]++
	}
	d := NewDetector(DefaultParams(), nil)
	last := int64(-hour)
	for i, y := range counts {
		bin := int64(i)
		if v := d.Update(start+bin, y); v.Warm && v.Surprise >= level {
			if bin-last >= hour {
				at = append(at, start+bin)
			}
			last = bin
		}
	}
	return at
}

// Events that began at a known minute, in posts of the public: no alarm before,
// and one soon after people begin to talk.
func TestRealEvents(t *testing.T) {
	times := postTimes(t, shared(t, "crisislex.csv.gz"))
	for _, c := range []struct {
		event  string
		onset  time.Time
		within time.Duration
	}{
		{"2012_Venezuela_refinery", time.Date(2012, 8, 25, 5, 40, 0, 0, time.UTC), 0}, // collected from half a day later on
		{"2012_Costa_Rica_earthquake", time.Date(2012, 9, 5, 14, 42, 0, 0, time.UTC), 10 * time.Minute},
		{"2013_West_Texas_explosion", time.Date(2013, 4, 18, 0, 50, 0, 0, time.UTC), 35 * time.Minute},
		{"2013_Glasgow_helicopter_crash", time.Date(2013, 11, 29, 22, 22, 0, 0, time.UTC), 35 * time.Minute},
	} {
		at := alarms(times[c.event], 3*day)
		if len(at) == 0 {
			t.Errorf("%s: no alarm", c.event)
			continue
		}
		first := time.Unix((at[0]+1)*60, 0)
		t.Logf("%s: alarm %v after the event, %d alarms in all", c.event, first.Sub(c.onset).Round(time.Minute), len(at))
		if first.Before(c.onset) || c.within > 0 && first.After(c.onset.Add(c.within)) {
			t.Errorf("%s: first alarm at %v, the event began %v", c.event, first.UTC(), c.onset)
		}
	}
}

// Fifty days of people asking a company for support: ordinary life, whose noise
// is heavier than any invented one.
func TestRealNoise(t *testing.T) {
	times := postTimes(t, shared(t, "spotify.csv.gz"))["SpotifyCares"]
	dense := time.Date(2017, 9, 25, 0, 0, 0, 0, time.UTC) // before, the collection is a sample
	from, _ := slices.BinarySearchFunc(times, dense, time.Time.Compare)
	times = times[from:]
	at := alarms(times, 0)
	weeks := times[len(times)-1].Sub(times[0]).Hours() / (24 * 7)
	t.Logf("%d alarms in %.1f weeks", len(at), weeks)
	if float64(len(at))/weeks > 0.3 {
		t.Errorf("%d alarms in %.1f weeks of ordinary life", len(at), weeks)
	}
}
