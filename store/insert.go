package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// target is a table as a writer sees it. Knowing the types saves the driver a
// DESCRIBE TABLE before every batch.
type target struct {
	table   string
	columns []clickhouse.ColumnNameAndType
	insert  string
}

// newTarget makes a target of "name type" pairs, in the order of the values.
func newTarget(table string, columns ...string) target {
	t := target{table: table}
	names := make([]string, len(columns))
	for i, column := range columns {
		name, kind, _ := strings.Cut(column, " ")
		names[i] = name
		t.columns = append(t.columns, clickhouse.ColumnNameAndType{Name: name, Type: kind})
	}
	t.insert = "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ")"
	return t
}

// insertSettings hold for every insert. Archives span more than the hundred
// monthly partitions that ClickHouse allows an insert by default.
var insertSettings = clickhouse.Settings{
	"max_partitions_per_insert_block": 0,
	"async_insert":                    0,
}

// insert sends one batch in one attempt: fill appends the rows. The batch is
// given back on every path; a retry builds a new one.
func (s *Store) insert(ctx context.Context, t target, fill func(driver.Batch) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.InsertTimeout)
	defer cancel()
	start := time.Now()
	rows, err := s.send(ctx, t, fill)
	s.metrics.inserted(t.table, rows, time.Since(start), err)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", t.table, err)
	}
	return nil
}

func (s *Store) send(ctx context.Context, t target, fill func(driver.Batch) error) (rows int, err error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(t.columns), clickhouse.WithSettings(insertSettings))
	batch, err := s.conn.PrepareBatch(ctx, t.insert)
	if err != nil {
		return 0, err
	}
	defer batch.Close() // does nothing after Send
	if err := fill(batch); err != nil {
		return batch.Rows(), err
	}
	rows = batch.Rows()
	return rows, batch.Send()
}
