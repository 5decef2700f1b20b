package language

import (
	"slices"
	"unicode"
)

// script is a writing system other than Latin and the languages it may be.
type script struct {
	table     *unicode.RangeTable
	languages []string // the first is assumed where the platform names none of them
}

// hanScript is the index of Han, to which kana count.
const hanScript = 0

var scripts = [...]script{
	hanScript: {unicode.Han, []string{"zh", "ja", "ko"}},
	{unicode.Hangul, []string{"ko"}},
	{unicode.Cyrillic, []string{"ru", "uk", "bg", "sr", "mk", "be", "kk", "mn", "ky", "tg"}},
	{unicode.Arabic, []string{"ar", "fa", "ur", "ps", "ku", "ug"}},
	{unicode.Hebrew, []string{"he", "yi"}},
	{unicode.Greek, []string{"el"}},
	{unicode.Devanagari, []string{"hi", "mr", "ne"}},
	{unicode.Bengali, []string{"bn", "as"}},
	{unicode.Tamil, []string{"ta"}},
	{unicode.Telugu, []string{"te"}},
	{unicode.Gujarati, []string{"gu"}},
	{unicode.Gurmukhi, []string{"pa"}},
	{unicode.Kannada, []string{"kn"}},
	{unicode.Malayalam, []string{"ml"}},
	{unicode.Sinhala, []string{"si"}},
	{unicode.Thai, []string{"th"}},
	{unicode.Khmer, []string{"km"}},
	{unicode.Lao, []string{"lo"}},
	{unicode.Myanmar, []string{"my"}},
	{unicode.Georgian, []string{"ka"}},
	{unicode.Armenian, []string{"hy"}},
	{unicode.Ethiopic, []string{"am", "ti"}},
}

// language names the language of a text in this script.
func (s script) language(seen *tally, platform string) string {
	switch {
	case seen.kana > 0:
		return "ja"
	case slices.Contains(s.languages, platform):
		return platform
	case s.languages[0] == "ru" && seen.uk > 0:
		return "uk"
	case s.languages[0] == "ar" && seen.fa > 0:
		return "fa"
	}
	return s.languages[0]
}
