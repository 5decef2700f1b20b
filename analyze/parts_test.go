package analyze

import (
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/post"
)

// TestLargeBatchIsStoredInParts: a part that fails is repeated, the others are
// not, and the batch is done when all are stored.
func TestLargeBatchIsStoredInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const posts = 3*leastPart + 1
		values := make([][]byte, posts)
		for i := range values {
			values[i] = encode(t, newPost(post.Key(i+1), "the portal is down"))
		}
		store := &fakeStore{failures: map[string]int{whatMentions: 2}}
		a := newAnalyzer(store, prometheus.NewRegistry())
		if err := a.Handle(t.Context(), messages(values...)); err != nil {
			t.Fatal(err)
		}
		if len(store.calls) != 3+2 {
			t.Errorf("%d attempts, want 3 parts and 2 repetitions", len(store.calls))
		}
		seen := map[post.Key]bool{}
		for _, m := range store.mentions {
			seen[m.Key] = true
		}
		if len(seen) != posts || len(store.mentions) != posts {
			t.Errorf("%d posts in %d rows are stored, want %d", len(seen), len(store.mentions), posts)
		}
	})
}
