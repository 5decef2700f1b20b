package config

import (
	"testing"

	"pgregory.net/rapid"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]ByteSize{
		"0": 0, "17": 17, "17B": 17, "1kB": 1000, "1KB": 1000, "1KiB": KiB, "64MiB": 64 * MiB,
		"1.5GiB": 1536 * MiB, "2 TiB": 2 * TiB, "500MB": 500_000_000,
	} {
		var b ByteSize
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q: got %d, %v; want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "1XB", "MiB", "NaN", "Inf", "9e99GiB", "10000000TiB"} {
		var b ByteSize
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, b)
		}
	}
}

func TestByteSizeReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Numbers below 2^53 are exact in the floating point of the reader.
		want := ByteSize(rapid.Int64Range(0, 1<<53).Draw(t, "bytes"))
		var got ByteSize
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Fatalf("%s was read as %d, %v", want, got, err)
		}
	})
}
