package embedded

import (
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// requestBody unpacks a body: first the Content-Encoding of HTTP, then, where
// blocks is set, ClickHouse's own compressed blocks. Memory is bounded: by the
// window of the encoding and by one block.
func requestBody(body io.Reader, encoding string, blocks bool) (io.Reader, error) {
	var err error
	switch strings.ToLower(encoding) {
	case "", "identity":
	case "gzip", "x-gzip":
		body, err = gzip.NewReader(body)
	case "deflate":
		body, err = zlib.NewReader(body)
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20)); err == nil {
			body = d
		}
	case "lz4":
		body = lz4.NewReader(body)
	case "br":
		body = brotli.NewReader(body)
	default:
		return body, refuse(proto.ErrUnknownCompressionMethod, "Content-Encoding %q is not understood: send gzip, deflate, zstd, lz4, br or none", encoding)
	}
	if err != nil {
		return strings.NewReader(""), badBody(err)
	}
	if blocks {
		counted := &countingReader{Reader: body}
		body = &blockReader{packed: counted, unpack: compress.NewReader(counted)}
	}
	return body, nil
}

// blockReader unpacks ClickHouse's own compressed blocks. It ends with io.EOF
// between two blocks only; the library says EOF within a block too.
type blockReader struct {
	packed  *countingReader
	unpack  io.Reader
	between int64 // how much of packed was read when the last block was complete
}

func (b *blockReader) Read(p []byte) (int, error) {
	n, err := b.unpack.Read(p)
	switch {
	case err == nil:
		b.between = b.packed.n
	case errors.Is(err, io.EOF) && b.packed.n == b.between:
		err = io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

type countingReader struct {
	io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// acceptedEncoding picks the encoding of an answer from Accept-Encoding.
func acceptedEncoding(accept string) string {
	for _, want := range []string{"zstd", "lz4", "gzip", "deflate", "br"} {
		for offered := range strings.SplitSeq(accept, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(offered), ";")
			if strings.EqualFold(name, want) {
				return want
			}
		}
	}
	return ""
}

// encoder packs an answer.
type encoder interface {
	io.WriteCloser
	Flush() error
}

func newEncoder(w io.Writer, encoding string) (encoder, error) {
	switch encoding {
	case "gzip":
		return gzip.NewWriterLevel(w, gzip.BestSpeed)
	case "deflate":
		return zlib.NewWriterLevel(w, zlib.BestSpeed)
	case "lz4":
		return lz4.NewWriter(w), nil
	case "br":
		return brotli.NewWriterLevel(w, brotli.BestSpeed), nil
	case "zstd":
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	return plain{w}, nil
}

// plain packs nothing.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }
func (plain) Flush() error { return nil }

// blockSize is how much of an answer goes into one compressed block.
const blockSize = 1 << 20

// blockWriter writes ClickHouse's own compressed blocks.
type blockWriter struct {
	to io.Writer
	*compress.Writer
}

func newBlockWriter(w io.Writer, zstdBlocks bool) *blockWriter {
	method := compress.LZ4
	if zstdBlocks {
		method = compress.ZSTD
	}
	return &blockWriter{w, compress.NewWriter(compress.LevelZero, method)}
}

func (b *blockWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), blockSize)
		if err := b.Compress(p[:n]); err != nil {
			return written, err
		}
		if _, err := b.to.Write(b.Data); err != nil {
			return written, err
		}
		written += n
		p = p[n:]
	}
	return written, nil
}
