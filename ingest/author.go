package ingest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"outcry/post"
)

// minSecret is the length in bytes below which an author secret is refused: a
// short one could be guessed and the hashes undone by trying every author.
const minSecret = 16

// pseudonymiser turns author ids into keyed hashes. It is for one goroutine.
type pseudonymiser struct {
	mac hash.Hash
	sum [sha256.Size]byte
	buf []byte
}

func newPseudonymiser(secret []byte) *pseudonymiser {
	return &pseudonymiser{mac: hmac.New(sha256.New, secret)}
}

// author is the first 8 bytes of HMAC-SHA256(secret, platform ‖ 0 ‖ id), and 0
// for an unknown author. It is the only trace of the author that leaves ingest.
func (p *pseudonymiser) author(platform, id string) post.Key {
	if id == "" {
		return 0
	}
	p.buf = append(p.buf[:0], platform...)
	p.buf = append(p.buf, 0)
	p.buf = append(p.buf, id...)
	p.mac.Reset()
	p.mac.Write(p.buf)
	return post.Key(binary.BigEndian.Uint64(p.mac.Sum(p.sum[:0])))
}

// LoadSecret reads the author secret of a data directory, and makes one, for
// the owner's eyes only, where there is none. Processes that start at once agree
// on one. Losing the file makes every author look new.
func LoadSecret(path string) ([]byte, error) {
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create author secret: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".author-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("create author secret: %w", err)
	}
	defer os.Remove(tmp.Name())
	fresh := make([]byte, 32)
	rand.Read(fresh) // never fails
	_, err = tmp.WriteString(hex.EncodeToString(fresh) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, fmt.Errorf("create author secret: %w", err)
	}
	// A link, unlike a rename, does not replace what another process made first.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create author secret: %w", err)
	}
	return readSecret(path)
}

func readSecret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read author secret: %w", err)
	}
	secret := []byte(strings.TrimSpace(string(b)))
	if len(secret) < minSecret {
		return nil, fmt.Errorf("author secret %s has %d bytes, at least %d are needed", path, len(secret), minSecret)
	}
	return secret, nil
}
