package embedded

import (
	"log/slog"
	"net"
	"os/exec"

	"outcry/internal/config"
)

// Config of the embedded engine.
type Config struct {
	// Dir is the data directory of Outcry: the engine's data is in its folder
	// clickhouse, its address and token in its folder run. Set by the command.
	Dir string `yaml:"-"`
	// Listen is the loopback address of the engine's HTTP interface. Port 0
	// picks one and keeps it over restarts while it is free.
	Listen string `yaml:"listen"`
	// MemoryLimitMB is how much memory queries, inserts and merges may use
	// together, in MB (256 or more). Above it they fail with code 241.
	MemoryLimitMB int `yaml:"memory_limit_mb"`
	// MarkCacheMB is the cache of positions in data files, in MB (8 or more).
	// It counts within the memory limit.
	MarkCacheMB int `yaml:"mark_cache_mb"`
	// MaxConcurrentQueries is how many queries and inserts run at once (1 to
	// 1000). The next ones wait.
	MaxConcurrentQueries int `yaml:"max_concurrent_queries"`
}

// DefaultConfig suits a laptop: under 1.5 GB for all of Outcry.
func DefaultConfig() Config {
	return Config{
		Listen:               "127.0.0.1:0",
		MemoryLimitMB:        1024,
		MarkCacheMB:          64,
		MaxConcurrentQueries: 16,
	}
}

// Validate reports every fault of the configuration.
func (c Config) Validate() config.Faults {
	var faults config.Faults
	host, _, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		faults.Add("listen", `must be a loopback address such as "127.0.0.1:0": the embedded engine has no encryption and no users`)
	}
	if c.MemoryLimitMB < 256 {
		faults.Add("memory_limit_mb", "must be 256 or more")
	}
	if c.MarkCacheMB < 8 {
		faults.Add("mark_cache_mb", "must be 8 or more")
	}
	if c.MaxConcurrentQueries < 1 || c.MaxConcurrentQueries > 1000 {
		faults.Add("max_concurrent_queries", "must be from 1 to 1000")
	}
	return faults
}

// Deps are what the engine is given.
type Deps struct {
	Log     *slog.Logger
	Metrics *Metrics // nil: not measured
	// Command makes the command that calls Child in a new process: this binary
	// with its hidden subcommand.
	Command func() *exec.Cmd
}
