package web

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown is how many characters of a post the board and the API show.
const maxShown = 600

// maxMarks is how many combining marks in a row are kept: enough for every
// written language, too few to paint over neighbouring lines.
const maxMarks = 4

const masked = "•••"

// display makes the text of a post fit to be shown to people who must not
// learn who wrote it: handles and e-mail addresses become @•••, links keep
// only their host, characters that hide or reorder text are dropped, and what
// is too long is cut. The result is plain text, to be escaped like any other.
func display(text string) string {
	text = maskHandles(shortenLinks(clean(text)))
	return nameInHost.ReplaceAllString(text, masked+".$1")
}

// clean drops what is not visible text and bounds the length.
func clean(text string) string {
	var b strings.Builder
	shown, marks := 0, 0
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			r = ' '
		case r == utf8.RuneError, unicode.IsControl(r), hidden(r):
			continue
		}
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		if shown++; shown > maxShown {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// hidden tells whether r is invisible or changes the order of its neighbours.
// The joiners U+200C and U+200D stay: Persian, Indic scripts and emoji need them.
func hidden(r rune) bool {
	switch {
	case r == '\u00AD', r == '\u034F', r == '\u061C', r == '\u180E', r == '\uFEFF',
		r == '\u200B', r == '\u200E', r == '\u200F',
		r >= '\u202A' && r <= '\u202E',
		r >= '\u2060' && r <= '\u206F',
		r >= '\uFFF9' && r <= '\uFFFB',
		r >= 0xE0000 && r <= 0xE0FFF:
		return true
	}
	return false
}

// The forms in which an address of a page appears in a text, each with the host
// and what follows it as groups: with a scheme, where any host will do, and
// bare, where only a host with a dot and a path is surely one.
var (
	linkForm = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://([^\s/?#"'<>()]*)([/?#][^\s"'<>]*)?`)
	bareForm = regexp.MustCompile(`((?:[\p{L}\p{N}_-]+\.)+\p{L}{2,})([/?#][^\s"'<>]+)`)
)

// nameInHost finds hosts whose first label is the name of a person's account.
var nameInHost = regexp.MustCompile(`(?i)[\p{L}\p{N}_-]+\.(bsky\.social|tumblr\.com|substack\.com|wordpress\.com|blogspot\.com|medium\.com)\b`)

// shortenLinks replaces each link by its host: a path may name a person.
func shortenLinks(text string) string {
	for _, form := range []*regexp.Regexp{linkForm, bareForm} {
		text = form.ReplaceAllStringFunc(text, func(link string) string {
			groups := form.FindStringSubmatch(link)
			host, path := groups[1], groups[2]
			if i := strings.LastIndexByte(host, '@'); i >= 0 { // user info
				host = host[i+1:]
			}
			if len(path) > 1 {
				host += "/…"
			}
			return host
		})
	}
	return text
}

// maskHandles replaces @name, @name@host and name@host.
func maskHandles(text string) string {
	if !strings.ContainsAny(text, "@＠﹫") {
		return text
	}
	runes := []rune(text)
	out := make([]rune, 0, len(runes))
	for i := 0; i < len(runes); i++ {
		if !isAt(runes[i]) {
			out = append(out, runes[i])
			continue
		}
		for n := len(out); n > 0 && inHandle(out[n-1]); n-- { // the local part of an address
			out = out[:n-1]
		}
		end := i + 1
		for end < len(runes) && (inHandle(runes[end]) || isAt(runes[end])) {
			end++
		}
		stop := end
		for stop > i+1 && (runes[stop-1] == '.' || runes[stop-1] == '-') { // the full stop of the sentence
			stop--
		}
		out = append(out, '@')
		if stop > i+1 {
			out = append(out, []rune(masked)...)
		}
		i = stop - 1
	}
	return string(out)
}

func isAt(r rune) bool { return r == '@' || r == '＠' || r == '﹫' }

// inHandle tells whether r can be part of a handle. Scripts written without
// spaces are left out: they would take the rest of the sentence with them.
func inHandle(r rune) bool {
	switch {
	case r == '_' || r == '.' || r == '-' || r == '+':
		return true
	case unicode.IsDigit(r):
		return true
	case unicode.IsLetter(r):
		return !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
	}
	return false
}
