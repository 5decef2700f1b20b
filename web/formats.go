package web

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"outcry/post"
)

// formats are the functions of the templates: how numbers and times are told
// to people. The scripts say the same of what arrives later (static/js/format.js).
func formats(n names, assets string) template.FuncMap {
	return template.FuncMap{
		"asset":      func(path string) string { return assets + "/" + path },
		"issueName":  n.issue,
		"agencyName": n.agency,
		"iso":        func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
		"clock":      func(t time.Time) string { return t.UTC().Format("15:04") + " UTC" },
		"stamp":      func(t time.Time) string { return t.UTC().Format("2 Jan 15:04") + " UTC" },
		"since":      func(now, t time.Time) string { return span(now.Sub(t)) },
		"span":       func(d post.Duration) string { return span(time.Duration(d)) },
		"num":        num,
		"share":      share,
		"times":      times,
		"odds":       odds,
		"list":       func(items []string) string { return strings.Join(items, ", ") },
		"spark":      sparkData,
		"spans":      func() []int { return spans },
		"spanName":   spanName,
		"addMinutes": func(t time.Time, d post.Duration) time.Time { return t.Add(time.Duration(d)) },
		"blanks":     newBlanks,
		"words":      func(w string) string { return strings.ReplaceAll(w, "_", " ") },
	}
}

// num tells a count or a mean: no decimals that carry no meaning.
func num(v any) string {
	var f float64
	switch v := v.(type) {
	case uint64:
		f = float64(v)
	case int:
		f = float64(v)
	case float64:
		f = v
	}
	switch tenths := math.Round(10*f) / 10; {
	case f > 0 && tenths == 0:
		return "<0.1"
	case f < 10 && tenths != math.Trunc(tenths):
		return strconv.FormatFloat(tenths, 'f', 1, 64)
	}
	s := strconv.FormatFloat(math.Round(f), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func share(f float64) string { return strconv.Itoa(int(math.Round(100*f))) + "\u202f%" }

// times tells how many times the normal was observed; "" where it means nothing.
func times(ratio float64) string {
	switch {
	case ratio <= 0:
		return ""
	case ratio < 10:
		return "×" + strconv.FormatFloat(ratio, 'f', 1, 64)
	}
	return "×" + num(math.Round(ratio))
}

// odds tells a surprise, −log10 of a chance.
func odds(surprise float64) string {
	switch {
	case surprise < 1:
		return "not unusual"
	case surprise < 6:
		return "1 in " + num(math.Pow(10, math.Round(surprise)))
	}
	return "1 in 10" + superscript.Replace(strconv.Itoa(int(math.Round(math.Min(surprise, 300)))))
}

var superscript = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹")

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60), " 0 min")
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func spanName(hours int) string {
	switch {
	case hours == 1:
		return "1 hour"
	case hours < 24:
		return fmt.Sprintf("%d hours", hours)
	case hours == 24:
		return "1 day"
	}
	return fmt.Sprintf("%d days", hours/24)
}

func sparkData(values []uint64) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = strconv.FormatUint(v, 10)
	}
	return strings.Join(words, ",")
}
