package main

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"outcry/alert"
	"outcry/alert/notify"
	"outcry/analyze"
	"outcry/analyze/issue"
	"outcry/analyze/language"
	"outcry/analyze/sentiment"
	"outcry/bus"
	"outcry/ingest"
	"outcry/ingest/sources"
	"outcry/ingest/webhook"
	"outcry/post"
	"outcry/web"
)

// The consumer groups: members of one share its work.
const (
	groupAnalyze = "outcry-analyze"
	groupAlert   = "outcry-alert"
)

// addIngest reads all sources and publishes what concerns an agency. The
// supervisor ends by itself when every source has been read to its end; a
// process that serves other roles goes on then.
func (g *graph) addIngest(cfg ingest.Config, list []ingest.Named, agencies []post.Agency) error {
	matcher, err := ingest.CompileAgencies(agencies)
	if err != nil {
		return err
	}
	secret, err := g.cfg.authorSecret()
	if err != nil {
		return err
	}
	s := ingest.New(cfg, ingest.Deps{
		Log: g.log, Metrics: ingest.NewMetrics(g.registry),
		Sources: list, Agencies: matcher, Secret: secret,
		Publish:     publishPosts(g.bus.Producer(bus.TopicPosts)),
		DeadLetters: publishDeadLetters(g.bus.Producer(bus.TopicDeadLetter)),
		Cursors:     g.bus.Cursors(),
		Health:      g.store.InsertSourceHealth,
	})
	g.actors.start("ingest", func(ctx context.Context) error {
		// A source that cannot be mended is shown as failed; its neighbours and
		// the other roles go on.
		if err := s.Run(ctx); err != nil {
			g.log.Error("sources failed for good", "component", "ingest", "error", err)
		}
		return nil
	})
	return nil
}

// buildSources makes the configured sources.
func (g *graph) buildSources(in io.Reader) ([]ingest.Named, error) {
	for _, s := range g.cfg.Sources {
		if s.Replay != nil && s.Replay.File != "-" {
			s.Replay.File = g.cfg.path(s.Replay.File)
		}
	}
	return sources.Build(g.cfg.Sources, sources.Deps{
		Log: g.log, Webhook: webhook.NewMetrics(g.registry), Stdin: in, Stall: g.cfg.Ingest.Stall,
	})
}

// addAnalyze scores what ingest published and stores it.
func (g *graph) addAnalyze(enricher *analyze.Enricher) {
	a := analyze.New(g.cfg.Analyze, analyze.Deps{
		Log: g.log, Metrics: analyze.NewMetrics(g.registry),
		Topic: bus.TopicPosts, Consume: consumePosts(g.bus, g.cfg.Kafka.Consume),
		Sink:        g.store,
		DeadLetters: publishDeadLetters(g.bus.Producer(bus.TopicDeadLetter)),
		Enricher:    enricher,
	})
	g.actors.start("analyze", a.Run)
}

// newEnricher joins the scorer, the phrase rules and the languages.
func newEnricher(scorer string, issues issue.Config) (*analyze.Enricher, error) {
	s, err := sentiment.New(scorer)
	if err != nil {
		return nil, err
	}
	classifier, err := issue.New(issues)
	if err != nil {
		return nil, err
	}
	return analyze.NewEnricher(analyze.EnricherConfig{Scorer: s, Issues: classifier, Languages: language.New()}), nil
}

// addAlert evaluates the rules while this process owns them, and tells the
// terminal and the configured receivers.
func (g *graph) addAlert(p parts, terminal io.Writer) error {
	receivers, err := notify.Webhooks(g.cfg.Notify, time.Now)
	if err != nil {
		return err
	}
	receivers = append(receivers, notify.NewTerminal(terminal, isTerminal(terminal), time.Local))
	e, err := alert.New(g.cfg.Alert, alert.Deps{
		Log: g.log, Metrics: alert.NewMetrics(g.registry, receivers), Store: g.store,
		Own: func(ctx context.Context, fn func(context.Context) error) error {
			return g.bus.Own(ctx, groupAlert, bus.TopicAlerts, fn)
		},
		Publish:   publishAlerts(g.bus.Producer(bus.TopicAlerts)),
		Receivers: receivers, Retry: g.cfg.Notify.Retry,
		Rules: p.rules, Name: p.name(),
	})
	if err != nil {
		return err
	}
	g.health.Register("alert", e.Check)
	g.actors.start("alert", e.Run)
	return nil
}

// addWeb serves the board and returns it.
func (g *graph) addWeb(p parts) (*web.Server, error) {
	expected, err := newExpecter(g.store, g.cfg.Alert, p.rules)
	if err != nil {
		return nil, err
	}
	s, err := web.New(g.cfg.Web, web.Deps{
		Store: g.store, Expected: expected, Agencies: p.agencies, Issues: issueNames(p.issues),
		Demo: p.demo, Live: g.health.LiveHandler(), Ready: g.health.ReadyHandler(), Registry: g.registry,
		Metrics: web.NewMetrics(g.registry), Log: g.log,
	})
	if err != nil {
		return nil, err
	}
	g.actors.start("web", s.Run)
	return s, nil
}

// issueNames maps the ids of issues and touch points to what people are shown.
func issueNames(c issue.Config) map[string]string {
	names := map[string]string{}
	for _, e := range c.Issues {
		names[e.ID] = e.Name
	}
	for _, e := range c.TouchPoints {
		names[e.ID] = e.Name
	}
	return names
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
