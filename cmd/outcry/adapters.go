package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"outcry/alert"
	"outcry/analyze"
	"outcry/bus"
	"outcry/detect"
	"outcry/ingest"
	"outcry/post"
	"outcry/store"
	"outcry/web"
)

// publishPosts encodes posts for Kafka. The key is the post's, so that a burst
// about one agency spreads over the partitions while a post and its edits stay
// in order.
func publishPosts(p *bus.Producer) func(context.Context, []post.Post) error {
	return func(ctx context.Context, posts []post.Post) error {
		return publishJSON(ctx, p, posts, func(p *post.Post) string { return p.Key.String() })
	}
}

func publishDeadLetters(p *bus.Producer) func(context.Context, []post.DeadLetter) error {
	return func(ctx context.Context, letters []post.DeadLetter) error {
		return publishJSON(ctx, p, letters, func(l *post.DeadLetter) string { return l.Source })
	}
}

func publishAlerts(p *bus.Producer) func(context.Context, []post.AlertChange) error {
	return func(ctx context.Context, changes []post.AlertChange) error {
		return publishJSON(ctx, p, changes, func(c *post.AlertChange) string { return c.Fingerprint.String() })
	}
}

func publishJSON[T any](ctx context.Context, p *bus.Producer, values []T, key func(*T) string) error {
	msgs := make([]bus.Message, len(values))
	for i := range values {
		value, err := json.Marshal(&values[i])
		if err != nil {
			return fmt.Errorf("encode for Kafka: %w", err)
		}
		msgs[i] = bus.Message{Key: []byte(key(&values[i])), Value: value}
	}
	return p.Publish(ctx, msgs)
}

// consumePosts hands the posts of Kafka to the analyzer, batch by batch.
func consumePosts(client *bus.Client, cfg bus.GroupConfig) func(context.Context, analyze.Handler) error {
	cfg.Group, cfg.Topic = groupAnalyze, bus.TopicPosts
	return func(ctx context.Context, handle analyze.Handler) error {
		return client.Consume(ctx, cfg, func(ctx context.Context, batch []bus.Message) error {
			messages := make([]analyze.Message, len(batch))
			for i := range batch {
				messages[i] = analyze.Message{Value: batch[i].Value, Partition: batch[i].Partition, Offset: batch[i].Offset}
			}
			return handle(ctx, messages)
		})
	}
}

// seriesReader streams the points of series.
type seriesReader interface {
	EachPoint(ctx context.Context, q post.SeriesQuery, fn func(post.Point) error) error
}

var _ seriesReader = (*store.Store)(nil)

// expecter tells the board what is normal, by the detector that the alerts use.
type expecter struct {
	series  seriesReader
	params  detect.Params
	history time.Duration
	level   float64
}

// newExpecter draws the band at the level of the most sensitive burst rule: a
// count above it is what somebody would be told of.
func newExpecter(series seriesReader, cfg alert.Config, rules []alert.Rule) (*expecter, error) {
	location, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("alert.time_zone: %w", err)
	}
	e := &expecter{series: series, params: detect.DefaultParams(), history: cfg.History, level: detectLevel}
	e.params.Location = location
	for i, r := range rules {
		if r.Kind == alert.KindBurst && (i == 0 || r.Level() < e.level) {
			e.level = r.Level()
		}
	}
	return e, nil
}

// Expected implements web.Expecter.
func (e *expecter) Expected(ctx context.Context, s post.Series, from, to time.Time, step time.Duration) ([]web.Band, error) {
	q := post.SeriesQuery{From: from.Add(-e.history), To: to, Agency: s.Agency, Issue: s.Issue}
	var first int64
	var counts []float64
	err := e.series.EachPoint(ctx, q, func(p post.Point) error {
		minute := p.Minute.Unix() / 60
		if counts == nil {
			first = minute
		}
		for int64(len(counts)) <= minute-first {
			counts = append(counts, 0)
		}
		counts[minute-first] = float64(p.Authors)
		return nil
	})
	if err != nil || counts == nil {
		return nil, err
	}
	for first+int64(len(counts)) < to.Unix()/60 {
		counts = append(counts, 0) // nobody has spoken since the last point
	}
	// The first step of the range that begins within the history.
	minutes := int64(step / time.Minute)
	begin := from.Unix() / 60
	if behind := first - begin; behind > 0 {
		begin += (behind + minutes - 1) / minutes * minutes
	}
	bands := detect.Bands(e.params, first, counts, begin, int(minutes), e.level)
	out := make([]web.Band, len(bands))
	for i, b := range bands {
		out[i] = web.Band{Time: time.Unix((begin+int64(i)*minutes)*60, 0).UTC(), Mean: b.Expected, High: b.Upper}
	}
	return out, nil
}

var _ ingest.Cursors = (*bus.Cursors)(nil)
