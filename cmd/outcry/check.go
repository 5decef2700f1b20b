package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"outcry/internal/config"
)

func newCheckCommand() *cobra.Command {
	var dump, ready bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration",
		Long: `Check the configuration and the files it names, and report every fault at once
with its file, line and key. Exit code 2 means that there are faults.`,
		Example: `  outcry check --config configs/production.yaml
  outcry check --dump      # the configuration as it takes effect, secrets redacted
  outcry check --ready     # is the process of this configuration ready? for health checks`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dump && ready {
				return usagef("--dump and --ready exclude each other")
			}
			cfg, _, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			p, err := loadParts(cfg, false)
			if err != nil {
				return err
			}
			switch {
			case ready:
				return checkReady(cmd.Context(), cfg)
			case dump:
				return config.Dump(cmd.OutOrStdout(), cfg)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the configuration is right: %d agencies, %d issues, %d rules, %d sources\n",
				len(p.agencies), len(p.issues.Issues), len(p.rules), len(cfg.Sources))
			return err
		},
	}
	cmd.Flags().BoolVar(&dump, "dump", false, "print the configuration as it takes effect")
	cmd.Flags().BoolVar(&ready, "ready", false, "ask the running process whether it is ready")
	return cmd
}

// checkReady asks the process that serves this configuration: at observe.listen
// where that is set, else at the board.
func checkReady(ctx context.Context, cfg Config) error {
	listen := cfg.Observe.Listen
	if listen == "" {
		listen = cfg.Web.Listen
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("address of the process: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens everywhere, so here too
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New("not ready: " + res.Status)
	}
	return nil
}
