package store

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// layouts are the kinds of installation.
var layouts = map[string]func(*Config){
	"single":     func(*Config) {},
	"replicated": func(c *Config) { c.Replicated = true },
	"cluster":    func(c *Config) { c.Cluster, c.Replicated = "main-cluster", true },
}

func TestSchemaOfEachLayout(t *testing.T) {
	for name, change := range layouts {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			change(&cfg)
			migrations, err := newLayout(cfg).migrations()
			must(t, err)
			var b strings.Builder
			for _, m := range migrations {
				fmt.Fprintf(&b, "-- %s\n\n", m.name)
				for _, statement := range m.statements {
					fmt.Fprintf(&b, "%s;\n\n", statement)
				}
			}
			golden := filepath.Join("testdata", "schema_"+name+".sql")
			if *update {
				must(t, os.WriteFile(golden, []byte(b.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			must(t, err)
			if b.String() != string(want) {
				t.Errorf("the schema differs from %s; look at the difference, then run the test with -update", golden)
			}
		})
	}
}

// No cluster is at hand, but the parser of the engine is that of a server.
func TestSchemaOfEachLayoutIsSQL(t *testing.T) {
	s := openStore(t, Deps{})
	for name, change := range layouts {
		cfg := DefaultConfig()
		change(&cfg)
		migrations, err := newLayout(cfg).migrations()
		must(t, err)
		for _, m := range migrations {
			for _, statement := range m.statements {
				if err := s.conn.Exec(t.Context(), "SELECT formatQuery("+quote(statement)+")"); err != nil {
					t.Errorf("%s, %s: %v\n%s", name, m.name, err, statement)
				}
			}
		}
	}
}

func TestMigrateIsRepeatable(t *testing.T) {
	s := newStore(t)
	must(t, s.Migrate(t.Context()))
	migrations, err := s.layout.migrations()
	must(t, err)
	var want []string
	for _, m := range migrations {
		want = append(want, m.name)
	}
	if got := lines(t, s, "SELECT name FROM schema_migrations ORDER BY name"); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q once each", got, want)
	}
}

func TestMigrateMakesTheDatabase(t *testing.T) {
	s := openStore(t, Deps{})
	exec(t, s, "DROP DATABASE "+s.cfg.Database+" SYNC")
	must(t, s.Migrate(t.Context()))
	must(t, s.Ping(t.Context()))
}

func TestMigrateRefusesAChangedMigration(t *testing.T) {
	s := newStore(t)
	exec(t, s, "INSERT INTO schema_migrations SELECT '0002_series.sql', repeat('0', 64), now64(3)")
	exec(t, s, "OPTIMIZE TABLE schema_migrations FINAL")
	err := s.Migrate(t.Context())
	if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "0002_series.sql") {
		t.Errorf("got %v, want ErrChanged that names the file", err)
	}
	if n := line(t, s, "SELECT toString(count()) FROM system.tables WHERE database = currentDatabase() AND name = '"+lockTable+"'"); n != "0" {
		t.Error("the lock was left behind")
	}
}

func TestMigrateRunsOneAtATime(t *testing.T) {
	s := openStore(t, Deps{})
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { errs[i] = s.Migrate(t.Context()) })
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	if n := line(t, s, "SELECT toString(count() - uniqExact(name)) FROM schema_migrations"); n != "0" {
		t.Errorf("%s migrations were applied more than once", n)
	}
}

func TestMigrateWaitsForTheLock(t *testing.T) {
	s := newStore(t)
	must(t, s.tryLock(t.Context()))
	if err := s.tryLock(t.Context()); !errors.Is(err, errLocked) {
		t.Fatalf("second lock: %v, want errLocked", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Migrate(t.Context()) }()
	must(t, s.unlock())
	must(t, <-done)
}

func TestALockLeftBehindIsRemoved(t *testing.T) {
	s := newStore(t)
	must(t, s.tryLock(t.Context()))
	if err := s.tryLockAfter(t.Context(), -time.Second); !errors.Is(err, errLocked) {
		t.Fatalf("got %v, want errLocked and the lock removed", err)
	}
	must(t, s.tryLock(t.Context()))
}

func TestTextRetentionFollowsTheConfiguration(t *testing.T) {
	s := newStore(t)
	s.cfg.TextTTL = 48 * time.Hour
	s.layout = newLayout(s.cfg)
	must(t, s.Migrate(t.Context()))
	ddl := line(t, s, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'mentions'")
	if n := strings.Count(ddl, "toDateTime(arrived) + toIntervalSecond(172800)"); n != 3 {
		t.Errorf("%d columns have the new retention, want text, permalink and links:\n%s", n, ddl)
	}
	for _, column := range []string{"text", "permalink", "links"} {
		if comment := line(t, s, "SELECT comment FROM system.columns WHERE database = currentDatabase() AND table = 'mentions' AND name = '"+column+"'"); comment == "" {
			t.Errorf("column %s lost its comment", column)
		}
	}
}

func TestEverythingHasAComment(t *testing.T) {
	s := newStore(t)
	if bare := lines(t, s, "SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''"); len(bare) > 0 {
		t.Errorf("tables without a comment: %q", bare)
	}
	// A materialized view shows the columns of the table that it fills.
	bare := lines(t, s, `SELECT table || '.' || name FROM system.columns
		WHERE database = currentDatabase() AND comment = '' AND table NOT LIKE '%_mv'`)
	if len(bare) > 0 {
		t.Errorf("columns without a comment: %q", bare)
	}
}

func TestViewsShowNobody(t *testing.T) {
	s := newStore(t)
	shown := lines(t, s, `SELECT table || '.' || name FROM system.columns
		WHERE database = currentDatabase() AND table LIKE 'v\\_%' AND name IN ('author', 'permalink')`)
	if len(shown) > 0 {
		t.Errorf("views show %q", shown)
	}
	if n := line(t, s, "SELECT toString(count()) FROM system.tables WHERE database = currentDatabase() AND name LIKE 'v\\\\_%'"); n != "4" {
		t.Errorf("%s views, want 4", n)
	}
}

func TestStatements(t *testing.T) {
	got := statements("-- a comment; no statement\nSELECT 1\n  AS x;\n\n\nSELECT ';' AS y\nFROM z;\nSELECT 2")
	want := []string{"SELECT 1\n  AS x", "SELECT ';' AS y\nFROM z", "SELECT 2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
