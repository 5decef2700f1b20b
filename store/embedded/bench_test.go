package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/internal/testenv"
)

const mentions = `CREATE TABLE mentions (
	agency LowCardinality(String), key UInt64, platform LowCardinality(String), id String, author UInt64,
	at DateTime64(3, 'UTC'), arrived DateTime64(3, 'UTC'), stored DateTime64(3, 'UTC') DEFAULT now64(3),
	text String, language LowCardinality(String), score Float32, label LowCardinality(String), confidence Float32,
	scorer LowCardinality(String), complaint Float32, issues Array(LowCardinality(String)), touch_points Array(LowCardinality(String))
) ENGINE = ReplacingMergeTree(stored) PARTITION BY toYYYYMM(at) ORDER BY (agency, at, key)`

const rollup = `CREATE TABLE series_1m (
	agency LowCardinality(String), issue LowCardinality(String), platform LowCardinality(String), minute DateTime('UTC'),
	posts AggregateFunction(uniqCombined64, UInt64), negative AggregateFunction(uniqCombined64, UInt64), authors AggregateFunction(uniqCombined64, UInt64)
) ENGINE = AggregatingMergeTree ORDER BY (agency, issue, platform, minute)`

const rollupView = `CREATE MATERIALIZED VIEW series_1m_mv TO series_1m AS SELECT agency, arrayJoin(if(empty(issues), [''], issues)) AS issue, platform,
	toStartOfMinute(at) AS minute, uniqCombined64State(key) AS posts, uniqCombined64StateIf(key, label = 'negative') AS negative, uniqCombined64State(author) AS authors
	FROM mentions GROUP BY agency, issue, platform, minute`

// batchOfMentions makes rows that look like mentions; key counts from first.
func batchOfMentions(ctx context.Context, conn driver.Conn, first uint64, n int) (driver.Batch, error) {
	ctx = clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(mentionColumns))
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO mentions (agency,key,platform,id,author,at,arrived,text,language,score,label,confidence,scorer,complaint,issues,touch_points)")
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	for i := range n {
		key := first + uint64(i)
		text := fmt.Sprintf("the benefits portal keeps timing out, %d minutes on hold and nobody answers %x", key%90, rand.Uint64())
		if err := batch.Append(fmt.Sprintf("agency-%d", key%50), key, "bluesky", fmt.Sprint(key), rand.Uint64(), now, now, text, "en",
			float32(-0.5), "negative", float32(0.9), "linear/1", float32(0.8), []string{"overload"}, []string{"website"}); err != nil {
			return nil, err
		}
	}
	return batch, nil
}

var mentionColumns = []clickhouse.ColumnNameAndType{
	{Name: "agency", Type: "LowCardinality(String)"}, {Name: "key", Type: "UInt64"}, {Name: "platform", Type: "LowCardinality(String)"},
	{Name: "id", Type: "String"}, {Name: "author", Type: "UInt64"}, {Name: "at", Type: "DateTime64(3, 'UTC')"}, {Name: "arrived", Type: "DateTime64(3, 'UTC')"},
	{Name: "text", Type: "String"}, {Name: "language", Type: "LowCardinality(String)"}, {Name: "score", Type: "Float32"}, {Name: "label", Type: "LowCardinality(String)"},
	{Name: "confidence", Type: "Float32"}, {Name: "scorer", Type: "LowCardinality(String)"}, {Name: "complaint", Type: "Float32"},
	{Name: "issues", Type: "Array(LowCardinality(String))"}, {Name: "touch_points", Type: "Array(LowCardinality(String))"},
}

// BenchmarkInsert stores batches of 10,000 rows like mentions through the
// driver, with the minute rollup behind them.
func BenchmarkInsert(b *testing.B) {
	p, database := testenv.Database(b)
	conn := open(b, p, database)
	for _, sql := range []string{mentions, rollup, rollupView} {
		if err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	const rows = 10_000
	before := cpuSeconds(p.Engine.PID())
	var n uint64
	for b.Loop() {
		batch, err := batchOfMentions(b.Context(), conn, n, rows)
		if err != nil {
			b.Fatal(err)
		}
		if err := batch.Send(); err != nil {
			b.Fatal(err)
		}
		n += rows
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric((cpuSeconds(p.Engine.PID())-before)*1e6/float64(n), "engine-cpu-µs/row")
	b.ReportMetric(resident(p.Engine.PID()), "RSS-MB")
}

// BenchmarkQuery is the round trip of a small query.
func BenchmarkQuery(b *testing.B) {
	p, database := testenv.Database(b)
	conn := open(b, p, database)
	var n uint8
	for b.Loop() {
		if err := conn.QueryRow(b.Context(), "SELECT 1").Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
}

// cpuSeconds is the processor time a process has used.
func cpuSeconds(pid int) float64 {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system float64
	_, _ = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return (user + system) / 100 // clock ticks, of which Linux tells 100 a second
}

// resident is the memory of a process in MB.
func resident(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.SplitSeq(string(status), "\n") {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return 0
}
