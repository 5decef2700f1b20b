package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"outcry/bus"
	"outcry/ingest"
	"outcry/ingest/replay"
	"outcry/post"
)

func newReplayCommand() *cobra.Command {
	cfg := replay.DefaultConfig()
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Feed a file into the pipeline",
		Long: `Read a file of posts ("-" is standard input; gzip and zstd are understood), keep
those that concern an agency and publish them. Where "outcry run" is running on
the same data directory it takes them; otherwise the embedded pipeline runs in
this process until everything is stored.

Replaying a file again moves no number: a post is counted once.`,
		Example: `  outcry replay posts.jsonl.gz --format outcry
  outcry replay tickets.csv --format csv --time-column created --text-column body --id-column ticket
  outcry replay archive.csv.zst --format csv --speed 60x`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Format, "format", cfg.Format, "outcry (one JSON document a line) or csv")
	f.StringVar(&cfg.Speed, "speed", cfg.Speed, `"max", or a factor such as 60x: posts in the rhythm of their own times`)
	f.StringVar(&cfg.Platform, "platform", cfg.Platform, "platform of posts that name none")
	f.StringVar(&cfg.TimeColumn, "time-column", cfg.TimeColumn, "csv: column of the time")
	f.StringVar(&cfg.TextColumn, "text-column", cfg.TextColumn, "csv: column of the text")
	f.StringVar(&cfg.IDColumn, "id-column", cfg.IDColumn, "csv: column of the id; where it is missing, ids are made of the rows")
	f.StringVar(&cfg.AuthorColumn, "author-column", cfg.AuthorColumn, "csv: column of the author's id, used where it exists")
	f.StringVar(&cfg.LanguageColumn, "language-column", cfg.LanguageColumn, "csv: column of the language, used where it exists")
	f.StringVar(&cfg.PlatformColumn, "platform-column", cfg.PlatformColumn, "csv: column of the platform, used where it exists")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		cfg.File = args[0]
		if faults := cfg.Validate(); len(faults) > 0 {
			return usagef("--%s: %s", strings.ReplaceAll(faults[0].Key, "_", "-"), faults[0].Problem)
		}
		if cfg.File != "-" {
			if _, err := os.Stat(cfg.File); err != nil {
				return usageError{err}
			}
		}
		main, log, err := loadConfig(cmd)
		if err != nil {
			return err
		}
		p, err := loadParts(main, false)
		if err != nil {
			return err
		}
		g := newGraph(main, log)
		defer func() { err = errors.Join(err, g.close()) }()
		return g.replay(cmd.Context(), cfg, p, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

// replay publishes a file and tells what became of it.
func (g *graph) replay(ctx context.Context, cfg replay.Config, p parts, in io.Reader, out, progress io.Writer) error {
	if err := g.pipelineFor(ctx, p, progress); err != nil {
		return err
	}
	bar := newReplayBar(progress, cfg.File)
	source, err := replay.New(cfg, replay.Deps{Log: g.log, Stdin: in, Progress: bar.show})
	if err != nil {
		return err
	}
	name := replayName(cfg.File)
	matcher, err := ingest.CompileAgencies(p.agencies)
	if err != nil {
		return err
	}
	secret, err := g.cfg.authorSecret()
	if err != nil {
		return err
	}
	var last lastHealth
	err = ingest.New(g.cfg.Ingest, ingest.Deps{
		Log: g.log, Metrics: ingest.NewMetrics(g.registry),
		Sources: []ingest.Named{{Name: name, Source: source, Archive: true}}, Agencies: matcher, Secret: secret,
		Publish:     publishPosts(g.bus.Producer(bus.TopicPosts)),
		DeadLetters: publishDeadLetters(g.bus.Producer(bus.TopicDeadLetter)),
		Health:      last.keep,
	}).Run(ctx)
	bar.finish()
	h := last.get()
	fmt.Fprintf(out, "%s: %d read, %d published, %d concern no agency, %d refused\n",
		cfg.File, h.Received, h.Published, h.Received-h.Published-h.Refused, h.Refused)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	if err := g.untilStored(ctx); err != nil {
		return err
	}
	rows, distinct, err := g.store.CountMentions(ctx, name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "stored from %s so far: %d rows, %d distinct posts\n", name, rows, distinct)
	return err
}

// pipelineFor makes sure that somebody stores what is published: the process
// that runs on the data directory already, shared servers, or this process.
func (g *graph) pipelineFor(ctx context.Context, p parts, progress io.Writer) error {
	if g.attached(ctx) {
		if err := makeDataDir(g.cfg); err != nil {
			return err
		}
		return g.connect()
	}
	if err := g.up(ctx, progress); err != nil {
		return err
	}
	enricher, err := newEnricher(g.cfg.Analyze.Scorer, p.issues)
	if err != nil {
		return err
	}
	g.addAnalyze(enricher)
	return nil
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// replayName names the source after its file, so that the same file replayed
// again is the same source.
func replayName(file string) string {
	if file == "-" {
		return "replay-stdin"
	}
	base := notInName.ReplaceAllString(strings.ToLower(filepath.Base(file)), "-")
	return strings.TrimRight("replay-"+base[:min(len(base), 50)], "-")
}

// lastHealth keeps the latest health of the one source of a replay.
type lastHealth struct {
	mu  sync.Mutex
	row post.SourceHealth
}

func (l *lastHealth) keep(_ context.Context, rows []post.SourceHealth) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rows {
		l.row = r
	}
	return nil
}

func (l *lastHealth) get() post.SourceHealth {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.row
}

// replayBar shows how far a file has been read, on a terminal only.
type replayBar struct {
	out  io.Writer
	file string
	bar  *progressbar.ProgressBar
}

func newReplayBar(out io.Writer, file string) *replayBar { return &replayBar{out: out, file: file} }

func (b *replayBar) show(p replay.Progress) {
	if !isTerminal(b.out) {
		return
	}
	if b.bar == nil {
		total := p.Total
		if total == 0 {
			total = -1
		}
		b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.out),
			progressbar.OptionSetDescription(filepath.Base(b.file)), progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	_ = b.bar.Set64(p.Bytes)
}

func (b *replayBar) finish() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
