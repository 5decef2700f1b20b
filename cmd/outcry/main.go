// Command outcry hears when the public says that a public service is failing.
//
// One file holds one subcommand; the rest draws the graph of components:
//
//	sources → ingest → Kafka outcry.posts → analyze → ClickHouse → alert → board and receivers
//
// Nothing here decides anything about posts or alerts: the packages do, and
// this one joins them, handles signals and maps errors to exit codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"outcry/internal/config"
)

// version is stamped by the build.
var version = "dev"

// The exit codes that scripts rely on.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong usage or configuration
	exitInterrupted = 3 // stopped by a signal before the work was done
)

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs one command line and gives its exit code. A second signal ends
// the process at once, for a shutdown that hangs must not need kill -9.
func execute(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitCode(ctx, err)
	if code != exitInterrupted {
		fmt.Fprintln(os.Stderr, "outcry:", err)
	}
	return code
}

// usageError marks a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var conf *config.Error
	switch {
	case errors.As(err, &usage), errors.As(err, &conf):
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		return exitFailed
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "outcry",
		Short: "Hear when the public says that a public service is failing",
		Long: `Outcry reads public posts that mention government agencies, recognises what
fails, sees the burst against what is normal, and tells the people who can act.

Try it:
  outcry run --demo        everything in one process tree, with an invented story
  outcry check             is the configuration right?`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return usagef("unknown command %q; did you mean %q?", args[0], near[0])
			}
			return usagef("unknown command %q; see \"outcry --help\"", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %q", err, cmd.CommandPath()+" --help")
	})
	root.PersistentFlags().String("config", "", "configuration file (default: configs/outcry.yaml where it exists, else the built-in one)")
	root.PersistentFlags().String("data-dir", "", `data directory (default "./data")`)
	root.PersistentFlags().String("log-level", "", "debug, info, warn or error")
	root.AddCommand(
		newRunCommand(), newIngestCommand(), newAnalyzeCommand(), newAlertCommand(), newWebCommand(),
		newSetupCommand(), newMigrateCommand(), newCheckCommand(),
		newMatchCommand(), newScoreCommand(), newEvaluateCommand(), newDetectCommand(),
		newReplayCommand(), newSimulateCommand(), newBenchCommand(),
		newVersionCommand(), newEngineCommand(),
	)
	for _, cmd := range root.Commands() {
		strictArgs(cmd)
	}
	return root
}

// strictArgs turns cobra's complaint about positional arguments into a usage error.
func strictArgs(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%w; see %q", err, cmd.CommandPath()+" --help")
		}
		return nil
	}
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "outcry", version)
			return err
		},
	}
}
