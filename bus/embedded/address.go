package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	unixScheme = "unix://"
	socketName = "kafka.sock"

	// maxSocketPath keeps below the limit of every system: 104 bytes with the
	// closing zero on some, 108 on others.
	maxSocketPath = 100
)

// Address tells where a broker on the data directory listens, whichever process
// runs it: "unix:///…". It does not tell whether one runs. Where the directory's
// path is too long for a socket, it is known once a broker ran there.
func Address(dataDir string) (string, error) {
	path, err := socketIn(dataDir)
	if err != nil {
		return "", err
	}
	if len(path) <= maxSocketPath {
		return unixScheme + path, nil
	}
	short, err := os.ReadFile(recordFile(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no embedded kafka has run on %s yet", dataDir)
	}
	if err != nil {
		return "", fmt.Errorf("address of the embedded kafka: %w", err)
	}
	return unixScheme + filepath.Join(strings.TrimSpace(string(short)), socketName), nil
}

func socketIn(dataDir string) (string, error) {
	abs, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("address of the embedded kafka: %w", err)
	}
	return filepath.Join(runDir(abs), socketName), nil
}

// recordFile holds the name of the short directory where the socket is when the
// data directory's own path is too long.
func recordFile(dataDir string) string { return filepath.Join(runDir(dataDir), "kafka.dir") }

// claimSocket gives the path to listen on, with what a dead broker left there
// removed. The caller holds the lock.
func claimSocket(dataDir string) (string, error) {
	path, err := socketIn(dataDir)
	if err != nil {
		return "", err
	}
	if len(path) > maxSocketPath {
		dir, err := shortDir(dataDir)
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, socketName)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("remove the socket of a former broker: %w", err)
	}
	return path, nil
}

// shortDir gives a directory with a short name that only this user can enter:
// the one on record, so that clients find a restarted broker where it was, or a
// new one.
func shortDir(dataDir string) (string, error) {
	if record, err := os.ReadFile(recordFile(dataDir)); err == nil {
		dir := strings.TrimSpace(string(record))
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && info.Mode().Perm() == 0o700 && ownedByUs(info) {
			return dir, nil
		}
	}
	dir, err := os.MkdirTemp("", "outcry-") // mode 0700, a name nobody can guess
	if err != nil {
		return "", fmt.Errorf("directory for the socket: %w", err)
	}
	if len(dir)+1+len(socketName) > maxSocketPath {
		_ = os.Remove(dir)
		return "", fmt.Errorf("no directory is short enough for a socket: set TMPDIR to one of at most %d bytes", maxSocketPath-30)
	}
	if err := os.WriteFile(recordFile(dataDir), []byte(dir+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("record the directory of the socket: %w", err)
	}
	return dir, nil
}
