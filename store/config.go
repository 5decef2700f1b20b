package store

import (
	"regexp"
	"time"

	"outcry/internal/config"
)

// Config says which ClickHouse to use and how. With the embedded engine the
// address and the credentials come from the engine, and Addr, Protocol,
// Username, Password and TLS are not used.
type Config struct {
	// Addr lists the servers as host:port, tried in order for each new
	// connection: 9000 (native, 9440 with TLS) or 8123 (http, 8443 with TLS).
	Addr []string `yaml:"addr"`
	// Protocol is "native" or "http".
	Protocol string `yaml:"protocol"`
	// Database holds the tables; it is made where it is missing.
	Database string `yaml:"database"`
	// Username of the ClickHouse user.
	Username string `yaml:"username"`
	// Password of that user, by password_file or by environment.
	Password config.Secret `yaml:"password"`
	// TLS protects the connections.
	TLS config.TLS `yaml:"tls"`

	// Cluster, when set, makes the tables ON CLUSTER of this name, each behind
	// a Distributed table.
	Cluster string `yaml:"cluster"`
	// Replicated uses the Replicated table engines.
	Replicated bool `yaml:"replicated"`

	// TextTTL is how long text, permalink and links of a post are kept after
	// its arrival, in whole seconds. Counts are kept for good.
	TextTTL time.Duration `yaml:"text_ttl"`
	// TombstoneTTL is how long the deletion of a post that was never stored is
	// remembered, in case the post arrives after it. Taken when the tables are made.
	TombstoneTTL time.Duration `yaml:"tombstone_ttl"`

	// MaxOpenConns bounds the connections of this process, 1 to 1000.
	MaxOpenConns int `yaml:"max_open_conns"`
	// MaxIdleConns bounds those that are kept open unused.
	MaxIdleConns int `yaml:"max_idle_conns"`
	// ConnLifetime is after how long a connection is replaced, so that load
	// spreads over servers that came back.
	ConnLifetime time.Duration `yaml:"conn_lifetime"`
	// DialTimeout bounds making a connection, or waiting for a free one.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// InsertTimeout bounds one attempt to insert.
	InsertTimeout time.Duration `yaml:"insert_timeout"`
	// QueryTimeout bounds one query.
	QueryTimeout time.Duration `yaml:"query_timeout"`
	// HistoryTimeout bounds the streaming of series over weeks, for each agency.
	HistoryTimeout time.Duration `yaml:"history_timeout"`
	// MaxRows bounds the points that one query of series may return.
	MaxRows int `yaml:"max_rows"`
}

// DefaultConfig is a local server without a password.
func DefaultConfig() Config {
	return Config{
		Addr:           []string{"127.0.0.1:9000"},
		Protocol:       protocolNative,
		Database:       "outcry",
		Username:       "default",
		TextTTL:        30 * 24 * time.Hour,
		TombstoneTTL:   7 * 24 * time.Hour,
		MaxOpenConns:   16,
		MaxIdleConns:   8,
		ConnLifetime:   time.Hour,
		DialTimeout:    5 * time.Second,
		InsertTimeout:  10 * time.Second,
		QueryTimeout:   20 * time.Second,
		HistoryTimeout: time.Minute,
		MaxRows:        2_000_000,
	}
}

const (
	protocolNative = "native"
	protocolHTTP   = "http"
)

// identifier is what may stand unquoted in SQL.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// clusterName also allows the dashes that cluster names often have; it is quoted.
var clusterName = regexp.MustCompile(`^[A-Za-z0-9_{][A-Za-z0-9_.{}-]{0,127}$`)

// Validate reports every fault of the values.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if len(c.Addr) == 0 {
		f.Add("addr", "must name at least one server as host:port")
	}
	if c.Protocol != protocolNative && c.Protocol != protocolHTTP {
		f.Add("protocol", "must be native or http")
	}
	if !identifier.MatchString(c.Database) {
		f.Add("database", "must be a name of letters, digits and underscores")
	}
	if c.Cluster != "" && !clusterName.MatchString(c.Cluster) {
		f.Add("cluster", "must be a name of letters, digits, dots, dashes and underscores")
	}
	if c.MaxOpenConns < 1 || c.MaxOpenConns > 1000 {
		f.Add("max_open_conns", "must be 1 to 1000")
	}
	if c.MaxIdleConns < 1 || c.MaxIdleConns > c.MaxOpenConns {
		f.Add("max_idle_conns", "must be 1 to max_open_conns")
	}
	if c.MaxRows < 1 {
		f.Add("max_rows", "must be at least 1")
	}
	for _, d := range []struct {
		key      string
		value    time.Duration
		min, max time.Duration
	}{
		{"text_ttl", c.TextTTL, time.Hour, 10 * 365 * 24 * time.Hour},
		{"tombstone_ttl", c.TombstoneTTL, time.Hour, 10 * 365 * 24 * time.Hour},
		{"conn_lifetime", c.ConnLifetime, time.Second, 24 * time.Hour},
		{"dial_timeout", c.DialTimeout, 100 * time.Millisecond, time.Minute},
		{"insert_timeout", c.InsertTimeout, 2 * time.Second, 10 * time.Minute},
		{"query_timeout", c.QueryTimeout, 2 * time.Second, 10 * time.Minute},
		{"history_timeout", c.HistoryTimeout, 2 * time.Second, time.Hour},
	} {
		if d.value < d.min || d.value > d.max {
			f.Add(d.key, "must be between %v and %v", d.min, d.max)
		}
	}
	return f
}
