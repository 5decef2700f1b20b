package embedded

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// fakeNpm is a command that behaves as npm does with `npm pack` and
// `npm config get cache`: it copies tarball, or does what body says.
func fakeNpm(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "npm")
	script := `#!/bin/sh
if [ "$1" = config ]; then echo "` + t.TempDir() + `"; exit 0; fi
while [ $# -gt 0 ]; do if [ "$1" = --pack-destination ]; then dest=$2; fi; shift; done
` + body
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// tarball is a package that holds library, and its integrity.
func tarball(t *testing.T, library []byte) (path, integrity string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	files := tar.NewWriter(z)
	for name, content := range map[string][]byte{"package/package.json": []byte("{}"), "package/libchdb.so": library, "../../evil": []byte("x")} {
		if err := files.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(files.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "package.tgz")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(b.Bytes())
	return path, "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

func newSetup(t *testing.T, npm, integrity string) (*setup, *bytes.Buffer) {
	var out bytes.Buffer
	return &setup{
		release: release{Package: "@chdb/lib-test", Integrity: integrity, Tarball: 1 << 20, Library: 1 << 20},
		target:  filepath.Join(t.TempDir(), "cache", "libchdb.so"),
		out:     newPhases(&out),
		npm:     npm,
	}, &out
}

// onlyLock fails the test when the cache holds more than the lock and want.
func onlyLock(t *testing.T, target string, want bool) {
	t.Helper()
	entries, _ := os.ReadDir(filepath.Dir(target))
	for _, e := range entries {
		if e.Name() != "setup.lock" && (e.Name() != "libchdb.so" || !want) {
			t.Errorf("%s was left behind", e.Name())
		}
	}
	if _, err := os.Stat(target); (err == nil) != want {
		t.Errorf("library there: %v, want %v", err == nil, want)
	}
}

func TestSetupFetchesVerifiesAndUnpacks(t *testing.T) {
	library := bytes.Repeat([]byte("library"), 500_000)
	path, integrity := tarball(t, library)
	s, out := newSetup(t, fakeNpm(t, `cp `+path+` "$dest/x.tgz"`), integrity)
	// What a killed setup left is cleared away.
	if err := os.MkdirAll(filepath.Join(filepath.Dir(s.target), "setup-1.tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	onlyLock(t, s.target, true)
	if got, err := os.ReadFile(s.target); err != nil || !bytes.Equal(got, library) {
		t.Errorf("the library has %d bytes, want %d, %v", len(got), len(library), err)
	}
	for _, want := range []string{"Fetching @chdb/lib-test@" + Version, "Unpacking", s.target} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the progress does not say %q: %s", want, out)
		}
	}
}

func TestSetupRefusesAndLeavesNothing(t *testing.T) {
	path, integrity := tarball(t, []byte("library"))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.tgz")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, body, integrity, want string }{
		{"wrong checksum", `cp ` + path + ` "$dest/x.tgz"`, "sha512-other", "not the pinned release"},
		{"cut download", `cp ` + cut + ` "$dest/x.tgz"`, integrity, "not the pinned release"},
		{"cut download, nothing pinned", `cp ` + cut + ` "$dest/x.tgz"`, "", "unpack"},
		{"no tarball", "true", integrity, "0 tarballs"},
		{"npm fails", `echo "npm error 404 from https://user:secret@host/x" >&2; exit 1`, integrity, "npm error 404 from https://***@host/x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := newSetup(t, fakeNpm(t, tc.body), tc.integrity)
			if err := s.run(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			onlyLock(t, s.target, false)
		})
	}
}

func TestSetupWithoutNpmSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s, _ := newSetup(t, "", "")
	if err := s.run(t.Context()); err == nil || !strings.Contains(err.Error(), "install Node.js") || !strings.Contains(err.Error(), LibraryEnv) {
		t.Errorf("error %v", err)
	}
	onlyLock(t, s.target, false)
}

func TestSetupWithoutSpaceSaysSo(t *testing.T) {
	path, integrity := tarball(t, []byte("library"))
	s, _ := newSetup(t, fakeNpm(t, `cp `+path+` "$dest/x.tgz"`), integrity)
	s.release.Library = 1 << 60
	if err := s.run(t.Context()); err == nil || !strings.Contains(err.Error(), "MB free") {
		t.Errorf("error %v", err)
	}
}

func TestInterruptedSetupLeavesNothing(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	s, _ := newSetup(t, fakeNpm(t, `echo half > "$dest/x.tgz"; touch `+started+`; exec sleep 600`), "")
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(started); err == nil {
				stop()
				return
			}
			runtime.Gosched()
		}
	}()
	if err := s.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
	onlyLock(t, s.target, false)
}

// Two setups at once fetch once.
func TestSetupsWaitForEachOther(t *testing.T) {
	path, integrity := tarball(t, []byte("library"))
	count := filepath.Join(t.TempDir(), "count")
	npm := fakeNpm(t, `echo x >> `+count+`; cp `+path+` "$dest/x.tgz"`)
	target := filepath.Join(t.TempDir(), "cache", "libchdb.so")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s, _ := newSetup(t, npm, integrity)
			s.target = target
			if err := s.run(t.Context()); err != nil {
				t.Errorf("setup %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	onlyLock(t, target, true)
	if got, _ := os.ReadFile(count); string(got) != "x\n" {
		t.Errorf("npm ran %d times", bytes.Count(got, []byte("\n")))
	}
}

// The pinned platform is complete; the others at least have a package.
func TestReleases(t *testing.T) {
	pinned := releases["linux/amd64"]
	if !strings.HasPrefix(pinned.Integrity, "sha512-") || pinned.Tarball == 0 || pinned.Library == 0 {
		t.Errorf("linux/amd64 is not pinned: %+v", pinned)
	}
	for platform, rel := range releases {
		if !strings.HasPrefix(rel.Package, "@chdb/") {
			t.Errorf("%s: package %q", platform, rel.Package)
		}
	}
	if path, err := cachedLibrary(); err != nil || !strings.Contains(path, filepath.Join("outcry", "libchdb", Version, fmt.Sprintf("%s-%s", runtime.GOOS, runtime.GOARCH), "libchdb.so")) {
		t.Errorf("%s, %v", path, err)
	}
}

func TestAnotherLibraryIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(path, []byte("not a library"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := loadChdb(path); err == nil || !strings.Contains(err.Error(), "load the ClickHouse engine") {
		t.Errorf("no library: %v", err)
	}
	if _, err := loadChdb("libc.so.6"); err == nil || !strings.Contains(err.Error(), "outcry setup") {
		t.Skipf("skipped: libc.so.6 is not loadable here: %v", err)
	}
}
