package main

import (
	"bufio"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"outcry/ingest/simulate"
)

func newSimulateCommand() *cobra.Command {
	cfg := simulate.DefaultConfig()
	var length time.Duration
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Write invented posts, one JSON document a line",
		Long: `Write the story of the demo as documents that "outcry replay" reads: invented
posts about invented agencies, with daily and weekly rhythm, several languages,
praise, questions, news, noise, and a launch day that goes wrong.`,
		Example: `  outcry simulate --history 48h > posts.jsonl
  outcry simulate --seed 7 --live 1h | outcry replay - --format outcry`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if faults := cfg.Validate(); len(faults) > 0 {
				return usagef("--%s %s", faults[0].Key, faults[0].Problem)
			}
			if length < 0 || length > 31*24*time.Hour {
				return usagef("--live must be from 0s to 744h")
			}
			now := time.Now()
			story, err := simulate.NewStory(cfg, now)
			if err != nil {
				return err
			}
			w := bufio.NewWriter(cmd.OutOrStdout())
			_, err = story.Write(cmd.Context(), w, now.Add(-cfg.History), now.Add(length))
			return errors.Join(err, w.Flush())
		},
	}
	cmd.Flags().Uint64Var(&cfg.Seed, "seed", cfg.Seed, "decides everything that is left to chance")
	cmd.Flags().DurationVar(&cfg.History, "history", cfg.History, "how much of the calm past to tell")
	cmd.Flags().DurationVar(&length, "live", 20*time.Minute, "how much to tell from now on, the launch day included")
	return cmd
}
