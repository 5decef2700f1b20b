package issue

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"outcry/analyze/evaluate"
	"outcry/analyze/internal/labelled"
	"outcry/analyze/sentiment"
	"outcry/configs"
	"outcry/post"
)

// builtIn is the classifier of the issues.yaml that Outcry comes with.
var builtIn = sync.OnceValues(func() (*Classifier, error) {
	data, err := configs.Files.ReadFile("issues.yaml")
	if err != nil {
		return nil, err
	}
	cfg, err := Load("issues.yaml", data)
	if err != nil {
		return nil, err
	}
	return New(cfg)
})

func classifier(t testing.TB) *Classifier {
	t.Helper()
	c, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ids(labels []post.Label) []string {
	var out []string
	for _, l := range labels {
		out = append(out, l.ID)
	}
	return out
}

// What people write when a service fails is recognised, in every language that
// issues.yaml speaks.
func TestFailuresAreRecognised(t *testing.T) {
	for _, c := range []struct{ text, language, issue, point string }{
		{"healthcare.gov keeps timing out", "en", "down", ""},
		{"error 500 on the tax portal", "en", "down", "web"},
		{"down for everyone", "en", "down", ""},
		{"is the site down for anyone else?", "en", "down", "web"},
		{"page won't load", "en", "down", ""},
		{"page won’t load", "en", "down", ""},
		{"stuck in queue", "und", "down", ""},
		{"app crashes on launch", "en", "down", "app"},
		{"benefits portal keeps timing out", "en", "down", "web"},
		{"can't log in", "en", "access", "web"},
		{"great app, but I cannot log in", "en", "access", "app"},
		{"ID verification loops forever", "en", "access", ""},
		{"3 hours on hold", "en", "wait", "phone"},
		{"passport since March", "en", "wait", ""},
		{"form rejects my valid address", "en", "rejected", ""},
		{"still no refund", "en", "payment", ""},
		{"charged twice", "en", "payment", ""},
		{"train cancelled again", "en", "disruption", "site"},
		{"bins not collected", "en", "disruption", "site"},
		{"two agents told me opposite things", "en", "information", ""},
		{"they hung up on me", "en", "conduct", "phone"},
		{"no heating in the hotel", "en", "facility", ""},
		{"lift broken for weeks", "en", "facility", "site"},
		{"brown water from the tap", "en", "hazard", ""},
		{"gas smell", "en", "hazard", ""},
		{"crater in the road", "en", "hazard", "site"},
		{"no power since 4am", "en", "utility", ""},
		{"any update on the outage?", "en", "utility", "site"},
		{"got a fake IRS call", "en", "privacy", ""},
		{"lost my luggage", "en", "lost", "site"},
		{"they lost my file", "en", "lost", ""},
		{"your app is cumbersome and badly designed", "en", "other", "app"},

		{"Die Seite lädt nicht", "de", "down", "web"},
		{"seit 3 Stunden in der Warteschleife", "de", "wait", "phone"},
		{"Le site est en panne", "fr", "down", "web"},
		{"mon train est encore en retard", "fr", "disruption", "site"},
		{"La web no funciona", "es", "down", "web"},
		{"nadie contesta el teléfono", "es", "wait", "phone"},
		{"Il sito non funziona", "it", "down", "web"},
		{"ancora nessun rimborso", "it", "payment", ""},
		{"O site caiu de novo", "pt", "down", "web"},
		{"não consigo entrar no aplicativo", "pt", "access", "app"},
		{"De site ligt plat", "nl", "down", "web"},
		{"mijn trein rijdt niet", "nl", "disruption", "site"},
		{"IMPOTS: site en panne", "und", "down", "web"},
	} {
		r := classifier(t).Classify(c.text, c.language, post.Sentiment{})
		if r.Complaint < ComplaintThreshold || !slices.Contains(ids(r.Issues), c.issue) ||
			c.point != "" && !slices.Contains(ids(r.TouchPoints), c.point) {
			t.Errorf("%q: complaint %.2f, issues %v, touch points %v; want %s at %s", c.text, r.Complaint, r.Issues, r.TouchPoints, c.issue, c.point)
		}
	}
}

func TestOthersAreNot(t *testing.T) {
	glad := post.Sentiment{Score: 0.6, Label: post.Positive}
	for _, c := range []struct {
		text      string
		language  string
		sentiment post.Sentiment
	}{
		{"I love the new site, thank you", "en", glad},
		{"The portal is back online, thank you for your patience", "en", glad},
		{"When does the office open?", "en", post.Sentiment{}},
		{"The minister met the press", "en", post.Sentiment{}},
		{"I hate Mondays", "en", post.Sentiment{Score: -0.57}}, // feeling alone is no complaint
		{"La lift est sale", "fr", post.Sentiment{Score: 0}},   // "sale" is dirty, but…
		{"Great sale on Friday", "en", post.Sentiment{}},       // …only in French
		{"", "und", post.Sentiment{}},
	} {
		r := classifier(t).Classify(c.text, c.language, c.sentiment)
		french := c.language == "fr"
		if got := r.Complaint >= ComplaintThreshold; got != french {
			t.Errorf("%q: complaint %.2f", c.text, r.Complaint)
		}
		if !french && (len(r.Issues) > 0 || len(r.TouchPoints) > 0) {
			t.Errorf("%q: no complaint, yet %v %v", c.text, r.Issues, r.TouchPoints)
		}
	}
}

func TestStrongestFirst(t *testing.T) {
	r := classifier(t).Classify("site down, error 500, page won't load, and I was charged twice", "en", post.Sentiment{})
	if got := ids(r.Issues); len(got) < 2 || got[0] != "down" || r.Issues[0].Score <= r.Issues[1].Score {
		t.Errorf("issues %v", r.Issues)
	}
	for _, l := range r.Issues {
		if l.Score <= 0 || l.Score >= 1 {
			t.Errorf("score of %v is out of range", l)
		}
	}
}

func TestExplainPointsAtTheWords(t *testing.T) {
	text := "Ugh: the site keeps TIMING OUT. Ridiculous"
	var got []string
	for _, r := range classifier(t).Explain(text, "en") {
		got = append(got, r.For+" "+text[r.Start:r.End])
	}
	for _, want := range []string{"down TIMING OUT", "complaint Ridiculous", "web site"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
}

func TestBuiltInFileIsComplete(t *testing.T) {
	data, err := configs.Files.ReadFile("issues.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Load("issues.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range append(slices.Clone(cfg.Issues), cfg.TouchPoints...) {
		if e.Description == "" {
			t.Errorf("%s has no description", e.ID)
		}
		for _, lang := range []string{"en", "de", "fr", "es", "it", "pt", "nl"} {
			if len(e.Phrases[lang]) == 0 {
				t.Errorf("%s has no phrase in %s", e.ID, lang)
			}
		}
	}
}

// Every fault of the file is told with its line.
func TestLoadNamesFaults(t *testing.T) {
	var b strings.Builder
	b.WriteString("issues:\n")
	for _, id := range IDs() {
		if id != "lost" {
			fmt.Fprintf(&b, "  - {id: %s, name: N, phrases: {en: [x]}}\n", id)
		}
	}
	b.WriteString("  - {id: weather, name: N}\n")
	b.WriteString("  - {id: down, name: \"\", phrases: {en: [\"say \\\"hi\"], english: [x]}, queries: {en: [\"a OR\"]}}\n")
	b.WriteString("touch_points: []\ncolour: blue\n")
	_, err := Load("my.yaml", []byte(b.String()))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`my.yaml:15: issues[13].id: unknown id "weather"`,
		"my.yaml:16: issues[14].id: down is there twice",
		"my.yaml:16: issues[14].name: must be set",
		"my.yaml:16: issues[14].phrases.en[0]",
		`"english" is not a language`,
		"my.yaml:16: issues[14].queries.en[0]: position 5",
		"issues: lost is missing",
		"touch_points: web is missing",
		"my.yaml:18: colour",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestClassifyIsSafeForConcurrentUse(t *testing.T) {
	c := classifier(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			text, want := "the site is down", "down"
			if i%2 == 0 {
				text, want = "charged twice", "payment"
			}
			for range 200 {
				if got := ids(c.Classify(text, "en", post.Sentiment{}).Issues); !slices.Equal(got, []string{want}) {
					t.Errorf("%q: %v", text, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

// The accuracy on development posts that people labelled. A change here is a
// change in what Outcry reports. The phrases were written with some of these
// posts in sight, so other posts will show lower figures.
func TestAccuracy(t *testing.T) {
	rows, err := evaluate.ReadFile(labelled.Path(t, "service/dev_service_posts.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	vader, err := sentiment.New("vader")
	if err != nil {
		t.Fatal(err)
	}
	c := classifier(t)
	judge := func(text string) post.Mention {
		s := vader.Score(text)
		r := c.Classify(text, "en", s)
		return post.Mention{Sentiment: s, Complaint: r.Complaint, Issues: r.Issues, TouchPoints: r.TouchPoints}
	}
	complaint, err := evaluate.Run(evaluate.TaskComplaint, rows, judge, evaluate.Known{})
	if err != nil {
		t.Fatal(err)
	}
	issues, err := evaluate.Run(evaluate.TaskIssues, rows, judge, evaluate.Known{Issues: IDs(), TouchPoints: TouchPointIDs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("complaint macro-F1 %.3f; issues micro-F1 %.3f, macro-F1 %.3f; touch points micro-F1 %.3f, macro-F1 %.3f",
		complaint.MacroF1, *issues.MicroF1, issues.MacroF1, *issues.TouchPoints.MicroF1, issues.TouchPoints.MacroF1)
	if complaint.MacroF1 < 0.80 || *issues.MicroF1 < 0.64 || *issues.TouchPoints.MicroF1 < 0.66 {
		t.Error("lower than it was (0.80, 0.64, 0.66)")
	}
	rows, err = evaluate.ReadFile(labelled.Path(t, "complaint/dev_complaints_acl19.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	tweets, err := evaluate.Run(evaluate.TaskComplaint, rows, judge, evaluate.Known{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("complaint macro-F1 on product tweets %.3f", tweets.MacroF1)
	if tweets.MacroF1 < 0.69 {
		t.Error("lower than it was (0.69)")
	}
}

func BenchmarkClassify(b *testing.B) {
	c := classifier(b)
	b.ReportAllocs()
	for b.Loop() {
		c.Classify("@taxoffice your website keeps timing out, I have tried since 8 this morning and nobody answers the phone either", "en", post.Sentiment{})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
}
