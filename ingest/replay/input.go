package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// signatureSize is how much of the beginning of a file tells it from others.
const signatureSize = 4096

// maxWindow bounds the memory that a zstd stream may ask for.
const maxWindow = 128 << 20

// input is an opened file, decompressed.
type input struct {
	*bufio.Reader
	total  int64 // size as it is stored, 0 when unknown
	raw    atomic.Int64
	stream bool           // no file of its own: cannot be read again
	pipe   *io.PipeReader // what a stream is read through, else nil
	closes []func()
}

// open opens the file of a name, or stdin for "-".
func open(name string, stdin io.Reader) (*input, error) {
	in := &input{}
	var raw io.Reader
	if name == "-" {
		in.stream, raw = true, in.interruptible(stdin)
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		in.closes = append(in.closes, func() { f.Close() })
		info, err := f.Stat()
		if err != nil {
			in.close()
			return nil, err
		}
		if info.IsDir() {
			in.close()
			return nil, fmt.Errorf("%s is a folder", name)
		}
		if raw = f; info.Mode().IsRegular() {
			in.total = info.Size()
		} else {
			in.stream, raw = true, in.interruptible(f)
		}
	}
	in.Reader = bufio.NewReaderSize(counter{raw, &in.raw}, 64<<10)
	return in, nil
}

// interruptible lets interrupt end a read that waits for a terminal or a pipe.
func (in *input) interruptible(r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	in.pipe = pr
	in.closes = append(in.closes, func() { pr.Close() })
	return pr
}

// interrupt ends a read of a stream; it may be called while one is going on.
func (in *input) interrupt() {
	if in.pipe != nil {
		in.pipe.Close()
	}
}

// decompress looks at the first bytes and puts the right reader before them.
func (in *input) decompress() error {
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in.Reader)
		if err != nil {
			return err
		}
		in.Reader = bufio.NewReaderSize(z, 64<<10)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in.Reader, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		in.closes = append(in.closes, z.Close)
		in.Reader = bufio.NewReaderSize(z, 64<<10)
	}
	return nil
}

// signature tells the content from another by its first size bytes, or by those
// that there are.
func (in *input) signature(size int) (hash uint64, n int) {
	head, _ := in.Peek(size) // an error will come again when these bytes are read
	return xxhash.Sum64(head), len(head)
}

func (in *input) close() {
	for _, closeIt := range slices.Backward(in.closes) {
		closeIt()
	}
}

// counter counts the bytes that are read through it.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
