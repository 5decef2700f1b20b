package sources

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outcry/internal/config"
)

// file is how a configuration holds the list.
type file struct {
	Sources List `yaml:"sources"`
}

func load(t *testing.T, text string) (List, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hook.key"), []byte("whsec_dGhlIG5ldyBzZWNyZXQgb2YgdGhlIHRlc3Q=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "outcry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var f file
	err := config.Load(path, &f, config.Options{})
	return f.Sources, err
}

func TestLoadAndBuild(t *testing.T) {
	list, err := load(t, `
sources:
  - name: archive
    type: replay
    replay: {file: posts.csv.gz, format: csv, speed: 60x}
  - name: hook
    type: webhook
    stall: 1h
    webhook: {secret_file: hook.key}
  - name: quiet-hook
    type: webhook
    stall: 0s
    webhook: {secret_file: hook.key, listen: "127.0.0.1:8091"}
  - name: third-hook
    type: webhook
    webhook: {secret_file: hook.key, listen: "127.0.0.1:8092"}
  - name: demo
    type: simulate
  - name: demo-2
    type: simulate
    simulate: {seed: 7}
`)
	if err != nil {
		t.Fatal(err)
	}
	if r := list[0].Replay; r.File != "posts.csv.gz" || r.Speed != "60x" || r.TimeColumn != "timestamp" {
		t.Errorf("replay %+v", r)
	}
	if s := list[5].Simulate; s.Seed != 7 || s.History != 14*24*time.Hour {
		t.Errorf("simulate %+v", s)
	}
	named, err := Build(list, Deps{Log: slog.New(slog.DiscardHandler), Stall: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	stalls := map[string]time.Duration{"hook": time.Hour, "quiet-hook": 0, "third-hook": 5 * time.Minute}
	for i, n := range named {
		live := strings.Contains(n.Name, "hook")
		if n.Name != list[i].Name || n.Source == nil || n.Archive == live || n.Stall != stalls[n.Name] {
			t.Errorf("built %+v", n)
		}
	}
}

func TestFaultsAreNamed(t *testing.T) {
	_, err := load(t, `
sources:
  - name: Bad Name
    type: replay
  - name: twice
    type: smoke
  - name: twice
    type: simulate
    webhook: {secret_file: hook.key}
  - name: hook
    type: webhook
    webhook: {listen: nowhere}
  - name: file
    type: replay
    replay: {file: x, format: xml, colour: red}
`)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"sources[0].name", "sources[0].replay", "sources[1].type", "sources[2].name", "sources[2].webhook",
		"sources[3].webhook.listen", "sources[3].webhook.secret", "sources[4].replay.format", "sources[4].replay.colour",
	} {
		if !strings.Contains(err.Error(), want+":") {
			t.Errorf("%s is not named in:\n%v", want, err)
		}
	}
}
