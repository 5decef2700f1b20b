package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v5"
)

// ErrChanged says that a migration was changed after it had been applied. Add a
// new migration instead, or restore the old file.
var ErrChanged = errors.New("migration differs from what was applied")

// errLocked says that another process is migrating.
var errLocked = errors.New("another process is migrating")

const (
	lockTable = "schema_lock"
	// A lock older than this was left by a runner that died.
	lockLease         = 10 * time.Minute
	lockLeaseEmbedded = 20 * time.Second
	// The codes of ClickHouse that matter here.
	codeTableExists = 57
)

// Migrate brings the schema up to date. Each migration that was not yet applied
// runs once, in order, and is recorded; the text retention of existing tables
// follows the configuration.
//
// One runner works at a time: it holds the table schema_lock, which ClickHouse
// makes for one of them only. Others wait. A runner that died leaves its lock
// for ten minutes at most; all statements may be repeated, so what it had begun
// is done again. The lock is on the server that the runner is connected to: on a
// cluster, migrate with one process before the others start.
func (s *Store) Migrate(ctx context.Context) error {
	migrations, err := s.layout.migrations()
	if err != nil {
		return err
	}
	create := "CREATE DATABASE IF NOT EXISTS `" + s.cfg.Database + "`" + s.layout.OnCluster()
	if err := s.admin.Exec(ctx, create); err != nil {
		return fmt.Errorf("make database %s: %w", s.cfg.Database, err)
	}
	if err := s.lock(ctx); err != nil {
		return fmt.Errorf("lock the schema of %s: %w", s.cfg.Database, err)
	}
	err = s.apply(ctx, migrations)
	if err == nil {
		err = s.followTextTTL(ctx)
	}
	return errors.Join(err, s.unlock())
}

func (s *Store) apply(ctx context.Context, migrations []migration) error {
	// The first one makes the table of the others, and may always be repeated.
	if err := s.run(ctx, migrations[0]); err != nil {
		return err
	}
	applied, err := s.applied(ctx)
	if err != nil {
		return err
	}
	for _, m := range migrations {
		checksum, done := applied[m.name]
		switch {
		case done && checksum != m.checksum:
			return fmt.Errorf("%s: %w", m.name, ErrChanged)
		case done:
			continue
		}
		if err := s.run(ctx, m); err != nil {
			return err
		}
		record := "INSERT INTO schema_migrations (name, checksum, applied_at) SELECT {name:String}, {checksum:String}, now64(3)"
		if err := s.conn.Exec(ctx, record, clickhouse.Named("name", m.name), clickhouse.Named("checksum", m.checksum)); err != nil {
			return fmt.Errorf("record migration %s: %w", m.name, err)
		}
		s.log.Info("migration applied", "name", m.name)
	}
	return nil
}

func (s *Store) run(ctx context.Context, m migration) error {
	for i, statement := range m.statements {
		if err := s.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("migration %s, statement %d: %w", m.name, i+1, err)
		}
	}
	return nil
}

// applied gives the checksums of the applied migrations by name.
func (s *Store) applied(ctx context.Context) (map[string]string, error) {
	applied := map[string]string{}
	err := s.rows(ctx, "SELECT name, checksum FROM schema_migrations FINAL LIMIT 10000", nil, func(rows driver.Rows) error {
		var name, checksum string
		if err := rows.Scan(&name, &checksum); err != nil {
			return err
		}
		applied[name] = checksum
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the applied migrations: %w", err)
	}
	return applied, nil
}

// followTextTTL changes the retention of texts that are stored already, where
// the configuration was changed since the table was made.
func (s *Store) followTextTTL(ctx context.Context) error {
	var ddl string
	err := s.conn.QueryRow(ctx, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
		clickhouse.Named("name", s.layout.local("mentions"))).Scan(&ddl)
	if err != nil {
		return fmt.Errorf("read the retention of texts: %w", err)
	}
	ttl := fmt.Sprintf("toDateTime(arrived) + toIntervalSecond(%d)", s.layout.TextTTL)
	if strings.Contains(ddl, ttl) {
		return nil
	}
	alter := fmt.Sprintf("ALTER TABLE %s%s MODIFY COLUMN text TTL %[3]s, MODIFY COLUMN permalink TTL %[3]s, MODIFY COLUMN links TTL %[3]s",
		s.layout.local("mentions"), s.layout.OnCluster(), ttl)
	if err := s.conn.Exec(ctx, alter); err != nil {
		return fmt.Errorf("change the retention of texts: %w", err)
	}
	s.log.Info("retention of texts changed", "text_ttl", s.cfg.TextTTL)
	return nil
}

// lock waits until this process is the one that migrates.
func (s *Store) lock(ctx context.Context) error {
	var waiting sync.Once
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := s.tryLock(ctx)
		if err != nil && !errors.Is(err, errLocked) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(200*time.Millisecond)), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(error, time.Duration) {
			waiting.Do(func() { s.log.Info("waiting for another process to migrate", "at_most", s.lease()) })
		}))
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("another process migrates, or was killed while it did; its lock ends after %s: %w", s.lease(), err)
	}
	return err
}

// lease is the age at which a lock was left behind. On one machine a migration
// takes a moment, and a killed one must not keep the next start waiting for long.
func (s *Store) lease() time.Duration {
	if s.embedded {
		return lockLeaseEmbedded
	}
	return lockLease
}

func (s *Store) tryLock(ctx context.Context) error { return s.tryLockAfter(ctx, s.lease()) }

// tryLockAfter also removes a lock that is older than lease, for the next try.
func (s *Store) tryLockAfter(ctx context.Context, lease time.Duration) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	create := fmt.Sprintf("CREATE TABLE %s (holder String COMMENT 'Not used') ENGINE = TinyLog COMMENT %s",
		lockTable, quote(fmt.Sprintf("Held by process %d on %s while it migrates", os.Getpid(), host)))
	err = s.conn.Exec(ctx, create)
	if code(err) != codeTableExists {
		return err
	}
	var age int64
	err = s.conn.QueryRow(ctx, "SELECT toInt64(dateDiff('second', metadata_modification_time, now())) FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
		clickhouse.Named("name", lockTable)).Scan(&age)
	if err == nil && age > int64(lease.Seconds()) {
		s.log.Warn("removing a migration lock that was left behind", "seconds", age)
		if err := s.unlock(); err != nil {
			return err
		}
	}
	return errLocked
}

// unlock also works when the caller has given up, so that others need not wait
// for the lease.
func (s *Store) unlock() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.InsertTimeout)
	defer cancel()
	if err := s.conn.Exec(ctx, "DROP TABLE IF EXISTS "+lockTable); err != nil {
		return fmt.Errorf("unlock the schema: %w", err)
	}
	return nil
}

// code is the number of a ClickHouse error, or 0.
func code(err error) int {
	if refused, ok := errors.AsType[*clickhouse.Exception](err); ok {
		return int(refused.Code)
	}
	return 0
}

// quote makes a string literal of SQL, for the places where no parameter may stand.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
