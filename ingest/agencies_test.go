package ingest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcry/internal/config"
	"outcry/post"
)

func loadShipped(t *testing.T) []post.Agency {
	t.Helper()
	agencies, err := LoadAgencies(filepath.Join("..", "configs", "agencies.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return agencies
}

// TestShippedAgencies tries every query of configs/agencies.yaml on a post that
// concerns its agency, and on the trap beside it.
func TestShippedAgencies(t *testing.T) {
	samples := map[string][2]string{
		"us-irs":                {"Where is my refund? The IRS site is down", "entregar o IRS em Portugal até junho"},
		"us-ssa":                {"hours on hold with the SSA about disability", "ssa prefixes in compilers"},
		"us-usps":               {"@USPS my parcel is stuck in Memphis", "ups lost my parcel"},
		"us-fema":               {"FEMA portal rejects my claim", "feminine"},
		"us-va":                 {"VA hospital cancelled my appointment again", "come va? tutto bene"},
		"us-uscis":              {"USCIS biometrics appointment lost", "visa card declined"},
		"us-studentaid":         {"FAFSA form keeps crashing", "student union aid"},
		"us-healthcare":         {"healthcare.gov keeps timing out", "healthcare is expensive"},
		"gb-hmrc":               {"On hold with @HMRCcustomers for an hour", "hm, not sure"},
		"gb-dvla":               {"DVLA lost my licence", "driving test passed"},
		"gb-dwp":                {"Universal Credit journal is down", "credit where it is due"},
		"gb-nhs":                {"the NHS app won't log me in", "hospital drama on tv"},
		"gb-passport":           {"HM Passport Office still has my passport", "lost my passport at the office"},
		"gb-tfl":                {"@TfL Central line stuck again", "tfl is an acronym"},
		"de-bahn":               {"Deutsche Bahn fällt mal wieder aus", "freie Bahn für alle"},
		"de-arbeitsagentur":     {"Jobcenter antwortet seit Wochen nicht", "neuer Job!"},
		"de-elster":             {"Elster Portal lädt nicht, Frist für die Steuererklärung heute", "eine Elster sitzt im Garten"},
		"fr-france-travail":     {"France Travail me bloque mon espace", "je travaille en France"},
		"fr-ants":               {"le site de l'ANTS plante, pas de passeport", "ants in my kitchen"},
		"fr-caf":                {"la CAF ne verse plus mon APL", "un caf et l'addition"},
		"fr-sncf":               {"@SNCFConnect train supprimé", "entrainement"},
		"es-aeat":               {"la web de la Agencia Tributaria está caída", "una hacienda con caballos"},
		"es-sepe":               {"sin cita en el SEPE", "no se que sepe el"},
		"es-renfe":              {"Renfe otra vez con retraso", "trenes de juguete"},
		"it-inps":               {"il sito INPS non funziona", "inpossibile"},
		"ca-cra":                {"CRA my account locked me out at tax time", "CRA credit rating agency on tax bonds"},
		"ca-service-canada":     {"Service Canada line is three hours", "great service in Canada"},
		"au-services-australia": {"myGov is down again", "my government class"},
		"au-ato":                {"ATO refund still missing", "ato de bondade"},
		"in-railways":           {"@RailMinIndia train 12909 no water", "railway museum"},
		"se-skatteverket":       {"Skatteverket svarar inte", "skatt på semester"},
		"jp-mynaportal":         {"今日マイナポータルにログインできない", "今日は天気がいい"},
	}
	agencies := loadShipped(t)
	compiled, err := CompileAgencies(agencies)
	if err != nil {
		t.Fatal(err)
	}
	m := compiled.newMatcher()
	for _, a := range agencies {
		sample, ok := samples[a.ID]
		if !ok {
			t.Errorf("%s has no sample", a.ID)
			continue
		}
		if got := m.match(&post.Post{Text: sample[0]}); !slices.Contains(got, a.ID) {
			t.Errorf("%s does not match %q (matched %v)", a.ID, sample[0], got)
		}
		if got := m.match(&post.Post{Text: sample[1]}); slices.Contains(got, a.ID) {
			t.Errorf("%s matches %q", a.ID, sample[1])
		}
	}
	if got := m.match(&post.Post{Text: "look", Links: []string{"https://www.irs.gov/refunds"}}); !slices.Contains(got, "us-irs") {
		t.Errorf("a link to irs.gov matched %v", got)
	}
}

func TestAgencyFaultsAreAllNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agencies.yaml")
	err := os.WriteFile(path, []byte(`agencies:
  - {id: Bad Id, name: A, query: a}
  - {id: b, name: "", query: b, country: deu}
  - {id: c, name: C, query: 'dog OR (cat'}
  - {id: c, name: C, query: d}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = LoadAgencies(path)
	if _, ok := errors.AsType[*config.Error](err); !ok {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{":2: agencies[0].id", ":3: agencies[1].name", ":3: agencies[1].country",
		":4: agencies[2].query", "^", ":5: agencies[3].id"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}
