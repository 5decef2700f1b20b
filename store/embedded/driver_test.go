package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/internal/testenv"
)

// open connects the unmodified driver to the engine.
func open(t testing.TB, p *testenv.EngineProc, database string, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	u, err := url.Parse(p.Endpoint.URL)
	if err != nil {
		t.Fatal(err)
	}
	options := &clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     []string{u.Host},
		Auth:     clickhouse.Auth{Database: database, Username: "default", Password: p.Endpoint.Token},
	}
	for _, c := range change {
		c(options)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func compressed(method clickhouse.CompressionMethod, settings clickhouse.Settings) func(*clickhouse.Options) {
	return func(o *clickhouse.Options) {
		o.Compression = &clickhouse.Compression{Method: method}
		o.Settings = settings
	}
}

// Every way to pack bytes carries every kind of column there and back.
func TestDriverRoundTrip(t *testing.T) {
	p, database := testenv.Database(t)
	for _, tc := range []struct {
		name     string
		method   clickhouse.CompressionMethod
		settings clickhouse.Settings
	}{
		{"none", clickhouse.CompressionNone, nil},
		{"lz4", clickhouse.CompressionLZ4, nil},
		{"zstd", clickhouse.CompressionZSTD, nil},
		{"gzip", clickhouse.CompressionGZIP, clickhouse.Settings{"enable_http_compression": 1}},
		{"brotli", clickhouse.CompressionBrotli, clickhouse.Settings{"enable_http_compression": 1}},
		{"deflate", clickhouse.CompressionDeflate, clickhouse.Settings{"enable_http_compression": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := t.Context()
			conn := open(t, p, database, compressed(tc.method, tc.settings))
			table := "t_" + tc.name
			if err := conn.Exec(ctx, "CREATE TABLE "+table+` (id UInt64, at DateTime64(3, 'UTC'), text String, lang LowCardinality(String),
				score Float32, tags Array(LowCardinality(String)), extra Map(String, String), maybe Nullable(Int32)) ENGINE = MergeTree ORDER BY id`); err != nil {
				t.Fatal(err)
			}
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
			if err != nil {
				t.Fatal(err)
			}
			const rows = 3000
			at := time.Date(2026, 3, 1, 12, 0, 0, int(7*time.Millisecond), time.UTC)
			for i := range rows {
				var maybe *int32
				if i%2 == 0 {
					n := int32(i)
					maybe = &n
				}
				if err := batch.Append(uint64(i), at, fmt.Sprintf("post %d: naïve 日本 \x00'\"", i), "en", float32(0.5), []string{"a", "b"}, map[string]string{"k": "v"}, maybe); err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			got, err := conn.Query(ctx, "SELECT * FROM "+table+" ORDER BY id SETTINGS max_block_size = 500") // several blocks
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			var n int
			for ; got.Next(); n++ {
				var (
					id         uint64
					when       time.Time
					text, lang string
					score      float32
					tags       []string
					extra      map[string]string
					maybe      *int32
				)
				if err := got.Scan(&id, &when, &text, &lang, &score, &tags, &extra, &maybe); err != nil {
					t.Fatal(err)
				}
				if id != uint64(n) || !when.Equal(at) || text != fmt.Sprintf("post %d: naïve 日本 \x00'\"", n) || lang != "en" || len(tags) != 2 || extra["k"] != "v" || (maybe != nil) != (n%2 == 0) {
					t.Fatalf("row %d came back as %v %v %q %q %v %v %v", n, id, when, text, lang, tags, extra, maybe)
				}
			}
			if err := got.Err(); err != nil || n != rows {
				t.Fatalf("%d rows, %v; want %d", n, err, rows)
			}
		})
	}
}

func TestDriverErrorsAreTyped(t *testing.T) {
	p, database := testenv.Database(t)
	conn := open(t, p, database)
	ctx := t.Context()
	for _, tc := range []struct {
		sql  string
		code int32
	}{
		{"SELECT * FROM missing", 60},
		{"SELEC 1", 62},
		{"SELECT 1; SELECT 2", 62},
		{"SELECT 1 SETTINGS nope = 1", 115},
		{"SELECT throwIf(number = 3) FROM numbers(10)", 395},
		// After the first blocks were sent.
		{"SELECT throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_threads = 1", 395},
	} {
		rows, err := conn.Query(ctx, tc.sql)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		var e *clickhouse.Exception
		if !errors.As(err, &e) || e.Code != tc.code {
			t.Errorf("%s: error %v, want an exception of code %d", tc.sql, err, tc.code)
		}
	}
	// An insert that fails says so too, and the connection is still good.
	batch, err := conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes([]clickhouse.ColumnNameAndType{{Name: "a", Type: "UInt8"}})), "INSERT INTO missing")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Append(uint8(1)); err != nil {
		t.Fatal(err)
	}
	var e *clickhouse.Exception
	if err := batch.Send(); !errors.As(err, &e) || e.Code != 60 {
		t.Errorf("insert into a missing table: %v, want code 60", err)
	}
	if err := conn.Ping(ctx); err != nil {
		t.Error(err)
	}
}

func TestDriverParametersAndSettings(t *testing.T) {
	p, database := testenv.Database(t)
	conn := open(t, p, database, func(o *clickhouse.Options) { o.Settings = clickhouse.Settings{"max_threads": 1} })
	// As on a server, values are escaped as in tab separated text.
	ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"text": `it's \\ 100%\tnew\nline`, "n": "7"}))
	var text, db, threads, comment string
	var n uint8
	err := conn.QueryRow(ctx, "SELECT {text:String}, {n:UInt8}, currentDatabase(), toString(getSetting('max_threads')), getSetting('log_comment')").Scan(&text, &n, &db, &threads, &comment)
	if err != nil {
		t.Fatal(err)
	}
	if text != "it's \\ 100%\tnew\nline" || n != 7 || db != database || threads != "1" {
		t.Errorf("got %q %d %q %q", text, n, db, threads)
	}
	// The settings of one request are not those of the next.
	with := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 17}))
	var size uint64
	if err := conn.QueryRow(with, "SELECT toUInt64(getSetting('max_block_size'))").Scan(&size); err != nil || size != 17 {
		t.Errorf("max_block_size is %d, %v; want 17", size, err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT toUInt64(getSetting('max_block_size'))").Scan(&size); err != nil || size == 17 {
		t.Errorf("max_block_size of one query reached the next: %d, %v", size, err)
	}
	var e *clickhouse.Exception
	wrong := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"no_such_setting": 1}))
	if err := conn.QueryRow(wrong, "SELECT 1").Scan(&n); !errors.As(err, &e) || e.Code != 115 {
		t.Errorf("unknown setting: %v, want code 115", err)
	}
	readonly := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"readonly": 1, "max_threads": 2}))
	if err := conn.Exec(readonly, "CREATE TABLE t (a UInt8) ENGINE = Memory"); !errors.As(err, &e) || e.Code != 164 {
		t.Errorf("create with readonly: %v, want code 164", err)
	}
	// No rows is an answer too.
	rows, err := conn.Query(t.Context(), "SELECT number FROM numbers(5) WHERE 0")
	if err != nil {
		t.Fatal(err)
	}
	if rows.Next() || rows.Err() != nil {
		t.Errorf("an empty result has a row, or an error: %v", rows.Err())
	}
	rows.Close()
}

func TestDriverCancelKillsTheQuery(t *testing.T) {
	p, database := testenv.Database(t)
	conn := open(t, p, database)
	for _, sql := range []string{
		"SELECT count() FROM system.numbers WHERE sipHash64(number) = 1 -- " + database,                    // nothing to send
		"SELECT number FROM system.numbers -- " + database,                                                 // endless answer
		"INSERT INTO FUNCTION null('a UInt64') SELECT number FROM system.numbers -- insert " + database,    // no answer at all
		"SELECT uniqExact(number) FROM system.numbers FORMAT JSON SETTINGS max_threads = 1 -- " + database, // buffered
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			rows, err := conn.Query(ctx, sql)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				rows.Close()
			}
			done <- err
		}()
		running := func() string {
			return p.Exec(t, "SELECT count() FROM system.processes WHERE query LIKE '%-- %"+database+"%' AND query NOT LIKE '%system.processes%'")
		}
		await(t, "the query runs", func() bool { return running() == "1" })
		cancel()
		<-done
		await(t, "the query is killed", func() bool { return running() == "0" })
	}
}

// await waits until what holds, and fails the test when it does not in time.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
