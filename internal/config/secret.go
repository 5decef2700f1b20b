package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// Secret is a value that must not be seen: it prints, logs and dumps as
// "[redacted]". A field declared as
//
//	Password config.Secret `yaml:"password"`
//
// is set by the key password_file, which names a file, or by the environment
// variable of the key (…_PASSWORD for the value, …_PASSWORD_FILE for a file's
// name). The key password itself is refused: what stands in a configuration
// file ends up in version control.
type Secret struct {
	value string
	from  string // the file it was read from, or empty
}

const (
	redacted      = "[redacted]"
	fileSuffix    = "_file"
	maxSecretSize = 64 << 10
)

// NewSecret makes a secret of a value that the program already has.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal gives the value itself, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// IsSet tells whether there is a value.
func (s Secret) IsSet() bool { return s.value != "" }

func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return redacted
}

// Format hides the value from every verb of package fmt, also from those that
// would otherwise walk the struct.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the value from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// readSecret reads a secret from a file; one trailing line end is not part of
// it. A relative name counts from dir. The errors never hold the content.
func readSecret(dir, name string) (Secret, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("cannot read the secret: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretSize+1))
	if err != nil {
		return Secret{}, fmt.Errorf("cannot read the secret: %w", err)
	}
	if len(data) > maxSecretSize {
		return Secret{}, fmt.Errorf("%s is larger than %d bytes: not a secret", path, maxSecretSize)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		return Secret{}, errors.New(path + " is empty")
	}
	return Secret{value: value, from: path}, nil
}
