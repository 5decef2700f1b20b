package ingest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"outcry/post"
)

func TestDecodeDocument(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	for raw, want := range map[string]Event{
		`{"platform":"forum","id":"4711","time":"2026-03-01T09:30:00Z","text":"hi","author":"a","language":"en","permalink":"https://e.org/1","links":["https://e.org"],"more":[1]}`: {
			Platform: "forum", ID: "4711", Time: at, Text: "hi", Author: "a", Language: "en", Permalink: "https://e.org/1", Links: []string{"https://e.org"}},
		`{"id":4711,"time":1772357400,"text":"hi","author":99,"platform":null}`: {Platform: "import", ID: "4711", Time: at, Text: "hi", Author: "99"},
		`{"id":"1","time":1772357400000,"text":""}`:                             {Platform: "import", ID: "1", Time: at},
		`{"text":"no id"}`:           {Platform: "import", Text: "no id"},
		`{"kind":"delete","id":"1"}`: {Kind: post.KindDelete, Platform: "import", ID: "1"},
		`{"kind":"edit","id":"1","text":"new","edited":"2026-03-01 09:30:00"}`: {Kind: post.KindEdit, Platform: "import", ID: "1", Text: "new", Edited: at},
		"{\"id\":\"1\",\"text\":\"caf\xff\"}":                                  {Platform: "import", ID: "1", Text: "caf\uFFFD", Repaired: true},
		`{"id":"1","text":"half \ud83d pair"}`:                                 {Platform: "import", ID: "1", Text: "half \uFFFD pair"},
		`{"id":"1","text":"NUL \u0000 here","id":"2"}`:                         {Platform: "import", ID: "2", Text: "NUL \x00 here"},
	} {
		got, refusal := DecodeDocument([]byte(raw), "import")
		if refusal != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v %v\nwant %+v", raw, got, refusal, want)
		}
	}
}

func TestDecodeDocumentRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		``:                           ReasonBadJSON,
		`{"text":"hi"`:               ReasonBadJSON,
		`{"text":"hi"} {}`:           ReasonBadJSON,
		`not json`:                   ReasonBadJSON,
		`[]`:                         ReasonWrongType,
		`"text"`:                     ReasonWrongType,
		`7`:                          ReasonWrongType,
		`{"text":7}`:                 ReasonWrongType,
		`{"text":"a","id":{}}`:       ReasonWrongType,
		`{"text":"a","id":true}`:     ReasonWrongType,
		`{"text":"a","links":"b"}`:   ReasonWrongType,
		`null`:                       ReasonMissing,
		`{}`:                         ReasonMissing,
		`{"id":"1"}`:                 ReasonMissing,
		`{"text":"a","time":"soon"}`: ReasonBadTime,
		`{"text":"a","edited":"` + strings.Repeat("9", 99): ReasonBadJSON,
		`{"text":"a","time":1e300}`:                        ReasonBadTime,
		`{"text":"` + strings.Repeat("a", MaxRaw) + `"}`:   ReasonTooLarge,
		strings.Repeat(`{"a":`, 100_000):                   ReasonBadJSON,
	} {
		if _, refusal := DecodeDocument([]byte(raw), "import"); refusal == nil || refusal.Reason != want {
			t.Errorf("%.60s: wanted %s, got %v", raw, want, refusal)
		}
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2013, 9, 18, 19, 26, 22, 0, time.UTC)
	for _, s := range []string{
		"2013-09-18T19:26:22Z", "2013-09-18T21:26:22+02:00", "2013-09-18 19:26:22", "2013-09-18T19:26:22", "2013-09-18 19:26:22.000",
		"2013-09-18 19:26:22+00:00", "2013-09-18 19:26:22 +0000 UTC", "2013-09-18 19:26:22 UTC", "2013-09-18T19:26:22+0000",
		"Wed Sep 18 19:26:22 +0000 2013", "Wed, 18 Sep 2013 19:26:22 GMT", "2013/09/18 19:26:22", " 1379532382 ",
		"1379532382000", "1379532382000000", "1379532382000000000", "1379532382.0", "1.379532382e9",
	} {
		if got, err := ParseTime(s); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "yesterday", "2013-13-01", "1e999", "-", "++1", "NaN", "-9223372036854775808", strings.Repeat("1", 100)} {
		if got, err := ParseTime(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// FuzzDecodeDocument wants no panic, a bounded detail, and that what is decoded
// survives being written and read again.
func FuzzDecodeDocument(f *testing.F) {
	for _, s := range []string{`{"id":1,"time":1.5e9,"text":"a","links":["b"],"kind":"edit","edited":"2026-01-01"}`, `{"text":"\ud800"}`, "{\"text\":\"\xff\"}", `[]`, `{"time":-1e5,"text":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ev, refusal := DecodeDocument(raw, "import")
		if refusal != nil {
			if refusal.Reason == "" || refusal.Detail == "" {
				t.Fatalf("refused as %q, %q", refusal.Reason, refusal.Detail)
			}
			return
		}
		b, err := EncodeDocument(&ev)
		if err != nil {
			t.Fatalf("%+v: %v", ev, err)
		}
		again, refusal := DecodeDocument(b, "import")
		if refusal != nil {
			t.Fatalf("%s: %v", b, refusal)
		}
		again.Repaired = ev.Repaired
		if len(ev.Links) == 0 {
			ev.Links = nil
		}
		if !ev.Time.Equal(again.Time) || !ev.Edited.Equal(again.Edited) {
			t.Fatalf("times %v and %v became %v and %v", ev.Time, ev.Edited, again.Time, again.Edited)
		}
		ev.Time, ev.Edited, again.Time, again.Edited = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		if len(b) <= MaxRaw && !reflect.DeepEqual(ev, again) {
			t.Fatalf("%+v became %+v", ev, again)
		}
	})
}
