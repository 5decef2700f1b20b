// Command fakeboard serves the real board over invented data, so that it can be
// looked at and tested in a browser without Kafka and ClickHouse. It prints its
// address and runs until interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"outcry/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fakeboard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fakeboard", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address of the board")
	calm := flags.Bool("calm", false, "no incident, no blind source")
	demo := flags.Bool("demo", true, "label everything as a demo")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg := web.DefaultConfig()
	cfg.Listen = *listen
	w := newWorld(*calm)
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	registry := prometheus.NewRegistry()
	s, err := web.New(cfg, web.Deps{
		Store: w, Expected: w, Agencies: agencies, Issues: issues, Demo: *demo, Live: ok, Ready: ok,
		Registry: registry, Metrics: web.NewMetrics(registry),
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { return w.speak(ctx) })
	g.Go(func() error {
		select {
		case <-s.Ready():
			fmt.Println(s.URL())
		case <-ctx.Done():
		}
		return nil
	})
	return g.Wait()
}
