// Package language tells which language a short public post is written in.
//
// It reads the script first, and for Latin script counts the small words by
// which a reader, too, tells languages apart: a microsecond a post, where
// n-gram identification takes hundreds. It knows few languages (see Known) and
// says "und" rather than guess: a post of two words has no telling words. What
// the platform says counts as one more piece of evidence: it is believed unless
// the text speaks clearly against it.
package language

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Undetermined is the language of a text that does not tell.
const Undetermined = "und"

// maxRunes bounds what is read of a text; its language shows long before.
const maxRunes = 600

// Evidence needed: scores are counts of telling words.
const (
	floor         = 0.9 // to name a language at all
	margin        = 0.4 // over the second
	platformBonus = 1.2 // what the platform's word is worth
)

// Identifier identifies languages. It is immutable and safe for concurrent use.
type Identifier struct {
	words  map[string]uint32 // small word → bit set of indexes into latin
	latin  []string          // ISO 639-1 codes of the Latin-script languages
	letter map[rune]uint32   // letters that only some of them use
}

// New makes an Identifier.
func New() *Identifier {
	id := &Identifier{words: make(map[string]uint32), letter: make(map[rune]uint32)}
	for i, l := range latinLanguages {
		id.latin = append(id.latin, l.code)
		for w := range strings.FieldsSeq(l.words) {
			id.words[w] |= 1 << i
		}
		for _, r := range l.letters {
			id.letter[r] |= 1 << i
		}
	}
	return id
}

// Known gives the codes of all languages that Identify can name without being
// told by the platform.
func (id *Identifier) Known() []string {
	known := append([]string{}, id.latin...)
	for _, s := range scripts {
		known = append(known, s.languages[0])
	}
	return append(known, "ja", "uk", "fa")
}

// Identify gives the ISO 639-1 code of the language of text, or Undetermined.
// platform is what the platform says, or empty.
func (id *Identifier) Identify(text, platform string) string {
	platform = primary(platform)
	var seen tally
	id.read(text, &seen)
	script, count := seen.dominant()
	switch {
	case seen.latin+count == 0:
		return Undetermined // nothing but handles, links and emoji
	case count > seen.latin/2: // a Latin name or two is common in other scripts
		return script.language(&seen, platform)
	}
	return id.decide(&seen, platform)
}

// primary reduces a tag such as pt-BR to its language.
func primary(tag string) string {
	tag, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	if len(tag) != 2 || tag[0] < 'a' || tag[0] > 'z' || tag[1] < 'a' || tag[1] > 'z' {
		return ""
	}
	return tag
}

// tally is what was seen in a text.
type tally struct {
	latin   int // letters
	scripts [len(scripts)]int
	kana    int
	uk, fa  int // letters of Ukrainian and Persian that Russian and Arabic lack
	score   [maxLatin]float32
}

// dominant gives the script other than Latin with the most letters.
func (t *tally) dominant() (script, int) {
	best := 0
	for i, n := range t.scripts {
		if n > t.scripts[best] {
			best = i
		}
	}
	return scripts[best], t.scripts[best]
}

// read tallies a text, passing over handles and links.
func (id *Identifier) read(text string, seen *tally) {
	var word [24]byte // the longest small word is shorter
	n := 0            // length of the word so far; len(word)+1 is too long
	skip := false     // inside a handle or link, to the next space
	runes := 0
	for i, r := range text {
		if runes++; runes > maxRunes {
			break
		}
		if !skip && n == 0 && (r == '@' || strings.HasPrefix(text[i:], "http")) {
			skip = true
		}
		if skip {
			skip = !unicode.IsSpace(r)
			continue
		}
		if r < utf8.RuneSelf {
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			if r >= 'a' && r <= 'z' {
				seen.latin++
				if n < len(word) {
					word[n] = byte(r)
				}
				n = min(n+1, len(word)+1)
				continue
			}
		} else if unicode.IsLetter(r) {
			r = unicode.ToLower(r)
			id.letterSeen(r, seen)
			if size := utf8.RuneLen(r); n+size <= len(word) {
				n += utf8.EncodeRune(word[n:], r)
			} else {
				n = len(word) + 1
			}
			continue
		}
		id.wordSeen(word[:min(n, len(word))], n, seen)
		n = 0
	}
	id.wordSeen(word[:min(n, len(word))], n, seen)
}

// letterSeen counts a letter beyond ASCII.
func (id *Identifier) letterSeen(r rune, seen *tally) {
	if r < 0x250 || r >= 0x1e00 && r < 0x1f00 {
		seen.latin++
		if mask := id.letter[r]; mask != 0 {
			seen.add(mask, 0.6)
		}
		return
	}
	for i, s := range scripts {
		if unicode.Is(s.table, r) {
			seen.scripts[i]++
			break
		}
	}
	switch {
	case unicode.In(r, unicode.Hiragana, unicode.Katakana):
		seen.kana++
		seen.scripts[hanScript]++
	case strings.ContainsRune("іїєґ", r):
		seen.uk++
	case strings.ContainsRune("پچژگ", r):
		seen.fa++
	}
}

// wordSeen counts a word of n bytes.
func (id *Identifier) wordSeen(word []byte, n int, seen *tally) {
	if n == 0 || n > len(word) {
		return
	}
	if mask := id.words[string(word)]; mask != 0 {
		seen.add(mask, 1)
	}
}

// add shares weight among the languages of mask: a word that many have in
// common tells little.
func (t *tally) add(mask uint32, weight float32) {
	share := weight / float32(bits.OnesCount32(mask))
	for ; mask != 0; mask &= mask - 1 {
		t.score[bits.TrailingZeros32(mask)] += share
	}
}

// decide names the Latin-script language of a tally.
func (id *Identifier) decide(seen *tally, platform string) string {
	best, told := 0, -1
	for i, code := range id.latin {
		if seen.score[i] > seen.score[best] {
			best = i
		}
		if code == platform {
			told = i
		}
	}
	second := float32(0)
	for i := range id.latin {
		if i != best {
			second = max(second, seen.score[i])
		}
	}
	clear := seen.score[best] >= floor && seen.score[best]-second >= margin
	if platform != "" && latinCapable(platform) {
		against := seen.score[best]
		if told >= 0 {
			against -= seen.score[told]
		}
		if !clear || against < platformBonus {
			return platform
		}
	}
	if !clear {
		return Undetermined
	}
	return id.latin[best]
}

// latinCapable tells whether a language may be written in Latin script: not
// those whose own script this package knows.
func latinCapable(code string) bool {
	for _, s := range scripts {
		if slices.Contains(s.languages, code) {
			return false
		}
	}
	return true
}
