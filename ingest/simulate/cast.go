package simulate

import (
	"strings"

	"outcry/post"
)

// Agencies are the fictional agencies of the story, ready to be listened for.
func Agencies() []post.Agency {
	return []post.Agency{
		{ID: "demo-northmark", Name: "Northmark Pensions Office (demo)", Query: `@northmarkpensions OR "northmark pensions" OR #northmarkpensions`},
		{ID: "demo-harbourline", Name: "Harbour Line Transit (demo)", Query: `@harbourline OR "harbour line" OR #harbourline`},
		{ID: "demo-brightwater", Name: "Brightwater Utilities (demo)", Query: `@brightwater OR brightwater OR #brightwater`},
	}
}

// topic is something to write about, and how often.
type topic struct {
	section string
	weight  float64
}

// role is an agency as it appears in the story.
type role struct {
	name   string      // as the grammar knows it
	byDay  float64     // posts a minute at the busiest hour of a working day
	hours  [24]float64 // share of that by local hour
	sunday float64     // share of a Saturday or Sunday
	topics []topic
}

var officeHours = [24]float64{
	.10, .06, .04, .03, .04, .08, .20, .45, .75, .95, 1, 1,
	.90, .92, .95, .95, .90, .80, .70, .62, .58, .50, .36, .20,
}

var rushHours = [24]float64{
	.12, .06, .03, .03, .06, .25, .65, 1, 1, .60, .42, .40,
	.45, .45, .45, .55, .80, 1, .85, .55, .40, .35, .28, .20,
}

var homeHours = [24]float64{
	.18, .12, .10, .10, .14, .30, .65, .85, .80, .70, .65, .65,
	.70, .68, .65, .68, .75, .90, 1, 1, .90, .75, .50, .30,
}

// roles are in the order of Agencies.
var roles = []role{
	{"northmark", 6, officeHours, 0.45, []topic{
		{"question", .20}, {"praise", .12}, {"noise", .10}, {"news", .08}, {"joke", .06}, {"stray", .05},
		{"wait", .11}, {"payment", .07}, {"rejected", .05}, {"access", .04}, {"information", .035},
		{"down", .025}, {"conduct", .02}, {"other", .02}, {"lost", .015}, {"privacy", .005},
	}},
	{"harbourline", 2.2, rushHours, 0.5, []topic{
		{"question", .16}, {"praise", .12}, {"noise", .12}, {"joke", .08}, {"news", .07}, {"stray", .05},
		{"disruption", .20}, {"facility", .08}, {"information", .05}, {"payment", .03}, {"lost", .02}, {"conduct", .02},
	}},
	{"brightwater", 0.8, homeHours, 0.8, []topic{
		{"question", .22}, {"praise", .15}, {"news", .10}, {"noise", .10}, {"joke", .08}, {"stray", .05},
		{"utility", .10}, {"payment", .10}, {"hazard", .03}, {"wait", .05}, {"other", .02},
	}},
}

// population is people of one language in one time zone.
type population struct {
	language string
	share    float64
	zone     int // hours east of Greenwich
}

var populations = []population{
	{"en", .42, 0}, {"en", .20, -5}, {"de", .14, 1}, {"fr", .13, 1}, {"es", .11, 1},
}

// trouble is a kind of incident.
type trouble struct {
	role        int
	peak        float64 // how many times the posts of a busy hour
	during      []topic
	after       []topic // once it is fixed
	holdMinutes [2]int  // shortest and longest
}

// launch is the day the new portal opens: more people than it can bear.
var launch = trouble{
	role: 0, peak: 30, holdMinutes: [2]int{6, 7},
	during: []topic{
		{"launch.down", .66}, {"launch.access", .11}, {"launch.wait", .05}, {"launch.question", .05},
		{"launch.joke", .05}, {"launch.defend", .04}, {"launch.news", .04},
	},
	after: []topic{{"launch.thanks", .6}, {"launch.joke", .15}, {"launch.defend", .1}, {"launch.down", .15}},
}

// troubles come later, at random, smaller.
var troubles = []trouble{
	{1, 14, []topic{{"disruption", .85}, {"information", .1}, {"joke", .05}}, []topic{{"praise", .5}, {"disruption", .2}, {"joke", .3}}, [2]int{4, 7}},
	{0, 8, []topic{{"wait", .85}, {"conduct", .1}, {"joke", .05}}, []topic{{"praise", .6}, {"wait", .4}}, [2]int{4, 7}},
	{2, 20, []topic{{"utility", .8}, {"hazard", .15}, {"question", .05}}, []topic{{"praise", .8}, {"utility", .2}}, [2]int{4, 8}},
	{0, 9, []topic{{"access", .9}, {"down", .1}}, []topic{{"praise", .5}, {"access", .3}, {"question", .2}}, [2]int{4, 6}},
	{0, 8, []topic{{"payment", .95}, {"joke", .05}}, []topic{{"praise", .6}, {"payment", .4}}, [2]int{5, 8}},
	{2, 18, []topic{{"hazard", .9}, {"question", .1}}, []topic{{"praise", .7}, {"hazard", .3}}, [2]int{4, 6}},
}

// mentioned tells whether a text names one of the agencies.
func mentioned(text string) bool {
	text = strings.ToLower(text)
	for _, name := range []string{"northmark", "harbourline", "harbour line", "brightwater"} {
		if strings.Contains(text, name) {
			return true
		}
	}
	return false
}
