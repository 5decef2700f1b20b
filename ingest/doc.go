// Package ingest takes posts out of the world and puts them on Kafka. A Source
// reads; the Supervisor normalises what it read, keeps the posts that concern an
// agency, publishes them, and only then acknowledges and moves the cursor.
//
// Promise:
//   - A source's cursor covers only posts that Kafka has acknowledged, and
//     everything before them. A crash at any moment re-reads; it never skips.
//   - Events of one post reach Kafka in the order in which the source gave them.
//   - What leaves here is valid UTF-8 in NFC, without control characters, of
//     bounded size, with a time that every later part can store, and with the
//     author replaced by a keyed hash.
//   - Input that cannot be used goes to the dead letter with its reason and is
//     counted; its neighbours go on.
//
// Event times of live sources are clamped to [arrival − 24 h, arrival + 1 min].
// Archives (replay, the history of the simulator) are trusted for the past: only
// the upper clamp holds for them. Arrived is always the moment of reading, since
// the retention of text counts from capture.
//
// Limits: delivery is at least once. Everything downstream counts distinct post
// keys, so a repetition moves no number.
package ingest
