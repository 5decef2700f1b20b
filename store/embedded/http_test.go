package embedded_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"outcry/internal/testenv"
)

// call sends one request as plain HTTP, with the token unless change removes it.
func call(t testing.TB, p *testenv.EngineProc, method, params, body string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.Endpoint.URL+"/?"+params, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("default", p.Endpoint.Token)
	for _, c := range change {
		c(req)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestOnlyTheTokenOpens(t *testing.T) {
	p := testenv.SharedEngine(t)
	without := func(r *http.Request) { r.Header.Del("Authorization") }
	for _, tc := range []struct {
		name, params string
		change       func(*http.Request)
		status       int
		code         string
	}{
		{"no password", "", func(*http.Request) {}, 401, "194"},
		{"wrong password", "", func(r *http.Request) { r.SetBasicAuth("default", "guess") }, 403, "516"},
		{"prefix of the token", "password=" + p.Endpoint.Token[:5], func(*http.Request) {}, 403, "516"},
		{"basic", "", func(r *http.Request) { r.SetBasicAuth("anyone", p.Endpoint.Token) }, 200, ""},
		{"key header", "", func(r *http.Request) { r.Header.Set("X-ClickHouse-Key", p.Endpoint.Token) }, 200, ""},
		{"bearer", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+p.Endpoint.Token) }, 200, ""},
		{"parameter", "password=" + p.Endpoint.Token, func(*http.Request) {}, 200, ""},
	} {
		res, body := call(t, p, "POST", tc.params, "SELECT 1", without, tc.change)
		if res.StatusCode != tc.status || res.Header.Get("X-ClickHouse-Exception-Code") != tc.code {
			t.Errorf("%s: status %d, code %q, body %q", tc.name, res.StatusCode, res.Header.Get("X-ClickHouse-Exception-Code"), body)
		}
		if strings.Contains(body, p.Endpoint.Token) {
			t.Errorf("%s: the answer holds the token", tc.name)
		}
	}
	for _, path := range []string{"/ping", "/"} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", p.Endpoint.URL+path, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); string(b) != "Ok.\n" {
			t.Errorf("%s answers %q", path, b)
		}
	}
}

func TestHeadersAreThoseOfAServer(t *testing.T) {
	p := testenv.SharedEngine(t)
	res, body := call(t, p, "POST", "query_id=my-id&default_format=CSV", "SELECT number FROM numbers(3)")
	if body != "0\n1\n2\n" {
		t.Errorf("body %q", body)
	}
	for name, want := range map[string]string{"X-Clickhouse-Query-Id": "my-id", "X-Clickhouse-Format": "CSV", "Content-Type": "text/csv; charset=UTF-8; header=absent"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if res.Header.Get("X-ClickHouse-Timezone") == "" || res.Header.Get("X-ClickHouse-Server-Display-Name") == "" {
		t.Errorf("timezone or display name is missing: %v", res.Header)
	}
	var sum map[string]string
	if err := json.Unmarshal([]byte(res.Header.Get("X-ClickHouse-Summary")), &sum); err != nil || sum["result_rows"] != "3" {
		t.Errorf("summary %q, %v", res.Header.Get("X-ClickHouse-Summary"), err)
	}
	if res, _ := call(t, p, "POST", "", "SELECT 1"); res.Header.Get("X-ClickHouse-Query-Id") == "" {
		t.Error("no query id was made")
	}
}

func TestFormats(t *testing.T) {
	p := testenv.SharedEngine(t)
	for _, tc := range []struct{ method, params, sql, want string }{
		{"POST", "", "SELECT 1, 'a'", "1\ta\n"},
		{"POST", "default_format=JSONEachRow", "SELECT 1 AS a", "{\"a\":1}\n"},
		{"POST", "default_format=Native", "SELECT 1 AS a FORMAT JSONEachRow", "{\"a\":1}\n"},
		{"POST", "default_format=Native", "SELECT 1 AS a FORMAT JSONEachRow SETTINGS max_threads = 1", "{\"a\":1}\n"},
		{"POST", "", "SELECT 1 AS a FORMAT CSVWithNames", "\"a\"\n1\n"},
		{"POST", "", "SELECT format('{} {}', 'FORMAT', 'JSON') -- FORMAT JSON", "FORMAT JSON\n"},
		{"POST", "wait_end_of_query=1", "SELECT number FROM numbers(2)", "0\n1\n"},
		{"POST", "param_x=7", "SELECT {x:UInt8} + 1", "8\n"},
		{"POST", "query=SELECT+1%2B", "1", "2\n"},
		{"GET", "query=SELECT+1", "", "1\n"},
		{"POST", "", "EXISTS TABLE system.one", "1\n"},
		{"POST", "session_id=x&quota_key=y&role=z", "SELECT 1", "1\n"},
	} {
		if res, body := call(t, p, tc.method, tc.params, tc.sql); res.StatusCode != 200 || body != tc.want {
			t.Errorf("%s %s %q: %d %q, want %q", tc.method, tc.params, tc.sql, res.StatusCode, body, tc.want)
		}
	}
	// A document is made as a whole, however many blocks it has.
	_, body := call(t, p, "POST", "", "SELECT number FROM numbers(200000) FORMAT JSON")
	var doc struct{ Rows int }
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Rows != 200000 {
		t.Errorf("JSON of many blocks: %d rows, %v", doc.Rows, err)
	}
}

func TestErrorsAreThoseOfAServer(t *testing.T) {
	p := testenv.SharedEngine(t)
	for _, tc := range []struct {
		method, params, sql string
		status              int
		code                string
	}{
		{"POST", "", "SELECT * FROM missing", 404, "60"},
		{"POST", "", "SELEC", 400, "62"},
		{"POST", "", "-- nothing", 400, "62"},
		{"POST", "", "", 400, "62"},
		{"POST", "", "SELECT 1; DROP TABLE x", 400, "62"},
		{"POST", "no_such_setting=1", "SELECT 1", 404, "115"},
		{"POST", "max_threads=many", "SELECT 1", 400, ""},
		{"POST", "a%27b=1", "SELECT 1", 404, "115"},
		{"POST", "dialect=kusto", "SELECT 1", 404, "115"},
		{"POST", "database=nowhere", "SELECT 1", 404, "81"},
		{"POST", "database=a%60b", "SELECT 1", 404, "81"},
		{"GET", "query=CREATE+TABLE+t+(a+UInt8)+ENGINE=Memory", "", 500, "164"},
		{"GET", "readonly=0&query=CREATE+TABLE+t+(a+UInt8)+ENGINE=Memory", "", 500, "164"},
		{"POST", "", "SELECT '" + strings.Repeat("x", 17<<20) + "'", 413, "229"},
		{"POST", "max_execution_time=1&timeout_overflow_mode=throw", "SELECT count() FROM system.numbers", 408, "159"},
	} {
		res, body := call(t, p, tc.method, tc.params, tc.sql)
		if res.StatusCode != tc.status || tc.code != "" && res.Header.Get("X-ClickHouse-Exception-Code") != tc.code || !strings.HasPrefix(body, "Code: ") || !strings.HasSuffix(body, ")\n") || strings.HasSuffix(body, "))\n") {
			t.Errorf("%s %s %.60q: status %d, code %q, body %.200q", tc.method, tc.params, tc.sql, res.StatusCode, res.Header.Get("X-ClickHouse-Exception-Code"), body)
		}
	}
	form := func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }
	if res, body := call(t, p, "POST", "", "--x--", form); res.StatusCode != 501 {
		t.Errorf("multipart: status %d, %q", res.StatusCode, body)
	}
	if res, _ := call(t, p, "PUT", "", "SELECT 1"); res.StatusCode != 405 {
		t.Errorf("PUT: status %d", res.StatusCode)
	}
}

// An error after the first bytes is in the body, and the body ends broken.
func TestLateErrorBreaksTheAnswer(t *testing.T) {
	p := testenv.SharedEngine(t)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", p.Endpoint.URL, strings.NewReader("SELECT throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_threads = 1"))
	req.SetBasicAuth("default", p.Endpoint.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	tag := res.Header.Get("X-ClickHouse-Exception-Tag")
	if err == nil || res.StatusCode != 200 || len(tag) != 16 || !bytes.Contains(body, []byte("\r\n__exception__\r\n"+tag+"\r\nCode: 395.")) {
		t.Errorf("status %d, tag %q, end of body %q, error %v", res.StatusCode, tag, body[max(0, len(body)-300):], err)
	}
}

func TestSQLStaysInside(t *testing.T) {
	p := testenv.SharedEngine(t)
	sqls := []string{
		"SELECT * FROM file('/etc/hostname', 'LineAsString')",
		"SELECT file('/etc/hostname')",
		"SELECT * FROM `file`('/etc/hostname', 'LineAsString')",
		"SELECT * FROM \"file\" /* c */ ('/etc/hostname', 'LineAsString')",
		"SELECT * FROM “file”('/etc/hostname', 'LineAsString')",
		"SELECT * FROM `\\x66ile`('/etc/hostname', 'LineAsString')",
		"SELECT * FROM FiLe\u00a0('/etc/hostname', 'LineAsString')",
		"SELECT 'it''s \\' ' , * FROM file('/etc/hostname', 'LineAsString')",
		"SELECT $a$ ' $a$, * FROM file('/etc/hostname', 'LineAsString')",
		"INSERT INTO FUNCTION file('/tmp/outcry', 'CSV', 'a String') SELECT 'x'",
		"INSERT INTO FUNCTION file('/tmp/outcry', 'CSV', 'a String') VALUES ('x')",
		"INSERT INTO t FROM INFILE '/etc/hostname' FORMAT CSV",
		"SELECT 1 INTO OUTFILE '/tmp/outcry'",
		"CREATE TABLE t (a String) ENGINE = File(CSV, '/etc/hostname')",
		"CREATE TABLE t (a String) ENGINE File(CSV)",
		"CREATE TABLE t (a String) ENGINE = `Kafka` SETTINGS kafka_broker_list = 'x'",
		"CREATE DATABASE d ENGINE = Filesystem('/')",
		"CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(HTTP(URL 'http://127.0.0.1/')) LAYOUT(FLAT()) LIFETIME(1)",
		"CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = '/tmp/')",
		"SELECT * FROM url('http://127.0.0.1/', 'CSV')",
		"SELECT * FROM remote('127.0.0.1', system.one)",
		"SELECT * FROM executable('x', 'CSV', 'a String')",
		"SELECT * FROM eval('SELECT 1')",
		"SYSTEM SHUTDOWN",
	}
	inside := map[string]bool{}
	for name := range strings.FieldsSeq("dictionary format fuzzJSON generateRandom generateSeries generate_series input loop merge mergeTreeIndex mergeTreeProjection mergeTreeTextIndex null numbers numbers_mt primes SQLStandardValues values view viewExplain viewIfPermitted zeros zeros_mt") {
		inside[name] = true
	}
	for name := range strings.FieldsSeq(p.Exec(t, "SELECT name FROM system.table_functions")) {
		if !inside[name] {
			sqls = append(sqls, "SELECT * FROM "+name+"('x')")
		}
	}
	for _, sql := range sqls {
		if res, body := call(t, p, "POST", "", sql); res.StatusCode != 403 || res.Header.Get("X-ClickHouse-Exception-Code") != "497" {
			t.Errorf("%s: status %d, %q", sql, res.StatusCode, body)
		}
	}
	// What only looks like it goes through.
	for _, sql := range []string{
		"SELECT 'file(' || ' url(x)' -- file('/etc/hostname')",
		"SELECT /* file('/x') */ 1 AS file, 2 AS url",
		"SELECT count() FROM numbers(3)",
		"SELECT * FROM values('a UInt8', 1, 2)",
		"SELECT * FROM view(SELECT 1)",
	} {
		if res, body := call(t, p, "POST", "", sql); res.StatusCode != 200 {
			t.Errorf("%s: status %d, %q", sql, res.StatusCode, body)
		}
	}
}

func TestInsertForms(t *testing.T) {
	p, database := testenv.Database(t)
	p.Exec(t, "CREATE TABLE "+database+".t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	p.Exec(t, "CREATE TABLE "+database+".values (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	zipped := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return b.String()
	}
	asGzip := func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }
	for _, tc := range []struct {
		query, body string
		change      func(*http.Request)
		want        string
	}{
		{"", "INSERT INTO t VALUES (1, 'a'), (1 + 1, lower('B'))", nil, "1 a,2 b"},
		{"", "INSERT INTO t (s, a) VALUES ('a;', 1);", nil, "1 a;"},
		{"INSERT INTO t FORMAT CSV", "1,a\n2,b\n", nil, "1 a,2 b"},
		{"INSERT INTO t FORMAT CSV\n1,a", "2,b\n", nil, "1 a,2 b"},
		{"", "INSERT INTO t FORMAT CSV\n1,a\n2,b\n", nil, "1 a,2 b"},
		{"", "/* c */ insert into t (a, s) settings max_threads = 1 format JSONEachRow {\"a\": 1, \"s\": \"FORMAT CSV\"}", nil, "1 FORMAT CSV"},
		{"INSERT INTO t FORMAT TabSeparated", zipped("1\ta\n"), asGzip, "1 a"},
		{"", zipped("INSERT INTO t FORMAT TabSeparated\n1\ta\n"), asGzip, "1 a"},
		{"INSERT INTO t SELECT number, 'x' FROM numbers(2)", "", nil, "0 x,1 x"},
		{"INSERT INTO t", "SELECT 3, 'y'", nil, "3 y"},
		{"", "INSERT INTO t VALUES " + strings.Repeat("(5, 'z'),", 200_000) + "(6, 'z')", nil, ""},
		{"", "INSERT INTO t /* " + strings.Repeat("long ", 10_000) + "*/ FORMAT CSV\n1,a\n", nil, "1 a"},
		{"", "INSERT INTO `values` VALUES (1, 'v')", nil, ""},
		{"", "INSERT INTO values VALUES (2, 'v')", nil, ""},
	} {
		p.Exec(t, "TRUNCATE TABLE "+database+".t")
		change := tc.change
		if change == nil {
			change = func(*http.Request) {}
		}
		res, body := call(t, p, "POST", "database="+database+"&query="+url.QueryEscape(tc.query), tc.body, change)
		if res.StatusCode != 200 || body != "" {
			t.Errorf("%q %.80q: status %d, %q", tc.query, tc.body, res.StatusCode, body)
		}
		if tc.want == "" {
			continue
		}
		if got := p.Exec(t, "SELECT arrayStringConcat(groupArray(toString(a) || ' ' || s), ',') FROM (SELECT * FROM "+database+".t ORDER BY a)"); got != tc.want {
			t.Errorf("%q %.80q: stored %q, want %q", tc.query, tc.body, got, tc.want)
		}
	}
	if got := p.Exec(t, "SELECT count() FROM "+database+".values"); got != "2" {
		t.Errorf("table values has %s rows, want 2", got)
	}
}

// A body that breaks off inserts nothing, wherever it does.
func TestTruncatedInsertStoresNothing(t *testing.T) {
	p, database := testenv.Database(t)
	p.Exec(t, "CREATE TABLE "+database+".t (a UInt64) ENGINE = MergeTree ORDER BY a")
	_, native := call(t, p, "POST", "", "SELECT number AS a FROM numbers(100000) SETTINGS max_block_size = 10000 FORMAT Native")
	_, packed := call(t, p, "POST", "compress=1", "SELECT number AS a FROM numbers(300000) FORMAT Native")
	var z bytes.Buffer
	zip := gzip.NewWriter(&z)
	_, _ = zip.Write([]byte(native))
	_ = zip.Close()
	rows := strings.Repeat("12345678\n", 300_000)

	for _, tc := range []struct {
		name, params, format, header, data string
	}{
		{"rows", "", "TabSeparated", "", rows},
		{"native", "", "Native", "", native},
		{"gzip", "", "Native", "Content-Encoding: gzip\r\n", z.String()},
		{"blocks", "decompress=1", "Native", "", packed},
	} {
		for _, chunked := range []bool{true, false} {
			for _, part := range []int{0, 1, len(tc.data) / 3, len(tc.data) - 1, len(tc.data)} {
				insertAndHangUp(t, p, "database="+database+"&"+tc.params+"&query="+url.QueryEscape("INSERT INTO t FORMAT "+tc.format), tc.header, tc.data, part, chunked)
			}
		}
	}
	// The engine has seen the last of them when it answers this.
	await(t, "no insert is under way", func() bool {
		return p.Exec(t, "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO t%'") == "0"
	})
	if got := p.Exec(t, "SELECT count() FROM "+database+".t"); got != "0" {
		t.Errorf("truncated inserts stored %s rows", got)
	}

	// Well-formed HTTP around truncated data: an error, and nothing stored.
	for _, tc := range []struct{ params, format, encoding, data string }{
		{"", "Native", "", native[:len(native)-1]},
		{"", "Native", "gzip", z.String()[:z.Len()-9]},
		{"decompress=1", "Native", "", packed[:len(packed)-1]},
		{"decompress=1", "Native", "", packed[:30]},
		{"decompress=1", "Native", "", "garbage, and more of it than a header takes"},
		{"", "Native", "gzip", "garbage"},
		{"", "TabSeparated", "", "1\n2\nthree\n"},
		{"", "TabSeparated", "br", "1\n"},
	} {
		res, body := call(t, p, "POST", "database="+database+"&"+tc.params+"&query="+url.QueryEscape("INSERT INTO t FORMAT "+tc.format), tc.data, func(r *http.Request) {
			if tc.encoding != "" {
				r.Header.Set("Content-Encoding", tc.encoding)
			}
		})
		if res.StatusCode == 200 || !strings.HasPrefix(body, "Code: ") {
			t.Errorf("%+v: status %d, %q", tc.params+tc.format+tc.encoding, res.StatusCode, body)
		}
	}
	if got := p.Exec(t, "SELECT count() FROM "+database+".t"); got != "0" {
		t.Errorf("truncated data stored %s rows", got)
	}
	// And whole ones are stored.
	for _, tc := range []struct{ params, data string }{{"", native}, {"decompress=1", packed}} {
		if res, body := call(t, p, "POST", "database="+database+"&"+tc.params+"&query="+url.QueryEscape("INSERT INTO t FORMAT Native"), tc.data); res.StatusCode != 200 {
			t.Errorf("status %d, %q", res.StatusCode, body)
		}
	}
	if got := p.Exec(t, "SELECT count() FROM "+database+".t"); got != "400000" {
		t.Errorf("%s rows stored, want 400000", got)
	}
}

// insertAndHangUp announces data and sends part of it: the connection ends
// before the request does.
func insertAndHangUp(t *testing.T, p *testenv.EngineProc, params, header, data string, part int, chunked bool) {
	t.Helper()
	u, _ := url.Parse(p.Endpoint.URL)
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "POST /?%s HTTP/1.1\r\nHost: engine\r\nX-ClickHouse-Key: %s\r\n%s", params, p.Endpoint.Token, header)
	if chunked {
		fmt.Fprintf(w, "Transfer-Encoding: chunked\r\n\r\n")
		for sent := 0; sent < part; {
			n := min(part-sent, 100_000)
			fmt.Fprintf(w, "%x\r\n%s\r\n", n, data[sent:sent+n])
			sent += n
		}
	} else {
		fmt.Fprintf(w, "Content-Length: %d\r\n\r\n%s", len(data)+1, data[:part])
	}
	_ = w.Flush() // the engine may refuse it before it is through
}

// More queries than slots all get their turn.
func TestQueriesWaitForTheirTurn(t *testing.T) {
	p := testenv.SharedEngine(t)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			if out, err := p.Query(t.Context(), "SELECT sum(number) FROM numbers(1000000)"); err != nil || out != "499999500000" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	wg.Wait()
}

// Tables and data outlive any number of odd requests.
func TestOddRequests(t *testing.T) {
	p := testenv.SharedEngine(t)
	for _, raw := range []string{
		"\x00\x01\x02",
		"GET / HTTP/1.1\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
		"POST /?query=%zz HTTP/1.1\r\nHost: x\r\nX-ClickHouse-Key: " + p.Endpoint.Token + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"POST /?query=" + strings.Repeat("x", 2<<20) + " HTTP/1.1\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	} {
		u, _ := url.Parse(p.Endpoint.URL)
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(raw))
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
	for _, sql := range []string{"SELECT '\x00'", "SELECT '\xff\xfe'", "\x00", "'", "`", "/*", "$a$", "(((((", strings.Repeat("(", 100_000), "INSERT INTO", "INSERT INTO t FORMAT"} {
		_, _ = p.Query(t.Context(), sql)
	}
	if got := p.Exec(t, "SELECT 1"); got != "1" {
		t.Errorf("the engine answers %q", got)
	}
}
