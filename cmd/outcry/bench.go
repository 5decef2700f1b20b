package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"outcry/alert"
	"outcry/analyze"
	"outcry/bus"
	"outcry/ingest"
	"outcry/ingest/simulate"
	"outcry/internal/obs"
	"outcry/post"
)

// benchSource is the name of the source that makes the load.
const benchSource = "bench"

func newBenchCommand() *cobra.Command {
	var posts int64
	var rate, format, dir string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the whole pipeline on this machine",
		Long: `Push made-up posts through the whole pipeline (normalise, match, Kafka, score,
ClickHouse, alerts, a receiver) on embedded servers in a directory of their own,
and print posts/s by hop, latency percentiles, CPU, peak memory, and what went in
and came out. A loss is a failure.

Meanwhile some invented agencies meet trouble, a minute's bursts one second
apart; post-to-notified is the time from the arrival of the post that makes a
burst certain to the receiver's acceptance.`,
		Example: `  outcry bench
  outcry bench --posts 450000 --rate 5000 --format json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			perSecond, err := parseRate(rate)
			if err != nil {
				return usagef("--rate: %w", err)
			}
			if posts < 1 {
				return usagef("--posts must be 1 or more")
			}
			if format != "text" && format != "json" {
				return usagef("--format must be text or json, not %q", format)
			}
			if dir == "" {
				if dir, err = os.MkdirTemp("", "outcry-bench-"); err != nil {
					return err
				}
				defer os.RemoveAll(dir)
			}
			return runBench(cmd.Context(), benchConfig{Posts: posts, Rate: perSecond, Dir: dir, Format: format}, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().Int64Var(&posts, "posts", 1_000_000, "how many posts")
	cmd.Flags().StringVar(&rate, "rate", "max", `posts a second, or "max"`)
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.Flags().StringVar(&dir, "dir", "", "directory for the data, kept afterwards (default: a temporary one, removed)")
	return cmd
}

type benchConfig struct {
	Posts  int64
	Rate   float64 // 0 is as fast as it goes
	Dir    string
	Format string
}

func parseRate(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	rate, err := strconv.ParseFloat(s, 64)
	if err != nil || !(rate > 0 && rate < 1e9) {
		return 0, fmt.Errorf(`%q must be "max" or a number of posts a second`, s)
	}
	return rate, nil
}

// runBench measures one load and reports it.
func runBench(ctx context.Context, cfg benchConfig, out, progress io.Writer) error {
	whole := DefaultConfig()
	whole.DataDir = cfg.Dir
	whole.Kafka.Broker.Dir, whole.ClickHouse.Engine.Dir = cfg.Dir, cfg.Dir
	p, err := loadParts(whole, true)
	if err != nil {
		return err
	}
	p.agencies = append(p.agencies, troubledAgencies()...)

	g := newGraph(whole, obs.Logger(progress, slog.LevelWarn, whole.Log.Format))
	m := newMeter()
	err = g.bench(ctx, cfg, p, m, progress)
	engineMemory := m.memory.stop()
	if err = errors.Join(err, g.close()); err != nil {
		return err
	}
	report := m.report(cfg, engineMemory)
	if cfg.Format == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.print(out)
	}
	if lost := report.Counts.Read - int64(report.Counts.Distinct); err == nil && lost != 0 {
		err = fmt.Errorf("%d of %d posts are not in the store", lost, report.Counts.Read)
	}
	return err
}

// bench builds the pipeline, lets the history settle, and runs the load.
func (g *graph) bench(ctx context.Context, cfg benchConfig, p parts, m *meter, progress io.Writer) error {
	if err := g.up(ctx, progress); err != nil {
		return err
	}
	enricher, err := newEnricher(g.cfg.Analyze.Scorer, p.issues)
	if err != nil {
		return err
	}
	a := analyze.New(g.cfg.Analyze, analyze.Deps{
		Log: g.log, Consume: m.consume(consumePosts(g.bus, g.cfg.Kafka.Consume)),
		Sink: m.sink(g.store), DeadLetters: publishDeadLetters(g.bus.Producer(bus.TopicDeadLetter)), Enricher: enricher,
	})
	g.actors.start("analyze", a.Run)

	fmt.Fprintln(progress, "telling the past of the agencies that will meet trouble …")
	troubles := newTroubles(time.Now())
	if err := g.feed(ctx, p.agencies, m, ingest.Named{Name: "bench-past", Source: troubles.past(), Archive: true}); err != nil {
		return err
	}
	if err := g.untilStored(ctx); err != nil {
		return err
	}
	e, err := alert.New(g.cfg.Alert, alert.Deps{
		Log: g.log, Store: g.store, Rules: p.rules, Receivers: m.receivers(),
		Own: func(ctx context.Context, fn func(context.Context) error) error {
			return g.bus.Own(ctx, groupAlert, bus.TopicAlerts, fn)
		},
		Publish: publishAlerts(g.bus.Producer(bus.TopicAlerts)),
	})
	if err != nil {
		return err
	}
	g.actors.start("alert", e.Run)
	for e.Check(ctx) != nil { // it learns the past first
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}

	fmt.Fprintf(progress, "pushing %d posts …\n", cfg.Posts)
	load, err := simulate.NewLoad(simulate.LoadConfig{Posts: cfg.Posts, Rate: cfg.Rate, Run: "bench", Seed: 1})
	if err != nil {
		return err
	}
	m.begin()
	ended, end := context.WithCancel(ctx)
	defer end()
	trouble := make(chan error, 1)
	go func() {
		trouble <- g.feed(ended, p.agencies, m, ingest.Named{Name: "bench-trouble", Source: troubles.live(m.certain)})
	}()
	if err := g.feed(ctx, p.agencies, m, ingest.Named{Name: benchSource, Source: m.source(load)}); err != nil {
		return err
	}
	if err := g.untilCount(ctx, m, load.Distinct()); err != nil {
		return err
	}
	end()
	if err := <-trouble; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	_, distinct, err := g.store.CountMentions(ctx, benchSource)
	m.distinct = distinct
	return err
}

// feed reads one source to its end.
func (g *graph) feed(ctx context.Context, agencies []post.Agency, m *meter, source ingest.Named) error {
	matcher, err := ingest.CompileAgencies(agencies)
	if err != nil {
		return err
	}
	return ingest.New(g.cfg.Ingest, ingest.Deps{
		Log: g.log, Sources: []ingest.Named{source}, Agencies: matcher, Secret: []byte("the bench has no secrets"),
		Publish:     m.publish(publishPosts(g.bus.Producer(bus.TopicPosts))),
		DeadLetters: publishDeadLetters(g.bus.Producer(bus.TopicDeadLetter)),
	}).Run(ctx)
}

// benchPatience is how long the bench waits for posts that do not come.
const benchPatience = 30 * time.Second

// untilCount waits until analyze has stored want posts of the load, or until
// nothing has come for a while: then something was lost, which the report shows.
func (g *graph) untilCount(ctx context.Context, m *meter, want int64) error {
	last, since := m.stored.posts(), time.Now()
	for last < want {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		if n := m.stored.posts(); n != last {
			last, since = n, time.Now()
		} else if time.Since(since) > benchPatience {
			return nil
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
