package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	engine "outcry/store/embedded"
)

func newSetupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "setup",
		Short: "Fetch the embedded ClickHouse engine, once for this user",
		Long: `Fetch the embedded ClickHouse engine with npm, verify it and keep it in the
user's cache directory. It is needed where ClickHouse is embedded only.

Where npm cannot be had, set OUTCRY_LIBCHDB to a libchdb.so of the same release.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := engine.Setup(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), path)
			return err
		},
	}
}

func newMigrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Make or update the topics and tables",
		Long: `Make the Kafka topics and bring the ClickHouse schema up to date. Running it
again changes nothing. "outcry run" does it by itself; with roles in processes of
their own it is run once, before they start.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, log, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			g := newGraph(cfg, log)
			defer func() { err = errors.Join(err, g.close()) }()
			if err := g.connect(); err != nil {
				return err
			}
			if err := g.prepare(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "topics and tables are up to date")
			return err
		},
	}
}

// engineSubcommand is started by the supervisor of the embedded engine.
const engineSubcommand = "engine"

func newEngineCommand() *cobra.Command {
	return &cobra.Command{
		Use:    engineSubcommand,
		Short:  "Hold the embedded ClickHouse engine (started by outcry run)",
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, log, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return engine.Child(cmd.Context(), log)
		},
	}
}
