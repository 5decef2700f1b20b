package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

// How withdrawn words disappear, in whatever order the events arrive.
//
// A tombstone says that every version of a post before some time is withdrawn:
// all of them when the post was deleted, the earlier ones when it was edited
// (an edit may no longer concern an agency that the post concerned before, and
// the row of that agency would keep the old text otherwise). A withdrawn row is
// replaced by an empty one of a later version, which ReplacingMergeTree prefers
// at once in FINAL reads and for good at the next merge.
//
//	delete or edit:  write tombstone, then look for rows       and empty them
//	post:            write rows,      then look for tombstones and empty them
//
// Both write first and look second, so of two that happen at the same time at
// least one sees the other, and no lock is needed. Between its two steps a post
// that arrives after its deletion has rows with text: the reads of this package
// look at the tombstones once more for what they return.
//
// The rollup counts a withdrawn post: it was said. So its numbers do not depend
// on the order either.

var deletesTarget = newTarget("deletes",
	"post_key UInt64",
	"before DateTime64(3, 'UTC')",
	"found Bool",
	"written_at DateTime64(3, 'UTC')",
)

var emptyTarget = newTarget("mentions",
	"agency LowCardinality(String)",
	"time DateTime64(3, 'UTC')",
	"post_key UInt64",
	"version DateTime64(3, 'UTC')",
	"withdrawn Bool",
	"platform LowCardinality(String)",
	"source LowCardinality(String)",
	"arrived DateTime64(3, 'UTC')",
	"stored_at DateTime64(3, 'UTC')",
	"label "+polarityType,
)

// forever withdraws every version of a post. It is after all times that a
// column of this package holds.
var forever = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// keysPerQuery bounds the keys in the text of one query: 11 bytes each, within
// the 256 kB that ClickHouse parses.
const keysPerQuery = 10_000

// tombstones says until when the versions of a post are withdrawn, by post.
type tombstones map[post.Key]time.Time

func (t tombstones) keys() []post.Key {
	keys := make([]post.Key, 0, len(t))
	for key := range t {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// InsertDeletes withdraws posts: their text, permalink, links, author and
// classification disappear from the store, whether the posts are stored already
// or arrive later. The counts of the rollup stay. One attempt; repeat it on an
// error.
func (s *Store) InsertDeletes(ctx context.Context, posts []post.Post) error {
	withdrawn := make(tombstones, len(posts))
	for i := range posts {
		withdrawn[posts[i].Key] = forever
	}
	return s.withdraw(ctx, withdrawn)
}

// withdraw writes tombstones and empties the rows that they concern.
func (s *Store) withdraw(ctx context.Context, withdrawn tombstones) error {
	if len(withdrawn) == 0 {
		return nil
	}
	if err := s.insertTombstones(ctx, withdrawn, withdrawn.keys(), false); err != nil {
		return err
	}
	return s.empty(ctx, withdrawn)
}

// withdrawInserted looks for tombstones of mentions that were just stored, and
// withdraws the earlier versions of those that are edits.
func (s *Store) withdrawInserted(ctx context.Context, mentions []post.Mention) error {
	keys := make([]post.Key, len(mentions))
	edits := tombstones{}
	for i := range mentions {
		m := &mentions[i]
		keys[i] = m.Key
		if version := clamp(m.Version()); m.Kind == post.KindEdit && version.After(edits[m.Key]) {
			edits[m.Key] = version
		}
	}
	if err := s.withdraw(ctx, edits); err != nil {
		return err
	}
	found, err := s.tombstones(ctx, keys)
	if err != nil {
		return err
	}
	for key, before := range found {
		if !before.After(edits[key]) {
			delete(found, key) // done above
		}
	}
	return s.empty(ctx, found)
}

// tombstones gives those of the posts.
func (s *Store) tombstones(ctx context.Context, keys []post.Key) (tombstones, error) {
	found := tombstones{}
	for chunk := range slices.Chunk(keys, keysPerQuery) {
		err := s.query(ctx, "withdraw", "SELECT post_key, max(before) FROM deletes WHERE post_key IN "+keySet(chunk)+" GROUP BY post_key", nil,
			func(rows driver.Rows) error {
				var key uint64
				var before time.Time
				if err := rows.Scan(&key, &before); err != nil {
					return err
				}
				found[post.Key(key)] = before.UTC()
				return nil
			})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// storedRow is what an empty row keeps of the one that it replaces.
type storedRow struct {
	agency, platform, source string
	time, arrived, storedAt  time.Time
	key                      post.Key
}

// empty replaces the rows of versions before their tombstone by empty ones, and
// marks the tombstones that concerned something as worth keeping.
func (s *Store) empty(ctx context.Context, withdrawn tombstones) error {
	for keys := range slices.Chunk(withdrawn.keys(), keysPerQuery) {
		rows, err := s.rowsBefore(ctx, keys, withdrawn)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		if err := s.insertEmpty(ctx, rows, withdrawn); err != nil {
			return err
		}
		found := make([]post.Key, len(rows))
		for i := range rows {
			found[i] = rows[i].key
		}
		slices.Sort(found)
		if err := s.insertTombstones(ctx, withdrawn, slices.Compact(found), true); err != nil {
			return err
		}
		s.metrics.emptied(len(rows))
	}
	return nil
}

// rowsBefore finds the stored rows whose version is before their tombstone.
func (s *Store) rowsBefore(ctx context.Context, keys []post.Key, withdrawn tombstones) ([]storedRow, error) {
	sql := `SELECT agency, time, post_key, version, platform, source, arrived, stored_at
FROM mentions FINAL
WHERE NOT withdrawn AND (agency, time, post_key) IN (
    SELECT agency, time, post_key FROM ` + s.layout.local("mention_keys") + ` WHERE post_key IN ` + keySet(keys) + `)`
	var found []storedRow
	err := s.query(ctx, "withdraw", sql, nil, func(rows driver.Rows) error {
		var r storedRow
		var key uint64
		var version time.Time
		if err := rows.Scan(&r.agency, &r.time, &key, &version, &r.platform, &r.source, &r.arrived, &r.storedAt); err != nil {
			return err
		}
		if r.key = post.Key(key); version.Before(withdrawn[r.key]) {
			found = append(found, r)
		}
		return nil
	})
	return found, err
}

func (s *Store) insertEmpty(ctx context.Context, rows []storedRow, withdrawn tombstones) error {
	return s.insert(ctx, emptyTarget, func(batch driver.Batch) error {
		for i := range rows {
			r := &rows[i]
			err := batch.Append(r.agency, r.time, uint64(r.key), withdrawn[r.key], true,
				r.platform, r.source, r.arrived, r.storedAt, polarity(post.Neutral))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) insertTombstones(ctx context.Context, withdrawn tombstones, keys []post.Key, found bool) error {
	now := s.now()
	return s.insert(ctx, deletesTarget, func(batch driver.Batch) error {
		for _, key := range keys {
			if err := batch.Append(uint64(key), withdrawn[key], found, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// keySet writes keys as the right side of an IN. As base64 they cost ClickHouse a
// quarter of what reading as many numbers does, and cannot carry SQL; as a
// parameter they would not fit into an address.
func keySet(keys []post.Key) string {
	raw := make([]byte, 0, 8*len(keys))
	for _, key := range keys {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(key))
	}
	return "(SELECT reinterpretAsUInt64(substring(base64Decode('" + base64.StdEncoding.EncodeToString(raw) +
		"'), number * 8 + 1, 8)) FROM numbers(" + strconv.Itoa(len(keys)) + "))"
}
