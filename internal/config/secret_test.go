package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const treasure = "hunter2-treasure"

func TestSecretIsNeverSeen(t *testing.T) {
	s := NewSecret(treasure)
	around := struct{ S Secret }{s}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "secret", s, "around", around)
	asJSON, err := json.Marshal(around)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(around)
	if err != nil {
		t.Fatal(err)
	}
	seen := []string{logged.String(), string(asJSON), string(asYAML)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
		seen = append(seen, fmt.Sprintf(verb, s), fmt.Sprintf(verb, around), fmt.Sprintf(verb, &around))
	}
	for _, text := range seen {
		if strings.Contains(text, treasure) || strings.Contains(text, fmt.Sprintf("%x", treasure)) {
			t.Errorf("the secret shows: %s", text)
		}
	}
	if s.Reveal() != treasure || !s.IsSet() || (Secret{}).IsSet() {
		t.Error("the secret is lost")
	}
}

// TestSecretSources: a file beside the configuration, the environment by value
// and by file; never the configuration itself.
func TestSecretSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secretFile := write("secret.txt", treasure+"\r\n")
	write("empty.txt", "\n")
	write("huge.txt", strings.Repeat("x", maxSecretSize+1))
	for _, c := range []struct{ name, yaml, env, fault string }{
		{name: "file", yaml: "kafka: {password_file: secret.txt}"},
		{name: "absolute", yaml: "kafka: {password_file: " + secretFile + "}"},
		{name: "environment", env: "OUTCRY_KAFKA_PASSWORD=" + treasure},
		{name: "environment file", env: "OUTCRY_KAFKA_PASSWORD_FILE=" + secretFile},
		{name: "environment wins", yaml: "kafka: {password_file: empty.txt}", env: "OUTCRY_KAFKA_PASSWORD=" + treasure, fault: "is empty"},
		{name: "inline", yaml: "kafka: {password: " + treasure + "}", fault: "c.yaml:1: kafka.password: a secret is not written here: name a file with password_file"},
		{name: "absent", yaml: "kafka: {user: u, password_file: nowhere.txt}", fault: "no such file"},
		{name: "absent by environment", env: "OUTCRY_KAFKA_PASSWORD_FILE=/nowhere.txt", fault: "OUTCRY_KAFKA_PASSWORD_FILE: kafka.password_file: cannot read"},
		{name: "empty", yaml: "kafka: {password_file: empty.txt}", fault: "is empty"},
		{name: "huge", yaml: "kafka: {password_file: huge.txt}", fault: "not a secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write("c.yaml", c.yaml)
			h := defaults()
			opts := DefaultOptions()
			opts.Environ = []string{c.env}
			err := Load(path, &h, opts)
			if c.fault == "" {
				if err != nil || h.Kafka.Password.Reveal() != treasure {
					t.Errorf("got %q, %v", h.Kafka.Password.Reveal(), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("got %v, want one fault with %q", err, c.fault)
			}
			if err != nil && strings.Contains(err.Error(), treasure) {
				t.Errorf("the fault shows the secret: %v", err)
			}
		})
	}
}
