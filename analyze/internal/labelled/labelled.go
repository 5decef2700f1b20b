// Package labelled finds, for tests, the human-labelled texts that are kept
// beside the project and are not part of it.
package labelled

import (
	"os"
	"path/filepath"
	"testing"
)

// Path gives the path of a file below data/text of the shared folder, and skips
// the test where there is none. The shared folder is named by OUTCRY_SHARED, or
// is the folder "shared" beside the module.
func Path(t testing.TB, name string) string {
	t.Helper()
	shared := os.Getenv("OUTCRY_SHARED")
	if shared == "" {
		shared = beside(t)
	}
	path := filepath.Join(shared, "data", "text", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no labelled texts here (set OUTCRY_SHARED): %v", err)
	}
	return path
}

// beside gives the folder "shared" beside the module's root.
func beside(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return filepath.Join(filepath.Dir(dir), "shared")
}
