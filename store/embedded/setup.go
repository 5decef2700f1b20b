package embedded

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"
)

// Setup makes the engine's library available and returns its path. Where it is
// missing, npm fetches the exact release, its checksum is verified and the
// library is put in the user's cache in one step: an interrupted or failed
// Setup leaves nothing that looks finished, and two at once wait for each
// other. What happens is told on progress.
func Setup(ctx context.Context, progress io.Writer) (string, error) {
	if path, err := Library(); err == nil {
		fmt.Fprintf(progress, "The ClickHouse engine is here already: %s\n", path)
		return path, nil
	} else if !built || os.Getenv(LibraryEnv) != "" {
		return "", err // the user named a file: fetching another one would hide the mistake
	}
	rel, ok := releases[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return "", fmt.Errorf("there is no embedded ClickHouse engine for %s/%s: use a ClickHouse server, or set %s", runtime.GOOS, runtime.GOARCH, LibraryEnv)
	}
	path, err := cachedLibrary()
	if err != nil {
		return "", err
	}
	s := setup{release: rel, target: path, out: newPhases(progress)}
	if err := s.run(ctx); err != nil {
		return "", fmt.Errorf("set up the embedded ClickHouse engine: %w", err)
	}
	return path, nil
}

// setup is one run of Setup.
type setup struct {
	release release
	target  string // where the library goes
	out     *phases
	npm     string // the npm command; empty: looked up
}

func (s *setup) run(ctx context.Context) error {
	dir := filepath.Dir(s.target)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, "setup.lock"))
	if held, err := lock.TryLock(); err == nil && !held {
		s.out.line("Another setup is running: waiting for it.")
	}
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return fmt.Errorf("wait for another setup: %w", err)
	}
	defer lock.Close()
	if checkFile(s.target) == nil {
		return nil // the other setup did the work
	}
	// Nobody else is in here, so what lies around was left by a killed setup.
	stale, _ := filepath.Glob(filepath.Join(dir, "setup-*.tmp"))
	for _, old := range stale {
		os.RemoveAll(old)
	}
	if err := s.checkSpace(dir); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, "setup-*.tmp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	tarball, err := s.fetch(ctx, work)
	if err != nil {
		return err
	}
	if err := s.verify(tarball); err != nil {
		return err
	}
	unpacked := filepath.Join(work, "libchdb.so")
	if err := s.unpack(ctx, tarball, unpacked); err != nil {
		return fmt.Errorf("unpack %s: %w", s.release.Package, err)
	}
	if err := os.Rename(unpacked, s.target); err != nil {
		return err
	}
	s.out.line("The ClickHouse engine is ready: %s", s.target)
	return nil
}

// checkSpace refuses to begin what cannot end. npm keeps a copy of the tarball
// in its own cache, so there are two of them beside the library.
func (s *setup) checkSpace(dir string) error {
	need := uint64(2*s.release.Tarball + s.release.Library)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil // unknown is not full: the writes will tell
	}
	free := fs.Bavail * uint64(fs.Bsize)
	if free < need {
		return fmt.Errorf("%s has %d MB free and %d MB are needed", dir, free>>20, need>>20)
	}
	return nil
}

// fetch lets npm download the tarball into work and returns its path.
func (s *setup) fetch(ctx context.Context, work string) (string, error) {
	npm := s.npm
	if npm == "" {
		var err error
		if npm, err = exec.LookPath("npm"); err != nil {
			return "", fmt.Errorf("npm is needed to fetch the engine and was not found: install Node.js (apt-get install npm, brew install node, https://nodejs.org), or put libchdb.so of release %s anywhere and set %s to it", Version, LibraryEnv)
		}
	}
	spec := s.release.Package + "@" + Version
	cmd := exec.CommandContext(ctx, npm, "pack", spec, "--ignore-scripts", "--loglevel=error", "--update-notifier=false", "--pack-destination", work)
	cmd.Dir = work
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	// Interrupt before kill: npm then removes its own temporary files.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second

	downloads := npmDownloads(ctx, npm)
	phase := s.out.start("Fetching "+spec, s.release.Tarball)
	stop := phase.watch(func() int64 { return max(dirSize(work), dirSize(downloads)) })
	err := cmd.Run()
	stop()
	if err != nil {
		phase.fail()
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("npm pack %s: %w: %s", spec, err, redactURLs(lastLines(stderr.String(), 8)))
	}
	phase.done()
	found, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s left %d tarballs, want 1", spec, len(found))
	}
	return found[0], nil
}

func (s *setup) verify(tarball string) error {
	if s.release.Integrity == "" {
		s.out.line("Note: no checksum of %s is pinned for %s/%s; npm's own check is relied on.", s.release.Package, runtime.GOOS, runtime.GOARCH)
		return nil
	}
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha512.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != s.release.Integrity {
		return fmt.Errorf("checksum of %s is %s, want %s: what npm delivered is not the pinned release", s.release.Package, got, s.release.Integrity)
	}
	return nil
}

// unpack writes the library in the tarball to path. The file is complete and on
// disk when it returns nil.
func (s *setup) unpack(ctx context.Context, tarball, path string) (err error) {
	in, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer in.Close()
	zip, err := gzip.NewReader(bufio.NewReaderSize(in, 1<<20))
	if err != nil {
		return err
	}
	files := tar.NewReader(zip)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("there is no libchdb.so in the tarball")
		}
		if err != nil {
			return err
		}
		if header.Name != "package/libchdb.so" {
			continue
		}
		phase := s.out.start("Unpacking", header.Size)
		if err := writeFile(ctx, path, files, phase); err != nil {
			phase.fail()
			return err
		}
		phase.done()
		return nil
	}
}

func writeFile(ctx context.Context, path string, from io.Reader, phase *phase) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.CopyBuffer(io.MultiWriter(out, phase), &stoppable{ctx, from}, make([]byte, 1<<20)); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}

// stoppable is a reader that ends with its context.
type stoppable struct {
	ctx context.Context
	io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}

// npmDownloads is the folder in which npm collects a download before it is
// complete, empty where it cannot be told.
func npmDownloads(ctx context.Context, npm string) string {
	out, err := exec.CommandContext(ctx, npm, "config", "get", "cache").Output()
	if err != nil {
		return ""
	}
	return filepath.Join(strings.TrimSpace(string(out)), "_cacache", "tmp")
}

func dirSize(dir string) int64 {
	var size int64
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	return size
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

var urlUser = regexp.MustCompile(`://[^/@\s]+@`)

// redactURLs removes user names and passwords from the URLs in text.
func redactURLs(text string) string { return urlUser.ReplaceAllString(text, "://***@") }
