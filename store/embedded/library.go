package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Version is the one release of libchdb this package is written for and tested
// with. Newer and older ones differ in behaviour, not only in features.
const Version = "26.7.3-stable.1"

// LibraryEnv names the environment variable that points at a libchdb file and
// takes precedence over the cache.
const LibraryEnv = "OUTCRY_LIBCHDB"

// ErrNoLibrary reports that the engine's library is not on this machine yet.
var ErrNoLibrary = errors.New("the embedded ClickHouse engine is not installed")

// errNotBuilt reports a binary made for ClickHouse servers only.
var errNotBuilt = errors.New("this binary was built without the embedded ClickHouse engine (tag noengine): configure a ClickHouse server")

// release is the npm package that carries the library for one platform.
type release struct {
	Package   string
	Integrity string // sha512 of the tarball as npm writes it; empty where it was never verified
	Tarball   int64  // bytes; 0 where unknown
	Library   int64  // bytes of the unpacked library; 0 where unknown
}

// releases by GOOS/GOARCH. Only linux/amd64 was verified by hand.
var releases = map[string]release{
	"linux/amd64": {
		Package:   "@chdb/lib-linux-x64-gnu",
		Integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		Tarball:   177817999,
		Library:   566330096,
	},
	"linux/arm64":  {Package: "@chdb/lib-linux-arm64-gnu"},
	"darwin/arm64": {Package: "@chdb/lib-darwin-arm64"},
	"darwin/amd64": {Package: "@chdb/lib-darwin-x64"},
}

// Library returns the path of the engine's library: the file OUTCRY_LIBCHDB
// names, else the one that Setup left in the user's cache. The error wraps
// ErrNoLibrary and says what to do.
func Library() (string, error) {
	if !built {
		return "", errNotBuilt
	}
	if path := os.Getenv(LibraryEnv); path != "" {
		if err := checkFile(path); err != nil {
			return "", fmt.Errorf("%w: %s: %w", ErrNoLibrary, LibraryEnv, err)
		}
		return path, nil
	}
	path, err := cachedLibrary()
	if err != nil {
		return "", err
	}
	if err := checkFile(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: run `outcry setup` once to fetch it, or set %s to a libchdb.so of release %s", ErrNoLibrary, LibraryEnv, Version)
		}
		return "", fmt.Errorf("%w: %w", ErrNoLibrary, err)
	}
	return path, nil
}

// cachedLibrary is where Setup puts the library, whether it is there or not.
func cachedLibrary() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory: %w", err)
	}
	platform := runtime.GOOS + "-" + runtime.GOARCH
	return filepath.Join(cache, "outcry", "libchdb", Version, platform, "libchdb.so"), nil
}

func checkFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return fmt.Errorf("%s is not a library", path)
	}
	return nil
}
