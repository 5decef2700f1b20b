package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outcry/post"
)

// remains tells what the base table itself says of a post, versions and all.
func remains(t *testing.T, s *Store, key post.Key) []string {
	t.Helper()
	return lines(t, s, fmt.Sprintf("SELECT concat(text, '|', permalink, '|', arrayStringConcat(links, ' '), '|', toString(author), '|', arrayStringConcat(issues, ' ')) FROM mentions WHERE post_key = %d", key))
}

func TestADeletedPostIsGoneWhateverCameFirst(t *testing.T) {
	s := newStore(t)
	gone := mention(1, noon, about("tax-office", "city"), withIssues("overload"))
	kept := mention(2, noon)
	deletion := []post.Post{{Kind: post.KindDelete, Key: 1}}
	for name, steps := range map[string][]func() error{
		"post first": {
			func() error { return s.InsertMentions(t.Context(), []post.Mention{gone, kept}) },
			func() error { return s.InsertDeletes(t.Context(), deletion) },
		},
		"deletion first": {
			func() error { return s.InsertDeletes(t.Context(), deletion) },
			func() error { return s.InsertMentions(t.Context(), []post.Mention{gone, kept}) },
		},
		"delivered again": {
			func() error { return s.InsertMentions(t.Context(), []post.Mention{gone}) },
			func() error { return s.InsertDeletes(t.Context(), deletion) },
			func() error { return s.InsertDeletes(t.Context(), deletion) },
			func() error { return s.InsertMentions(t.Context(), []post.Mention{gone, kept}) },
		},
		"edited after its deletion": {
			func() error { return s.InsertDeletes(t.Context(), deletion) },
			func() error {
				edit := gone
				edited(noon.Add(time.Hour), "edited")(&edit)
				return s.InsertMentions(t.Context(), []post.Mention{edit, kept})
			},
		},
	} {
		for _, table := range []string{"mentions", "mention_keys", "series_1m", "deletes"} {
			exec(t, s, "TRUNCATE TABLE "+table)
		}
		for _, step := range steps {
			must(t, step())
		}
		got, err := s.Mentions(t.Context(), post.MentionQuery{})
		must(t, err)
		if !slices.Equal(keysOf(got), []post.Key{2}) {
			t.Errorf("%s: mentions of %v, want only 2", name, keysOf(got))
		}
		if view := lines(t, s, "SELECT text FROM v_mentions"); !slices.Equal(view, []string{"post 2"}) {
			t.Errorf("%s: the view shows %q", name, view)
		}
		points, err := s.Points(t.Context(), post.SeriesQuery{From: noon, To: noon.Add(time.Minute), Agency: "tax-office"})
		must(t, err)
		if len(points) != 1 || points[0].Posts != 2 || points[0].Authors != 2 {
			t.Errorf("%s: points %+v, want both posts counted", name, points)
		}
		if rows, distinct, err := s.CountMentions(t.Context(), "test"); err != nil || rows != 3 || distinct != 2 {
			t.Errorf("%s: %d rows of %d posts, %v; want 3 of 2", name, rows, distinct, err)
		}
		exec(t, s, "OPTIMIZE TABLE mentions FINAL")
		if left := remains(t, s, 1); !slices.Equal(left, []string{"|||0|", "|||0|"}) {
			t.Errorf("%s: after the merge the table holds %q", name, left)
		}
	}
}

func TestATombstoneIsKeptWhereItMattered(t *testing.T) {
	s := newStore(t, func(c *Config) { c.TombstoneTTL = time.Hour })
	s.now = func() time.Time { return noon } // long ago
	must(t, s.InsertMentions(t.Context(), []post.Mention{mention(1, noon)}))
	must(t, s.InsertDeletes(t.Context(), []post.Post{{Key: 1}, {Key: 2}}))
	must(t, s.InsertDeletes(t.Context(), []post.Post{{Key: 1}}))
	exec(t, s, "OPTIMIZE TABLE deletes FINAL")
	if kept := lines(t, s, "SELECT toString(post_key) FROM deletes WHERE found"); !slices.Equal(kept, []string{"1"}) {
		t.Errorf("tombstones kept for %q, want for post 1 only", kept)
	}
	if n := line(t, s, "SELECT toString(count()) FROM deletes"); n != "1" {
		t.Errorf("%s tombstones, want the one that mattered", n)
	}
}

func TestAnEditReplacesTheText(t *testing.T) {
	s := newStore(t)
	original := mention(1, noon, about("tax-office", "city"), withIssues("overload"))
	edit := mention(1, noon, about("tax-office"), withIssues("phone"), edited(noon.Add(time.Hour), "second thoughts"))
	for name, order := range map[string][]post.Mention{
		"in order":  {original, edit},
		"reversed":  {edit, original},
		"repeated":  {original, edit, original},
		"one batch": nil,
	} {
		for _, table := range []string{"mentions", "mention_keys", "series_1m", "deletes"} {
			exec(t, s, "TRUNCATE TABLE "+table)
		}
		if order == nil {
			must(t, s.InsertMentions(t.Context(), []post.Mention{edit, original}))
		}
		for _, m := range order {
			must(t, s.InsertMentions(t.Context(), []post.Mention{m}))
		}
		got, err := s.Mentions(t.Context(), post.MentionQuery{})
		must(t, err)
		if len(got) != 1 || got[0].Text != "second thoughts" || got[0].Kind != post.KindEdit || !got[0].Edited.Equal(edit.Edited) || got[0].Issues[0].ID != "phone" {
			t.Errorf("%s: got %+v, want the edit", name, got)
		}
		// The edit no longer concerns the city, whose row held the old text.
		city, err := s.Mentions(t.Context(), post.MentionQuery{Agency: "city"})
		must(t, err)
		if len(city) != 0 {
			t.Errorf("%s: the city still has %q", name, texts(city))
		}
		exec(t, s, "OPTIMIZE TABLE mentions FINAL")
		for _, left := range remains(t, s, 1) {
			if strings.Contains(left, "post 1") {
				t.Errorf("%s: the old text is still in the table: %q", name, left)
			}
		}
	}
}

func TestTextsEndWithTheirRetention(t *testing.T) {
	s := newStore(t, func(c *Config) { c.TextTTL = 24 * time.Hour })
	now := time.Now()
	old := mention(1, now.Add(-48*time.Hour))
	archive := mention(2, noon.AddDate(-10, 0, 0), func(m *post.Mention) { m.Arrived = now }) // retention counts from arrival
	must(t, s.InsertMentions(t.Context(), []post.Mention{old, archive}))
	exec(t, s, "OPTIMIZE TABLE mentions FINAL")
	got, err := s.Mentions(t.Context(), post.MentionQuery{})
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("%d mentions, want both", len(got))
	}
	if m := got[0]; m.Key != 1 || m.Text != "" || m.Permalink != "" || len(m.Links) != 0 || m.Sentiment.Label != post.Negative {
		t.Errorf("after its retention the post is %+v, want it without text, permalink and links, and with the rest", m)
	}
	if m := got[1]; m.Text != "post 2" || m.Permalink == "" || len(m.Links) != 1 {
		t.Errorf("the archived post is %+v, want it whole", m)
	}
}

// Writers of posts and of deletions at the same time: whichever comes first,
// every deleted post is gone when both have returned.
func TestDeletionsRaceWithPosts(t *testing.T) {
	s := newStore(t)
	const posts, batch = 400, 50
	r := rand.New(rand.NewPCG(3, 4))
	order := func() []int { return r.Perm(posts) }
	var wg sync.WaitGroup
	for chunk := range slices.Chunk(order(), batch) {
		wg.Go(func() {
			var mentions []post.Mention
			for _, i := range chunk {
				mentions = append(mentions, mention(post.Key(i+1), noon.Add(time.Duration(i)*time.Second)))
			}
			if err := s.InsertMentions(t.Context(), mentions); err != nil {
				t.Error(err)
			}
		})
	}
	for chunk := range slices.Chunk(order(), batch) {
		wg.Go(func() {
			var deletes []post.Post
			for _, i := range chunk {
				if i%2 == 0 {
					deletes = append(deletes, post.Post{Key: post.Key(i + 1)})
				}
			}
			if err := s.InsertDeletes(t.Context(), deletes); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := line(t, s, "SELECT toString(countIf(post_key % 2 = 1)) FROM v_mentions"); n != "0" {
		t.Errorf("%s deleted posts are read", n)
	}
	if n := line(t, s, "SELECT toString(uniqExact(post_key)) FROM v_mentions"); n != "200" {
		t.Errorf("%s posts are read, want 200", n)
	}
}

// Between its two steps a post that arrives after its deletion has a row with
// text. If the process dies there, reads must not show it.
func TestReadsLookAtTombstones(t *testing.T) {
	s := newStore(t)
	must(t, s.InsertDeletes(t.Context(), []post.Post{{Key: 1}}))
	exec(t, s, `INSERT INTO mentions (agency, time, post_key, version, text, platform, stored_at, arrived)
		SELECT 'tax-office', now64(3), 1, now64(3), 'should be gone', 'x', now64(3), now64(3)`)
	for name, q := range map[string]post.MentionQuery{"newest": {}, "after": {After: &post.MentionCursor{}}} {
		got, err := s.Mentions(t.Context(), q)
		must(t, err)
		if len(got) != 0 {
			t.Errorf("%s: read %q", name, texts(got))
		}
	}
	got, err := s.MentionsByKey(t.Context(), []post.Key{1})
	must(t, err)
	if len(got) != 0 {
		t.Errorf("by key: read %q", texts(got))
	}
}
