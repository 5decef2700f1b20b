package store

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"text/template"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// layout renders the schema for one kind of installation: a single server (or
// the embedded engine), replicas, or a cluster of shards.
type layout struct {
	cluster      string
	replicated   bool
	TextTTL      int64 // seconds
	TombstoneTTL int64 // seconds
}

func newLayout(cfg Config) layout {
	return layout{
		cluster:      cfg.Cluster,
		replicated:   cfg.Replicated,
		TextTTL:      int64(cfg.TextTTL.Seconds()),
		TombstoneTTL: int64(cfg.TombstoneTTL.Seconds()),
	}
}

// OnCluster is the clause that runs a statement on every server of the cluster.
func (l layout) OnCluster() string {
	if l.cluster == "" {
		return ""
	}
	return " ON CLUSTER `" + l.cluster + "`"
}

// local is the table that holds rows. In a cluster the plain name is that of
// the Distributed table before it.
func (l layout) local(table string) string {
	if l.cluster == "" {
		return table
	}
	return table + "_local"
}

// engine is the engine clause; replicas find each other by the server's default
// path and name.
func (l layout) engine(name string, args ...string) string {
	if l.replicated {
		name = "Replicated" + name
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// distributed is the statement that makes the table of the plain name in a
// cluster. Rows of one post share a shard, where versions replace one another.
func (l layout) distributed(table, shardBy string) string {
	if l.cluster == "" {
		return ""
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s\nENGINE = Distributed(`%s`, currentDatabase(), %s, %s);",
		table, l.OnCluster(), l.local(table), l.cluster, l.local(table), shardBy)
}

// migration is one file of the schema.
type migration struct {
	name       string
	checksum   string   // of the file, before it is rendered
	statements []string // rendered, in order
}

// migrations renders every file, in the order of their names.
func (l layout) migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	out := make([]migration, 0, len(names))
	for _, name := range names {
		source, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := l.render(strings.TrimPrefix(name, "migrations/"), string(source))
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (l layout) render(name, source string) (migration, error) {
	sum := sha256.Sum256([]byte(source))
	m := migration{name: name, checksum: hex.EncodeToString(sum[:])}
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
		"local": l.local, "engine": l.engine, "distributed": l.distributed,
	}).Parse(source)
	if err != nil {
		return m, fmt.Errorf("read migration %s: %w", name, err)
	}
	var text strings.Builder
	if err := t.Execute(&text, l); err != nil {
		return m, fmt.Errorf("render migration %s: %w", name, err)
	}
	m.statements = statements(text.String())
	return m, nil
}

// statements splits a script at the lines that end in a semicolon and leaves
// out the lines that are comments.
func statements(script string) []string {
	var out []string
	var current []string
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, " \n")
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		body, ends := strings.CutSuffix(line, ";")
		current = append(current, body)
		if ends {
			out = append(out, strings.Join(current, "\n"))
			current = nil
		}
	}
	if len(current) > 0 {
		out = append(out, strings.Join(current, "\n"))
	}
	return out
}
