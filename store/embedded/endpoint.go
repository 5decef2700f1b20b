package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Endpoint is where an engine answers. It stays the same over restarts of the
// child, and over restarts of the parent while the port is free.
type Endpoint struct {
	URL   string // http://127.0.0.1:port
	Token string // the password, of any user
}

// Files in the folder run of the data directory.
const (
	urlFile   = "engine.url"
	tokenFile = "engine.token"
	lockFile  = "engine.lock"
)

// ReadEndpoint returns where the engine of a data directory answers, whichever
// process runs it. It does not tell whether the engine runs now.
func ReadEndpoint(dataDir string) (Endpoint, error) {
	run := filepath.Join(dataDir, "run")
	address, err := os.ReadFile(filepath.Join(run, urlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Endpoint{}, fmt.Errorf("no embedded engine was ever started on %s", dataDir)
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("read the engine's address: %w", err)
	}
	token, err := os.ReadFile(filepath.Join(run, tokenFile))
	if err != nil {
		return Endpoint{}, fmt.Errorf("read the engine's token: %w", err)
	}
	return Endpoint{URL: strings.TrimSpace(string(address)), Token: strings.TrimSpace(string(token))}, nil
}

// loadToken returns the token of a data directory, made on first use.
func loadToken(run string) (string, error) {
	path := filepath.Join(run, tokenFile)
	if b, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(b))) >= 16 {
		return strings.TrimSpace(string(b)), nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the engine's token: %w", err)
	}
	token := rand.Text()
	if err := writePrivate(path, token); err != nil {
		return "", fmt.Errorf("write the engine's token: %w", err)
	}
	return token, nil
}

// writePrivate replaces a file in one step, readable by its owner only.
func writePrivate(path, text string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// listen opens the engine's port: the configured one, and where any will do the
// one of last time.
func listen(address, run string) (*net.TCPListener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if port == "0" {
		if b, err := os.ReadFile(filepath.Join(run, urlFile)); err == nil {
			if u, err := url.Parse(strings.TrimSpace(string(b))); err == nil && u.Port() != "" {
				if l, err := net.Listen("tcp", net.JoinHostPort(host, u.Port())); err == nil {
					return l.(*net.TCPListener), nil
				}
			}
		}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}
