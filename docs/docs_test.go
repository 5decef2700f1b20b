// Package docs_test holds the documentation to the code: what it names exists.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	testGroup  = regexp.MustCompile("`([a-z/]+)`: ((?:(?:Test|Fuzz)\\w+(?:, )?)+)")
	testName   = regexp.MustCompile(`\b(?:Test|Fuzz)\w+`)
	goOrSQL    = regexp.MustCompile("`([a-z][a-z0-9_/]*(?:/[a-z0-9_]+\\.(?:go|sql|js)))`")
	metricName = regexp.MustCompile(`outcry_[a-z][a-z_]*[a-z]`)
	link       = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testsOf gives the tests of a package.
func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		for _, m := range testFunc.FindAllStringSubmatch(read(t, file), -1) {
			found[m[1]] = true
		}
	}
	return found
}

// Each rule is tied to tests that are there, and to files that are there.
func TestInvariantsNameRealTests(t *testing.T) {
	text := read(t, "invariants.md")
	grouped := 0
	for _, group := range testGroup.FindAllStringSubmatch(text, -1) {
		found := testsOf(t, group[1])
		for _, name := range testName.FindAllString(group[2], -1) {
			grouped++
			if !found[name] {
				t.Errorf("invariants.md: package %s has no %s", group[1], name)
			}
		}
	}
	if named := len(testName.FindAllString(text, -1)); grouped != named || named == 0 {
		t.Errorf("invariants.md: %d of %d tests stand behind the name of their package", grouped, named)
	}
	for _, m := range goOrSQL.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Errorf("invariants.md: %v", err)
		}
	}
}

// Every metric that the pages speak of is one that the code makes. A name there
// may be without the prefix that its package puts before all of them.
func TestPagesNameRealMetrics(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "metrics.go" {
			return err
		}
		code.WriteString(read(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	known := func(name string) bool {
		if strings.Contains(code.String(), `"`+name+`"`) {
			return true
		}
		_, short, _ := strings.Cut(strings.TrimPrefix(name, "outcry_"), "_")
		return strings.Contains(code.String(), `"`+short+`"`)
	}
	for _, page := range []string{"operating.md", "troubleshooting.md"} {
		names := metricName.FindAllString(read(t, page), -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric", page)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_") || known(name) {
				continue
			}
			t.Errorf("%s: there is no metric %s", page, name)
		}
	}
}

// A link to a file of the project leads to one.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, filepath.Join("..", "README.md"), filepath.Join("..", "CHANGELOG.md")) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
			}
		}
	}
}
