package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"outcry/alert"
	"outcry/analyze/issue"
	"outcry/bus"
	"outcry/ingest"
	"outcry/ingest/simulate"
	"outcry/ingest/sources"
	"outcry/post"
)

func newRunCommand() *cobra.Command {
	var demo bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run every role in one process tree",
		Long: `Run everything: sources, analysis, alerts and the board, on the embedded Kafka and
ClickHouse unless the configuration names others. It prints the board's address
and every alert as one line, and stops on SIGINT or SIGTERM.`,
		Example: `  outcry run --demo
  outcry run --config configs/outcry.yaml --data-dir /var/lib/outcry`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if demo && !cmd.Flags().Changed("log-level") {
				// The demo is watched: its few lines must not drown in the log.
				if err := cmd.Flags().Set("log-level", "warn"); err != nil {
					return err
				}
			}
			cfg, log, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			if listen, _ := cmd.Flags().GetString("listen"); listen != "" {
				cfg.Web.Listen = listen
			}
			if demo {
				demoConfig(&cfg, cmd.Flags().Changed("data-dir"))
			}
			p, err := loadParts(cfg, demo)
			if err != nil {
				return err
			}
			g := newGraph(cfg, log)
			err = g.runAll(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), p)
			return errors.Join(err, g.close())
		},
	}
	cmd.Flags().BoolVar(&demo, "demo", false, "play an invented agency's launch day, in a data directory of its own")
	cmd.Flags().String("listen", "", "address of the board, host:port; port 0 picks one (default 127.0.0.1:8080)")
	return cmd
}

// demoConfig turns a configuration into the demo's: invented agencies, one
// invented source, and a data directory of its own, so that nothing invented
// ever stands among real posts.
func demoConfig(cfg *Config, dirGiven bool) {
	if !dirGiven {
		cfg.DataDir = filepath.Join(cfg.DataDir, "demo")
	}
	cfg.Kafka.Brokers, cfg.ClickHouse.Addr = nil, nil
	cfg.Kafka.Broker.Dir, cfg.ClickHouse.Engine.Dir = cfg.DataDir, cfg.DataDir
	cfg.Sources = sources.List{{Name: "demo", Type: sources.TypeSimulate}}
	cfg.Notify.Webhooks = nil
}

// parts is what the files beside the configuration say.
type parts struct {
	demo     bool
	agencies []post.Agency
	issues   issue.Config
	rules    []alert.Rule
}

// loadParts reads agencies, issues and rules, and reports the faults of all.
func loadParts(cfg Config, demo bool) (parts, error) {
	p := parts{demo: demo}
	var agencies ingest.AgencyList
	var rules alert.RuleFile
	var err error
	if demo {
		p.agencies = simulate.Agencies()
	} else {
		err = cfg.loadPart(cfg.Agencies, "agencies.yaml", &agencies)
		p.agencies = agencies.Agencies
	}
	err = errors.Join(err,
		cfg.loadPart(cfg.Issues, "issues.yaml", &p.issues),
		cfg.loadPart(cfg.Rules, "rules.yaml", &rules))
	p.rules = rules.Rules
	return p, err
}

// name gives what people call an agency, issue or touch point.
func (p parts) name() func(id string) string {
	names := issueNames(p.issues)
	for _, a := range p.agencies {
		names[a.ID] = a.Name
	}
	return func(id string) string {
		if name, ok := names[id]; ok {
			return name
		}
		return id
	}
}

// runAll starts every role and waits for the end of ctx.
func (g *graph) runAll(ctx context.Context, out, progress io.Writer, p parts) error {
	if err := g.up(ctx, progress); err != nil {
		return err
	}
	enricher, err := newEnricher(g.cfg.Analyze.Scorer, p.issues)
	if err != nil {
		return err
	}
	g.addAnalyze(enricher)
	board, err := g.addWeb(p)
	if err != nil {
		return err
	}
	if err := g.actors.until(ctx, board.Ready()); err != nil {
		return err
	}
	if p.demo {
		fmt.Fprintln(out, "DEMO: every agency and every post is invented.")
	}
	fmt.Fprintf(out, "The board: %s\n", board.URL())

	list, err := g.buildSources(nil)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "No source is configured: feed posts with `outcry replay`, or add sources to the configuration.")
	}
	told := watchHistory(list)
	if err := g.addIngest(g.cfg.Ingest, list, p.agencies); err != nil {
		return err
	}
	if p.demo {
		if err := g.untilTold(ctx, out, told); err != nil {
			return err
		}
	}
	if err := g.addAlert(p, out); err != nil {
		return err
	}
	return g.actors.wait(ctx)
}

// historyWithin is how near to the present a simulated source must be for its
// history to be told.
const historyWithin = time.Minute

// toldSource closes told when its source has come near to the present.
type toldSource struct {
	ingest.Source
	once sync.Once
	told chan struct{}
}

func (s *toldSource) Read(ctx context.Context) (ingest.Batch, error) {
	b, err := s.Source.Read(ctx)
	if n := len(b.Events); err != nil || n > 0 && time.Since(b.Events[n-1].Time) < historyWithin {
		s.once.Do(func() { close(s.told) })
	}
	return b, err
}

// watchHistory wraps the first source so that the demo knows when its history
// has been told.
func watchHistory(list []ingest.Named) <-chan struct{} {
	s := &toldSource{told: make(chan struct{})}
	if len(list) == 0 {
		close(s.told)
		return s.told
	}
	s.Source = list[0].Source
	list[0].Source = s
	return s.told
}

// untilTold waits until the demo's history is told and stored: the alerts
// learn what is normal from it.
func (g *graph) untilTold(ctx context.Context, out io.Writer, told <-chan struct{}) error {
	began := time.Now()
	fmt.Fprintln(out, "DEMO: telling two weeks of history …")
	if err := g.actors.until(ctx, told); err != nil {
		return err
	}
	if err := g.untilStored(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "DEMO: history stored after %.1f s. It is launch day; within two minutes people will have something to say.\n", time.Since(began).Seconds())
	return nil
}

// untilStored waits until analyze has stored all that was published when it was
// called.
func (g *graph) untilStored(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.bus.Handled(ctx, groupAnalyze, bus.TopicPosts) }()
	select {
	case err := <-done:
		return err
	case err := <-g.actors.failed:
		return err
	}
}
