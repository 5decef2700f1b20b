package replay

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"outcry/ingest"
	"outcry/post"
)

// TestSpotify reads a real archive: 10,783 rows without an id, unsorted, with
// quotes, emoji and newlines.
func TestSpotify(t *testing.T) {
	cfg := DefaultConfig()
	cfg.File, cfg.Format = shared(t, "data/detection/spotify.csv.gz"), FormatCSV
	var progress Progress
	first := read(t, cfg, Deps{Progress: func(p Progress) { progress = p }}, "")
	if first.err != nil || len(first.bad) > 0 {
		t.Fatalf("%v, %d dead letters: %+v", first.err, len(first.bad), first.bad)
	}
	keys := map[post.Key]bool{}
	for _, e := range first.events {
		keys[ingest.Key(e.Platform, e.ID)] = true
		if e.Time.Year() < 2007 || e.Text == "" {
			t.Errorf("event %+v", e)
		}
	}
	if len(first.events) != 10783 || len(keys) != 10783 {
		t.Fatalf("%d events, %d keys", len(first.events), len(keys))
	}
	info, err := os.Stat(cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	if progress.Bytes != info.Size() || progress.Total != info.Size() || progress.Records != 10783 {
		t.Errorf("the last progress is %+v, the file has %d bytes", progress, info.Size())
	}
	second := read(t, cfg, Deps{}, "")
	if !reflect.DeepEqual(first.events, second.events) {
		t.Error("a second reading differs from the first")
	}
}

func TestBrokenRows(t *testing.T) {
	huge := strings.Repeat("x", 10<<20)
	r := read(t, csvFile(t, strings.Join([]string{
		`timestamp,text`,
		`2020-01-01,good 1`,
		`2020-01-01,too,many`, // line 3
		`2020-01-01`,          // line 4
		`2020-01-01,"good`,
		`2"`,
		`2020-01-01,a "bare" quote`, // line 7
		`2020-01-01,"good ""3"""`,
		`soon,text`,          // line 9
		`2020-01-01,"x"y`,    // line 10
		`2020-01-01,` + huge, // line 11
		`2020-01-01,good 4`,
		`2020-01-01,"never closed`, // line 13
		`2020-01-01,good 5`,
		``,
		`,good without a time`,
	}, "\n")), Deps{}, "")
	if r.err != nil {
		t.Fatal(r.err)
	}
	if want := []string{"good 1", "good\n2", `good "3"`, "good 4", "good 5", "good without a time"}; !slices.Equal(r.texts(), want) {
		t.Errorf("events %q", r.texts())
	}
	var lines []string
	for _, l := range r.bad {
		line, _, _ := strings.Cut(l.Detail, ":")
		lines = append(lines, strings.TrimPrefix(line, "line ")+" "+l.Reason)
	}
	if want := []string{"3 bad_row", "4 bad_row", "7 bad_row", "9 bad_time", "10 bad_row", "11 too_large", "13 bad_row"}; !slices.Equal(lines, want) {
		t.Errorf("dead letters %q", lines)
	}
}

// TestOpenQuoteCostsOneRow opens a quote before 3 MB of good rows.
func TestOpenQuoteCostsOneRow(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,text\n2020-01-01,\"open\n")
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&b, "2020-01-01,row number %d\n", i)
	}
	r := read(t, csvFile(t, b.String()), Deps{}, "")
	if r.err != nil || len(r.events) != n || len(r.bad) != 1 {
		t.Errorf("%d events, %d bad, %v", len(r.events), len(r.bad), r.err)
	}
}

// TestMadeIDs keeps equal rows apart and gives the same row the same id.
func TestMadeIDs(t *testing.T) {
	content := "timestamp,text\n2020-01-01,same\n2020-01-01,same\n2020-01-01,other\n"
	ids := func(cfg Config) []string {
		var ids []string
		for _, e := range read(t, cfg, Deps{}, "").events {
			ids = append(ids, e.ID)
		}
		return ids
	}
	first, second := ids(csvFile(t, content)), ids(csvFile(t, content))
	if !slices.Equal(first, second) || len(slices.Compact(slices.Sorted(slices.Values(first)))) != 3 {
		t.Errorf("ids %q, then %q", first, second)
	}
	lines := "{\"text\":\"same\"}\n{\"text\":\"same\"}\n"
	if got := ids(file(t, lines)); len(got) != 2 || got[0] == got[1] {
		t.Errorf("ids %q", got)
	}
}

// FuzzCSV compares with the rules: whatever comes, every record is an event or a
// dead letter, ids are distinct, and reading again gives the same.
func FuzzCSV(f *testing.F) {
	f.Add("timestamp,text\n2020-01-01,\"a\nb\"\n1,\"\n2,x\n")
	f.Add("text,timestamp,id\r\n\"\"\"\",0,1\r\n\"x\"y,1,1")
	f.Add("timestamp,text\n\x00,\xff\n,,,\n\"")
	f.Fuzz(func(t *testing.T, content string) {
		if strings.HasPrefix(content, "\x1f\x8b") || strings.HasPrefix(content, "\x28\xb5\x2f\xfd") {
			return
		}
		cfg := csvFile(t, content)
		first, second := read(t, cfg, Deps{}, ""), read(t, cfg, Deps{}, "")
		if !reflect.DeepEqual(first.events, second.events) || len(first.bad) != len(second.bad) {
			t.Fatal("a second reading differs")
		}
		if lines := strings.Count(content, "\n") + 1; len(first.events)+len(first.bad) > lines {
			t.Fatalf("%d lines gave %d events and %d dead letters", lines, len(first.events), len(first.bad))
		}
		if first.err != nil && len(first.events) > 0 {
			t.Fatalf("rows after a header that cannot be used: %v", first.err)
		}
	})
}
