package ingest

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"outcry/post"
)

// Bounds of what leaves ingest.
const (
	maxText     = 16 << 10 // bytes of text; longer is cut
	maxID       = 512      // bytes of a platform's id
	maxLinks    = 20       // links kept of one post
	maxURL      = 2048     // bytes of a link or permalink
	maxPlatform = 32       // bytes of a platform's name

	maxFuture = time.Minute    // an event time may be ahead of arrival by this much
	maxPast   = 24 * time.Hour // and, for live sources, behind it by this much
)

// change is something that normalising had to alter; each has a counter.
type change int

const (
	changedUTF8 change = iota
	changedControl
	changedTextCut
	changedTimeMissing
	changedTimeFuture
	changedTimePast
	changedLink
	changedPermalink
	changedLanguage
	changes // their number
)

// changeNames are the labels of the counters.
var changeNames = [changes]string{
	"invalid_utf8", "control_characters", "text_truncated", "time_missing",
	"time_future", "time_past", "link_dropped", "permalink_dropped", "language_dropped",
}

// normaliser turns the events of one source into posts. It is for one goroutine.
type normaliser struct {
	source  string
	archive bool
	authors *pseudonymiser
	changed func(change)
}

// post gives the post of an event that arrived at the given time, or says why
// there is none.
func (n *normaliser) post(ev *Event, arrived time.Time) (post.Post, *Refusal) {
	platform, ok := platformName(ev.Platform)
	if !ok {
		return post.Post{}, &Refusal{ReasonBadPlatform, fmt.Sprintf("platform %.40q is no short name of a-z, 0-9, _ and -", ev.Platform)}
	}
	if ev.ID == "" || len(ev.ID) > maxID {
		return post.Post{}, &Refusal{ReasonBadID, fmt.Sprintf("the id has %d bytes, 1 to %d are wanted", len(ev.ID), maxID)}
	}
	arrived = arrived.UTC().Truncate(time.Millisecond)
	t, refusal := n.time(ev.Time, arrived)
	if refusal != nil {
		return post.Post{}, refusal
	}
	p := post.Post{
		Kind: ev.Kind, Key: Key(platform, ev.ID), Platform: platform, Source: n.source,
		Time: t, Arrived: arrived,
	}
	switch ev.Kind {
	case "":
		p.Kind = post.KindPost
	case post.KindPost:
	case post.KindEdit:
		p.Edited = n.edited(ev.Edited, p.Time, arrived)
	case post.KindDelete:
		return p, nil // nothing else of a withdrawn post travels on
	default:
		return post.Post{}, &Refusal{ReasonBadKind, fmt.Sprintf("kind %.40q is none of post, edit, delete", string(ev.Kind))}
	}
	p.Text = n.text(ev.Text, ev.Repaired)
	p.Language = n.language(ev.Language)
	p.Author = n.authors.author(platform, ev.Author)
	p.Links = n.links(ev.Links)
	if ev.Permalink != "" {
		if p.Permalink = webURL(ev.Permalink); p.Permalink == "" {
			n.changed(changedPermalink)
		}
	}
	return p, nil
}

// time clamps an event time to what its source is trusted with.
func (n *normaliser) time(t, arrived time.Time) (time.Time, *Refusal) {
	switch {
	case t.IsZero():
		n.changed(changedTimeMissing)
		return arrived, nil
	case t.After(arrived.Add(maxFuture)):
		n.changed(changedTimeFuture)
		return arrived.Add(maxFuture), nil
	case !n.archive && t.Before(arrived.Add(-maxPast)):
		n.changed(changedTimePast)
		return arrived.Add(-maxPast), nil
	case t.Before(time.Unix(0, 0)):
		return time.Time{}, &Refusal{ReasonBadTime, "the time is before 1970"}
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// edited gives the time of an edit: never before its post, never in the future.
func (n *normaliser) edited(edited, published, arrived time.Time) time.Time {
	switch {
	case edited.IsZero():
		edited = arrived
	case edited.After(arrived.Add(maxFuture)):
		n.changed(changedTimeFuture)
		edited = arrived.Add(maxFuture)
	}
	if edited.Before(published) {
		return published
	}
	return edited.UTC().Truncate(time.Millisecond)
}

// text makes a text valid UTF-8 in NFC, without control characters but newline
// and tab, of at most maxText bytes.
func (n *normaliser) text(s string, repaired bool) string {
	long := len(s) > maxText
	if len(s) > 4*maxText { // bounds the work on what will be cut anyway
		s = cut(s, 4*maxText)
	}
	if valid := utf8.ValidString(s); !valid || repaired {
		n.changed(changedUTF8)
		if !valid {
			s = strings.ToValidUTF8(s, "\uFFFD")
		}
	}
	if strings.ContainsFunc(s, isControl) {
		// Carriage returns are the ordinary end of a line elsewhere.
		if strings.ContainsFunc(s, func(r rune) bool { return isControl(r) && r != '\r' }) {
			n.changed(changedControl)
		}
		s = strings.Map(func(r rune) rune {
			if isControl(r) {
				return -1
			}
			return r
		}, s)
	}
	s = norm.NFC.String(s)
	if len(s) > maxText {
		s, long = cut(s, maxText), true
	}
	if long {
		n.changed(changedTextCut)
	}
	return s
}

func isControl(r rune) bool {
	return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0
}

// cut gives the first runes of s that fit into limit bytes, as a copy, lest a
// short text keep a long one in memory.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.Clone(s[:limit])
}

// language keeps the primary subtag of a language tag, as ISO 639 has it.
func (n *normaliser) language(tag string) string {
	if tag == "" {
		return ""
	}
	primary, _, _ := strings.Cut(tag, "-")
	primary, _, _ = strings.Cut(primary, "_")
	ok := len(primary) == 2 || len(primary) == 3
	for i := 0; ok && i < len(primary); i++ {
		c := primary[i] | 0x20
		ok = c >= 'a' && c <= 'z'
	}
	if !ok {
		n.changed(changedLanguage)
		return ""
	}
	return strings.ToLower(primary)
}

// links keeps the web addresses among links, up to maxLinks.
func (n *normaliser) links(links []string) []string {
	var kept []string
	for i, link := range links {
		if len(kept) == maxLinks || i == 10*maxLinks {
			n.changed(changedLink)
			break
		}
		if link = webURL(link); link == "" {
			n.changed(changedLink)
			continue
		}
		kept = append(kept, link)
	}
	return kept
}

// webURL gives s when it is an absolute http or https address, else nothing: a
// permalink ends up as a link on the board.
func webURL(s string) string {
	if len(s) > maxURL || !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	return s
}

// platformName gives the lower-case form of a platform's name.
func platformName(s string) (string, bool) {
	if s == "" || len(s) > maxPlatform {
		return "", false
	}
	upper := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			upper = true
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return "", false
		}
	}
	if upper {
		s = strings.ToLower(s)
	}
	return s, true
}
