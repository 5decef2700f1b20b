package match

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The bytes that delimit what the automaton searches. Words stand between
// spaces: " tax office ". Handles and hashtags, which are matched whole, stand
// apart from them between marks: "\x01@taxoffice\x01".
const (
	space = ' '
	mark  = '\x01'
)

// kind tells what a rune is to the folder.
type kind uint8

const (
	kindSeparator kind = iota
	kindWord           // part of a word
	kindAlone          // a word of its own: scripts without spaces between words
	kindDropped        // ignored: accents, invisible characters
	kindAt             // @ in any width
	kindHash           // # in any width
	kindOther          // not in the table: decide by computing
)

// folded is what a rune becomes.
type folded struct {
	kind kind
	n    uint8
	b    [6]byte
}

func (f *folded) bytes() []byte { return f.b[:f.n] }

// foldTable holds the runes below tableEnd: the alphabets, and kana.
type foldTable [tableEnd]folded

const tableEnd = 0x3100

// folds gives the table, computed once: it is a pure function of Unicode.
var folds = sync.OnceValue(func() *foldTable {
	t := new(foldTable)
	for r := range t {
		k, out := computeFold(rune(r), nil)
		if len(out) > len(t[r].b) {
			t[r].kind = kindOther
			continue
		}
		t[r].kind, t[r].n = k, uint8(copy(t[r].b[:], out))
	}
	return t
})

// computeFold folds one rune, appending the result to dst.
func computeFold(r rune, dst []byte) (kind, []byte) {
	switch {
	case dropped(r):
		return kindDropped, dst
	case r == '@' || r == '＠':
		return kindAt, dst
	case r == '#' || r == '＃':
		return kindHash, dst
	case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
		return kindSeparator, dst
	}
	k := kindWord
	if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
		k = kindAlone
	}
	var enc [utf8.UTFMax]byte
	lower := utf8.AppendRune(enc[:0], unicode.ToLower(r))
	parts := norm.NFKD.Properties(lower).Decomposition()
	if parts == nil {
		parts = lower
	}
	for len(parts) > 0 {
		p, size := utf8.DecodeRune(parts)
		parts = parts[size:]
		if dropped(p) || !unicode.IsLetter(p) && !unicode.IsDigit(p) && !unicode.IsMark(p) {
			continue
		}
		dst = append(dst, plain(unicode.ToLower(p))...)
	}
	return k, dst
}

// dropped tells whether a rune is ignored wherever it stands: accents and vowel
// points of the scripts that write them optionally, variation selectors, and
// invisible characters that could be used to hide a word.
func dropped(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r >= 0x300 && r <= 0x36f, // accents
		r >= 0x591 && r <= 0x5c7 && unicode.Is(unicode.Mn, r), // Hebrew points
		r >= 0x64b && r <= 0x65f, r == 0x670, r == 0x640,      // Arabic vowel signs, tatweel
		r >= 0xfe00 && r <= 0xfe0f:
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// plain spells out the letters that have no accent to take away but that people
// replace where a keyboard lacks them.
func plain(r rune) string {
	switch r {
	case 'ß':
		return "ss"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'ø':
		return "o"
	case 'đ', 'ð':
		return "d"
	case 'þ':
		return "th"
	case 'ł':
		return "l"
	case 'ħ':
		return "h"
	case 'ı':
		return "i"
	case 'ς':
		return "σ"
	}
	return string(r)
}

// folder turns text into what the automaton searches: words, folded and
// separated by single spaces; and the handles and hashtags once more, whole.
type folder struct {
	table *foldTable
	words []byte
	tags  []byte
	long  []byte // scratch for runes outside the table

	track    bool    // record where each folded byte comes from
	wordFrom []int32 // by byte of words: offset in the source
	tagFrom  []int32 // by byte of tags
}

// reset begins a new document.
func (f *folder) reset(track bool) {
	f.words = append(f.words[:0], space)
	f.tags = append(f.tags[:0], mark)
	f.track = track
	f.wordFrom = append(f.wordFrom[:0], 0)
	f.tagFrom = append(f.tagFrom[:0], 0)
}

// cut separates two texts so that no phrase reaches across.
func (f *folder) cut() {
	f.endWord(0)
	f.words = append(f.words, mark, space)
	if f.track {
		f.wordFrom = append(f.wordFrom, 0, 0)
	}
}

// finish ends the document.
func (f *folder) finish() { f.endWord(0) }

// shrink gives back buffers that grew beyond limit.
func (f *folder) shrink(limit int) {
	if cap(f.words) > limit {
		f.words = nil
	}
	if cap(f.tags) > limit {
		f.tags = nil
	}
}

// inWord tells whether a word is open.
func (f *folder) inWord() bool { return f.words[len(f.words)-1] != space }

func (f *folder) endWord(at int) {
	if f.inWord() {
		f.words = append(f.words, space)
		if f.track {
			f.wordFrom = append(f.wordFrom, int32(at))
		}
	}
}

// asciiWord folds the ASCII characters that are part of words; 0 is for all
// other bytes.
var asciiWord = func() (t [256]byte) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			t[c] = byte(c)
		case c >= 'A' && c <= 'Z':
			t[c] = byte(c) + 'a' - 'A'
		}
	}
	return t
}()

// add folds one text.
func (f *folder) add(s string) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case asciiWord[c] != 0:
			i = f.run(s, i)
		case c == space:
			f.endWord(i)
			i++
		case c < utf8.RuneSelf:
			f.ascii(s, i)
			i++
		default:
			i += f.rune(s, i)
		}
	}
}

// run folds the ASCII letters and digits from s[i] and gives the offset after
// them. Most text is such runs, so the loop keeps what it touches in registers.
func (f *folder) run(s string, i int) int {
	words, from := f.words, i
	for ; i < len(s); i++ {
		b := asciiWord[s[i]]
		if b == 0 {
			break
		}
		words = append(words, b)
	}
	f.words = words
	if f.track {
		for ; from < i; from++ {
			f.wordFrom = append(f.wordFrom, int32(from))
		}
	}
	return i
}

// ascii folds an ASCII character at s[i] that is no part of a word.
func (f *folder) ascii(s string, i int) {
	switch s[i] {
	case '\'':
		if f.contraction(s[i+1:]) {
			return
		}
	case '@', '#':
		f.sigil(s, i, s[i], 1)
	}
	f.endWord(i)
}

// rune folds the rune at s[i], which is not ASCII, and gives its length.
func (f *folder) rune(s string, i int) int {
	r, size := utf8.DecodeRuneInString(s[i:])
	k, out := f.fold(r)
	switch k {
	case kindDropped:
		return size
	case kindSeparator:
		if r != '’' || !f.contraction(s[i+size:]) {
			f.endWord(i)
		}
		return size
	case kindAt:
		f.sigil(s, i, '@', size)
		f.endWord(i)
		return size
	case kindHash:
		f.sigil(s, i, '#', size)
		f.endWord(i)
		return size
	}
	if k == kindAlone {
		f.endWord(i)
	}
	f.words = append(f.words, out...)
	if f.track {
		for range out {
			f.wordFrom = append(f.wordFrom, int32(i))
		}
	}
	if k == kindAlone {
		f.endWord(i + size)
	}
	return size
}

// fold gives the kind and the folded form of a rune.
func (f *folder) fold(r rune) (kind, []byte) {
	if r < tableEnd {
		if e := &f.table[r]; e.kind != kindOther {
			return e.kind, e.bytes()
		}
	}
	var k kind
	k, f.long = computeFold(r, f.long[:0])
	return k, f.long
}

// contraction tells whether the apostrophe before rest is that of n't.
func (f *folder) contraction(rest string) bool {
	if len(rest) == 0 || rest[0]|0x20 != 't' || f.words[len(f.words)-1] != 'n' {
		return false
	}
	r, _ := utf8.DecodeRuneInString(rest[1:])
	return len(rest) == 1 || !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// sigil notes the handle or hashtag that begins at s[i] with a sign of the
// given size, if it is one: an e-mail address holds no handle, nor does an
// address with a fragment hold a hashtag.
func (f *folder) sigil(s string, i int, sign byte, size int) {
	if f.inWord() || i > 0 && s[i-1] == '_' {
		return
	}
	start := len(f.tags)
	f.pushTag(i, sign)
	for j := i + size; j < len(s); {
		if b := asciiWord[s[j]]; b != 0 {
			f.pushTag(j, b)
			j++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[j:])
		k, out := f.fold(r)
		switch {
		case k == kindWord || k == kindAlone:
			f.pushTag(j, out...)
		case r == '_':
			f.pushTag(j, '_')
		case k == kindDropped:
		case sign == '@' && len(f.tags) > start+1 && f.continues(r, s[j+n:]):
			f.pushTag(j, byte(r))
		default:
			f.endTag(start, j)
			return
		}
		j += n
	}
	f.endTag(start, len(s))
}

// continues tells whether r goes on with a handle of several parts: the domain
// of name.example.org or of name@example.org. A full stop between a handle and
// the capital of the next sentence ends it.
func (f *folder) continues(r rune, rest string) bool {
	if rest == "" {
		return false
	}
	next, _ := utf8.DecodeRuneInString(rest)
	if !unicode.IsLetter(next) && !unicode.IsDigit(next) {
		return false
	}
	return r == '-' || r == '@' || r == '.' && !unicode.IsUpper(next)
}

func (f *folder) pushTag(at int, out ...byte) {
	f.tags = append(f.tags, out...)
	if f.track {
		for range out {
			f.tagFrom = append(f.tagFrom, int32(at))
		}
	}
}

// endTag closes the tag that began at start, or takes a lone sign back.
func (f *folder) endTag(start, at int) {
	if len(f.tags) == start+1 {
		f.tags = f.tags[:start]
		if f.track {
			f.tagFrom = f.tagFrom[:start]
		}
		return
	}
	f.pushTag(at, mark)
}
