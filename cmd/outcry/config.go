package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"outcry/alert"
	"outcry/alert/notify"
	"outcry/analyze"
	"outcry/bus"
	broker "outcry/bus/embedded"
	"outcry/configs"
	"outcry/ingest"
	"outcry/ingest/sources"
	"outcry/internal/config"
	"outcry/internal/obs"
	"outcry/store"
	engine "outcry/store/embedded"
	"outcry/web"
)

// Config is the whole configuration: one file for every role, so that laptop
// and cluster differ in its content only.
type Config struct {
	// DataDir holds what the embedded parts keep, and the author secret.
	DataDir    string           `yaml:"data_dir"`
	Log        obs.LogConfig    `yaml:"log"`
	Kafka      KafkaConfig      `yaml:"kafka"`
	ClickHouse ClickHouseConfig `yaml:"clickhouse"`
	// Agencies, Issues and Rules name the files of what is listened for, what
	// counts as a failure, and who is told when. Empty: the built-in ones.
	Agencies string `yaml:"agencies"`
	Issues   string `yaml:"issues"`
	Rules    string `yaml:"rules"`

	Ingest  ingest.Config  `yaml:"ingest"`
	Sources sources.List   `yaml:"sources"`
	Analyze analyze.Config `yaml:"analyze"`
	Alert   alert.Config   `yaml:"alert"`
	Notify  notify.Config  `yaml:"notify"`
	Web     web.Config     `yaml:"web"`
	// Observe is where a role without a board shows metrics and health.
	Observe obs.ServerConfig `yaml:"observe"`

	dir string // of the configuration file: relative names count from it
}

// embedded is the word that stands for an in-process Kafka or ClickHouse.
const embeddedWord = "embedded"

// KafkaConfig is a cluster, or the broker in this process where no brokers are
// named.
type KafkaConfig struct {
	bus.Config `yaml:",inline"`
	// Consume says how analyze takes part in its consumer group.
	Consume bus.GroupConfig `yaml:"consume"`
	// Broker tunes the broker in this process; it counts without brokers only.
	Broker broker.Config `yaml:"broker"`
}

// UnmarshalText takes the short form `kafka: embedded`.
func (c *KafkaConfig) UnmarshalText(text []byte) error { return embeddedOnly(text) }

// Embedded tells whether Kafka is the broker in this process.
func (c KafkaConfig) Embedded() bool { return len(c.Brokers) == 0 }

// Validate leaves out the addresses of the embedded broker, which are not
// configured.
func (c KafkaConfig) Validate() config.Faults {
	if c.Embedded() {
		c.Brokers = []string{"unix:///embedded"}
	}
	return c.Config.Validate()
}

// ClickHouseConfig is a server or cluster, or the engine in a child process
// where no address is given.
type ClickHouseConfig struct {
	store.Config `yaml:",inline"`
	// Engine tunes the engine in the child process; it counts without addr only.
	Engine engine.Config `yaml:"engine"`
}

// UnmarshalText takes the short form `clickhouse: embedded`.
func (c *ClickHouseConfig) UnmarshalText(text []byte) error { return embeddedOnly(text) }

// Embedded tells whether ClickHouse is the engine in a child process.
func (c ClickHouseConfig) Embedded() bool { return len(c.Addr) == 0 }

// Validate leaves out the address of the embedded engine, which is not
// configured.
func (c ClickHouseConfig) Validate() config.Faults {
	if c.Embedded() {
		c.Addr = []string{"embedded:0"}
	}
	return c.Config.Validate()
}

func embeddedOnly(text []byte) error {
	if string(text) != embeddedWord {
		return fmt.Errorf("must be the word %s, or a block of keys", embeddedWord)
	}
	return nil
}

// DefaultConfig is everything embedded, on this machine only.
func DefaultConfig() Config {
	cfg := Config{
		DataDir: "./data",
		Log:     obs.DefaultLogConfig(),
		Ingest:  ingest.DefaultConfig(),
		Analyze: analyze.DefaultConfig(),
		Alert:   alert.DefaultConfig(),
		Notify:  notify.DefaultConfig(),
		Web:     web.DefaultConfig(),
	}
	cfg.Kafka.Config = bus.DefaultConfig()
	cfg.Kafka.Consume = bus.DefaultGroupConfig()
	cfg.Kafka.Broker = broker.DefaultConfig()
	cfg.ClickHouse.Config = store.DefaultConfig()
	cfg.ClickHouse.Addr = nil
	cfg.ClickHouse.Engine = engine.DefaultConfig()
	return cfg
}

// Validate reports faults that no single part can see.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if c.DataDir == "" {
		f.Add("data_dir", "must name a directory")
	}
	for key, name := range map[string]string{"agencies": c.Agencies, "issues": c.Issues, "rules": c.Rules} {
		if name == "" {
			continue
		}
		if _, err := os.Stat(c.path(name)); err != nil {
			f.Add(key, "%v", err)
		}
	}
	return f
}

// path gives a name as seen from the directory of the configuration file.
func (c Config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// defaultConfigFile is read where no other file is named and it is there.
const defaultConfigFile = "configs/outcry.yaml"

// loadConfig reads the configuration that a command was called with. Flags win
// over the environment, and that over the file.
func loadConfig(cmd *cobra.Command) (Config, *slog.Logger, error) {
	flags := cmd.Flags()
	path, _ := flags.GetString("config")
	if path == "" {
		if _, err := os.Stat(defaultConfigFile); err == nil {
			path = defaultConfigFile
		}
	}
	cfg := DefaultConfig()
	cfg.dir = filepath.Dir(path)
	if err := config.Load(path, &cfg, config.DefaultOptions()); errors.Is(err, fs.ErrNotExist) {
		return cfg, nil, usageError{err}
	} else if err != nil {
		return cfg, nil, err
	}
	if dir, _ := flags.GetString("data-dir"); dir != "" {
		cfg.DataDir = dir
	}
	if level, _ := flags.GetString("log-level"); level != "" {
		if err := cfg.Log.Level.UnmarshalText([]byte(level)); err != nil {
			return cfg, nil, usagef("--log-level: must be debug, info, warn or error, not %q", level)
		}
	}
	for _, name := range []*string{
		&cfg.Kafka.TLS.CAFile, &cfg.Kafka.TLS.CertFile, &cfg.Kafka.TLS.KeyFile,
		&cfg.ClickHouse.TLS.CAFile, &cfg.ClickHouse.TLS.CertFile, &cfg.ClickHouse.TLS.KeyFile,
	} {
		if *name != "" {
			*name = cfg.path(*name)
		}
	}
	cfg.Kafka.Broker.Dir = cfg.DataDir
	cfg.ClickHouse.Engine.Dir = cfg.DataDir
	return cfg, obs.Logger(os.Stderr, cfg.Log.Level, cfg.Log.Format), nil
}

// loadPart reads one of the files that the configuration names, or the
// built-in one where it names none.
func (c Config) loadPart(name, builtin string, into any) error {
	if name != "" {
		return config.Load(c.path(name), into, config.Options{})
	}
	data, err := fs.ReadFile(configs.Files, builtin)
	if err != nil {
		return fmt.Errorf("read the built-in %s: %w", builtin, err)
	}
	return config.LoadBytes("built-in "+builtin, data, into, config.Options{})
}

// authorSecret gives the key of the author hashes: the configured one, or the
// one that the data directory keeps.
func (c Config) authorSecret() ([]byte, error) {
	if s := c.Ingest.AuthorSecret; s.IsSet() {
		return []byte(strings.TrimSpace(s.Reveal())), nil
	}
	return ingest.LoadSecret(filepath.Join(c.DataDir, "secret", "author-hash.key"))
}
