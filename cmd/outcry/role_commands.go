package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"outcry/internal/obs"
)

// newRoleCommand makes the command of one role in a process of its own. It uses
// shared servers, or the embedded parts that `outcry run` or another role keeps
// on the same data directory.
func newRoleCommand(role, short, long string, add func(ctx context.Context, g *graph, p parts, in io.Reader, out io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use:   role,
		Short: short,
		Long:  long + "\n\nRun \"outcry migrate\" once before. Metrics and health are served at observe.listen.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, log, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			if listen := cmd.Flags().Lookup("listen"); listen != nil && listen.Changed {
				cfg.Web.Listen = listen.Value.String()
			}
			p, err := loadParts(cfg, false)
			if err != nil {
				return err
			}
			g := newGraph(cfg, log)
			defer func() { err = errors.Join(err, g.close()) }()
			return g.runRole(cmd.Context(), func() error {
				return add(cmd.Context(), g, p, cmd.InOrStdin(), cmd.OutOrStdout())
			})
		},
	}
}

// runRole connects, adds a role and waits for the end of ctx.
func (g *graph) runRole(ctx context.Context, add func() error) error {
	if err := makeDataDir(g.cfg); err != nil {
		return err
	}
	if err := g.connect(); err != nil {
		return err
	}
	if err := g.bus.CreateTopics(ctx); err != nil {
		return err
	}
	if g.cfg.Observe.Listen != "" {
		s := obs.NewServer(g.cfg.Observe, obs.ServerDeps{Log: g.log, Metrics: g.registry, Health: g.health})
		g.actors.start("observe", s.Run)
	}
	if err := add(); err != nil {
		return err
	}
	return g.actors.wait(ctx)
}

func newIngestCommand() *cobra.Command {
	return newRoleCommand("ingest", "Read the sources and publish to Kafka",
		"Read the configured sources, keep the posts that concern an agency, and publish\nthem to Kafka. Several may run; a post that two of them read counts once.",
		func(_ context.Context, g *graph, p parts, in io.Reader, _ io.Writer) error {
			list, err := g.buildSources(in)
			if err != nil {
				return err
			}
			return g.addIngest(g.cfg.Ingest, list, p.agencies)
		})
}

func newAnalyzeCommand() *cobra.Command {
	return newRoleCommand("analyze", "Score posts and store them in ClickHouse",
		"Take posts from Kafka, score them and store them in ClickHouse. Several share the\nwork, as many as the topic has partitions.",
		func(_ context.Context, g *graph, p parts, _ io.Reader, _ io.Writer) error {
			enricher, err := newEnricher(g.cfg.Analyze.Scorer, p.issues)
			if err != nil {
				return err
			}
			g.addAnalyze(enricher)
			return nil
		})
}

func newAlertCommand() *cobra.Command {
	return newRoleCommand("alert", "Evaluate the rules and tell the receivers",
		"Evaluate the rules and tell the receivers. Several may run: one evaluates, the\nothers stand by and take over.",
		func(_ context.Context, g *graph, p parts, _ io.Reader, out io.Writer) error {
			return g.addAlert(p, out)
		})
}

func newWebCommand() *cobra.Command {
	cmd := newRoleCommand("web", "Serve the board and the API",
		"Serve the live board, the JSON API, metrics and health.",
		func(ctx context.Context, g *graph, p parts, _ io.Reader, out io.Writer) error {
			board, err := g.addWeb(p)
			if err != nil {
				return err
			}
			if err := g.actors.until(ctx, board.Ready()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "The board: %s\n", board.URL())
			return err
		})
	cmd.Flags().String("listen", "", "address of the board, host:port (default 127.0.0.1:8080)")
	return cmd
}
