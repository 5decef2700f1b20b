package store

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

const polarityType = "Enum8('negative' = -1, 'neutral' = 0, 'positive' = 1)"

var mentionsTarget = newTarget("mentions",
	"agency LowCardinality(String)",
	"time DateTime64(3, 'UTC')",
	"post_key UInt64",
	"version DateTime64(3, 'UTC')",
	"withdrawn Bool",
	"platform LowCardinality(String)",
	"source LowCardinality(String)",
	"arrived DateTime64(3, 'UTC')",
	"stored_at DateTime64(3, 'UTC')",
	"platform_language LowCardinality(String)",
	"language LowCardinality(String)",
	"author UInt64",
	"text String",
	"permalink String",
	"links Array(String)",
	"agencies Array(LowCardinality(String))",
	"label "+polarityType,
	"score Float32",
	"confidence Float32",
	"scorer LowCardinality(String)",
	"complaint Float32",
	"issues Array(LowCardinality(String))",
	"issue_scores Array(Float32)",
	"touch_points Array(LowCardinality(String))",
	"touch_point_scores Array(Float32)",
)

// InsertMentions stores each mention once for every agency that it concerns, in
// one attempt. Posts whose withdrawal is known already are emptied before it
// returns. On an error some rows may be stored; repeat the whole batch.
func (s *Store) InsertMentions(ctx context.Context, mentions []post.Mention) error {
	if len(mentions) == 0 {
		return nil
	}
	now := s.now()
	err := s.insert(ctx, mentionsTarget, func(batch driver.Batch) error {
		for i := range mentions {
			if err := appendMention(batch, &mentions[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.withdrawInserted(ctx, mentions)
}

// mentionRow holds the values that do not depend on the agency, boxed once.
type mentionRow [25]any

func appendMention(batch driver.Batch, m *post.Mention, now time.Time) error {
	issues, issueScores := split(m.Issues)
	touchPoints, touchPointScores := split(m.TouchPoints)
	row := mentionRow{
		"", clamp(m.Time), uint64(m.Key), clamp(m.Version()), false,
		m.Platform, m.Source, clamp(m.Arrived), now,
		m.Language, m.DetectedLanguage, uint64(m.Author), m.Text, m.Permalink,
		m.Links, m.Agencies,
		polarity(m.Sentiment.Label), bounded(m.Sentiment.Score, -1, 1), bounded(m.Sentiment.Confidence, 0, 1),
		m.Sentiment.Scorer, bounded(m.Complaint, 0, 1),
		issues, issueScores, touchPoints, touchPointScores,
	}
	for _, agency := range m.Agencies {
		row[0] = agency
		if err := batch.Append(row[:]...); err != nil {
			return err
		}
	}
	return nil
}

// split takes labels apart into the two columns that hold them.
func split(labels []post.Label) (ids []string, scores []float32) {
	if len(labels) == 0 {
		return nil, nil
	}
	ids = make([]string, len(labels))
	scores = make([]float32, len(labels))
	for i, l := range labels {
		ids[i], scores[i] = l.ID, bounded(l.Score, 0, 1)
	}
	return ids, scores
}

// join puts the two columns together again.
func join(ids []string, scores []float32) []post.Label {
	if len(ids) == 0 {
		return nil
	}
	labels := make([]post.Label, len(ids))
	for i, id := range ids {
		labels[i].ID = strings.Clone(id)
		if i < len(scores) {
			labels[i].Score = scores[i]
		}
	}
	return labels
}

// polarity is the stored form of a label. What is no label is neutral: a faulty
// scorer must not stop the stream.
func polarity(p post.Polarity) int8 {
	switch p {
	case post.Negative:
		return -1
	case post.Positive:
		return 1
	}
	return 0
}

// bounded brings a score into its range; what is not a number becomes the value
// of the range nearest to zero.
func bounded(v, low, high float32) float32 {
	if math.IsNaN(float64(v)) {
		return max(low, 0)
	}
	return min(max(v, low), high)
}
