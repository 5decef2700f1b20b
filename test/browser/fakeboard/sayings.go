package main

import (
	"strings"

	"outcry/post"
)

type saying struct {
	agency   string
	issue    string
	label    post.Polarity
	language string
	text     string
}

var agencies = []post.Agency{
	{ID: "harbour", Name: "Harbour Benefits Office", Country: "HB"},
	{ID: "transit", Name: "Tidewater Transit", Country: "HB"},
	{ID: "revenue", Name: "Revenue and Customs Bureau", Country: "HB"},
	{ID: "passports", Name: "Passport Service", Country: "HB"},
	{ID: "water", Name: "Eastshore Water", Country: "HB"},
	{ID: "health", Name: "National Health Line", Country: "NO"},
	{ID: "post", Name: "Harbour Post", Country: "HB"},
	{ID: "pensions", Name: "Caisse des pensions", Country: "QF"},
	{ID: "power", Name: "Northgrid Power", Country: "HB"},
	{ID: "schools", Name: "Department of Schools", Country: "HB"},
	{ID: "licences", Name: "Driving Licence Agency", Country: "HB"},
	{ID: "ferries", Name: "Island Ferries", Country: "HB"},
}

var issues = map[string]string{
	"down": "Website or app down", "access": "Cannot sign in", "wait": "Waiting too long", "rejected": "Wrongly refused",
	"payment": "Payment trouble", "disruption": "Disruption", "information": "Wrong information", "conduct": "Staff conduct",
	"facility": "Facility", "hazard": "Hazard", "utility": "Supply cut", "privacy": "Privacy", "lost": "Lost", "other": "Other",
}

var platforms = []string{"bluesky", "mastodon", "x", "feed"}

var failures = []saying{
	{"harbour", "down", post.Negative, "en", "error 503 again on the benefits launch site. I have been trying since nine this morning @HarbourBenefits"},
	{"harbour", "down", post.Negative, "en", "The new application page just spins and then times out. Is it down for anyone else?"},
	{"harbour", "access", post.Negative, "en", "code never arrives, so I can't sign in to apply. Deadline is Friday!! see https://example.org/u/jane/help"},
	{"harbour", "down", post.Negative, "es", "La página de la oficina lleva una hora caída, imposible pedir la ayuda"},
	{"harbour", "rejected", post.Negative, "en", "It finally loaded and then the form rejects my valid address. Three times."},
	{"harbour", "wait", post.Negative, "en", "2 hours on hold with the benefits line because the site is broken 😤"},
	{"harbour", "down", post.Negative, "ar", "الموقع لا يعمل منذ الصباح ولا أستطيع تقديم الطلب"},
}

var sayings = []saying{
	{"transit", "disruption", post.Negative, "en", "Line 4 cancelled again, fourth time this week. Thanks @TidewaterTransit"},
	{"transit", "", post.Positive, "en", "Shout-out to the driver of the 22 who waited for my grandmother. Made our day."},
	{"revenue", "", post.Neutral, "en", "Does anybody know whether the revenue bureau is open on Monday?"},
	{"revenue", "payment", post.Negative, "en", "Still no refund from revenue after eleven weeks."},
	{"passports", "wait", post.Negative, "en", "Passport since March. No reply to four e-mails (write to me: someone@example.org)."},
	{"water", "hazard", post.Negative, "en", "Brown water from the tap on Quay Street, anybody else?"},
	{"health", "", post.Positive, "no", "Fikk god hjelp på telefonen i dag, tusen takk!"},
	{"pensions", "access", post.Negative, "fr", "Impossible de me connecter à mon compte retraite depuis hier soir"},
	{"post", "lost", post.Negative, "de", "Das Paket ist seit zwei Wochen verschwunden, niemand weiß etwas."},
	{"schools", "", post.Neutral, "en", "Enrolment for the autumn term opens next week, says the department."},
}

// hostile posts try to be more than text.
var hostile = []string{
	`<script>window.pwned=1</script><img src=x onerror="window.pwned=2"> is what the form answers`,
	`"><svg onload=window.pwned=3> javascript:window.pwned=4 [link](javascript:alert(1)) <a href="https://evil.example/">click</a>`,
	"\u202Ereversed and hid\u200Bden\u2066 @someone.bsky.social https://social.example/@someone/1234 \u0000\u0007",
	"Z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030A\u030B\u030C\u030Dalgo {{.Author}} ${window.pwned=5} </template></li></ol>",
	strings.Repeat("W", 10000),
}
