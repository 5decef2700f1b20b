package language

import (
	"slices"
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	id := New()
	for _, c := range []struct{ text, platform, want string }{
		{"The tax portal keeps timing out and nobody answers", "", "en"},
		{"Die Seite der Steuerverwaltung ist seit heute nicht erreichbar", "", "de"},
		{"Le site des impôts ne marche pas depuis ce matin", "", "fr"},
		{"La página de la agencia no funciona desde ayer", "", "es"},
		{"Il sito dell'agenzia non funziona da ieri", "", "it"},
		{"O site da receita não funciona desde ontem", "", "pt"},
		{"De website van de belastingdienst doet het niet", "", "nl"},
		{"Strona urzędu nie działa już od rana", "", "pl"},
		{"Skattesidan fungerar inte och jag har väntat hela dagen", "", "sv"},
		{"税務署のサイトに接続できません", "", "ja"},
		{"税务局网站打不开", "", "zh"},
		{"Сайт налоговой не работает", "", "ru"},
		{"Сайт податкової не працює вже годину, її немає", "", "uk"},
		{"موقع الضرائب لا يعمل", "", "ar"},
		{"국세청 홈페이지가 안 열려요", "", "ko"},
		{"η σελίδα δεν ανοίγει", "", "el"},

		// The platform is believed unless the text speaks clearly against it.
		{"Server down!!", "de", "de"},
		{"The portal is down and nobody at the office answers the phone", "de", "en"},
		{"Die Seite ist nicht erreichbar und die Hotline auch nicht", "en", "de"},
		{"La pàgina no funciona", "ca", "ca"},
		{"the site is down for everyone and they do not answer", "ca", "en"},
		{"the site is down for everyone and they do not answer", "ja", "en"},
		{"Сајтот не работи", "mk", "mk"},
		{"Сайт не работает", "en", "ru"},
		{"Portal caiu de novo", "pt-BR", "pt"},

		// Nothing to tell by.
		{"", "", "und"},
		{"", "en", "und"},
		{"@taxoffice @help http://example.org/the/and/of 🤬🤬", "en", "und"},
		{"404", "en", "und"},
		{"Elster", "", "und"},
		{"Elster", "xx-not-a-tag", "xx"},
		{"Elster", "nonsense", "und"},
		{"\xff\xfe\x00", "", "und"},
	} {
		if got := id.Identify(c.text, c.platform); got != c.want {
			t.Errorf("Identify(%q, %q) = %s, want %s", c.text, c.platform, got, c.want)
		}
	}
}

func TestWordListsFitTheirBits(t *testing.T) {
	if len(latinLanguages) > maxLatin {
		t.Errorf("%d languages, the bit sets hold %d", len(latinLanguages), maxLatin)
	}
	if known := New().Known(); !slices.Contains(known, "en") || !slices.Contains(known, "ja") {
		t.Errorf("Known() = %v", known)
	}
}

func FuzzIdentify(f *testing.F) {
	id := New()
	f.Add("The portal is down", "en")
	f.Add("税務署 down \xff", "ja-JP")
	f.Fuzz(func(t *testing.T, text, platform string) {
		if got := id.Identify(text, platform); got != Undetermined && len(got) != 2 {
			t.Errorf("Identify(%q, %q) = %q", text, platform, got)
		}
	})
}

func TestHugeTextsAreReadInPart(t *testing.T) {
	id := New()
	huge := strings.Repeat("the ", 1000) + strings.Repeat("der die das und nicht ", 100_000)
	if got := id.Identify(huge, ""); got != "en" {
		t.Errorf("got %s", got)
	}
	if n := testing.AllocsPerRun(10, func() { id.Identify(huge, "") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkIdentify(b *testing.B) {
	id := New()
	for b.Loop() {
		id.Identify("@taxoffice your website keeps timing out and nobody answers the phone, I have been waiting for three hours now", "en")
	}
}
