package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAuthorHash(t *testing.T) {
	secret := []byte("0123456789abcdef")
	p := newPseudonymiser(secret)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("x\x00alice"))
	if got := p.author("x", "alice"); uint64(got) != binary.BigEndian.Uint64(mac.Sum(nil)) {
		t.Errorf("the hash is %d", got)
	}
	if first, again := p.author("x", "alice"), p.author("x", "alice"); first != again {
		t.Error("the same author has two hashes")
	}
	if p.author("x", "alice") == p.author("y", "alice") || p.author("x", "alice") == newPseudonymiser([]byte("another secret..")).author("x", "alice") {
		t.Error("platform or secret do not matter")
	}
	if p.author("x", "") != 0 {
		t.Error("an unknown author has a hash")
	}
}

func TestLoadSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret", "author-hash.key")
	var wg sync.WaitGroup
	secrets := make([]string, 8)
	for i := range secrets { // several processes start at once
		wg.Go(func() {
			s, err := LoadSecret(path)
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(s)
		})
	}
	wg.Wait()
	for _, s := range secrets {
		if len(s) != 64 || s != secrets[0] {
			t.Fatalf("secrets of %d bytes differ", len(s))
		}
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", p, info.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".author-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecret(path); err == nil || strings.Contains(err.Error(), "short\n") {
		t.Errorf("a short secret gives %v", err)
	}
}

func TestKey(t *testing.T) {
	if Key("a", "bc") == Key("ab", "c") {
		t.Error("platform and id run together")
	}
	// Pinned: keys are stored for years.
	if got := Key("bluesky", "at://did:plc:x/app.bsky.feed.post/1"); got != 13586677178861831289 {
		t.Errorf("the key is %d", got)
	}
}
