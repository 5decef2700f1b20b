"""The embedded engine, seen by clients that were written for ClickHouse servers.

Started by run.sh, which sets
    OUTCRY_TEST_BINARY  the outcry under test
    OUTCRY_TEST_CONFIG  the configuration it runs with
    OUTCRY_TEST_DATA    its data directory, where the engine's address and token are
Ends with a line "N passed, N failed"; exit code 1 when one failed.
"""

import concurrent.futures
import contextlib
import datetime
import decimal
import gzip
import http.client
import ipaddress
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import uuid
import zoneinfo

import clickhouse_connect
from clickhouse_connect import dbapi
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData

UTC = datetime.timezone.utc
RUN = pathlib.Path(os.environ["OUTCRY_TEST_DATA"], "run")
URL = (RUN / "engine.url").read_text().strip()
TOKEN = (RUN / "engine.token").read_text().strip()
ADDRESS = urllib.parse.urlsplit(URL)

# Characters that escape badly: quotes, tabs, line ends, what no terminal shows,
# emoji of several code points, another direction.
HOSTILE = "'\"`\\ \t\n\r\v \x01\x1b\x7f \u2028 {x:String} %s $1 -- /* 😡👩‍👩‍👧 naïve שלום"


def connect(**options):
    options = {"username": "analyst", "password": TOKEN} | options
    return clickhouse_connect.get_client(host=ADDRESS.hostname, port=ADDRESS.port, **options)


def http_connection():
    return contextlib.closing(http.client.HTTPConnection(ADDRESS.hostname, ADDRESS.port, timeout=60))


def within(seconds, what, holds):
    """Polls until holds() is true, and fails where it is not in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class EngineTest(unittest.TestCase):
    """Gives each test a client and a database of its own."""

    def setUp(self):
        self.database = "t" + uuid.uuid4().hex
        admin = connect()
        self.addCleanup(admin.close)
        admin.command(f"CREATE DATABASE {self.database}")
        self.addCleanup(admin.command, f"DROP DATABASE {self.database}")
        self.client = connect(database=self.database)
        self.addCleanup(self.client.close)

    def assertRefused(self, code, name, do, *args, **options):
        with self.assertRaises(DatabaseError) as caught:
            do(*args, **options)
        self.assertEqual((caught.exception.code, caught.exception.name), (code, name), caught.exception)
        return str(caught.exception)


class Connecting(EngineTest):
    def test_version_and_ping(self):
        self.assertTrue(self.client.ping())
        self.assertRegex(self.client.server_version, r"^\d+\.\d+\.\d+\.\d+$")
        self.assertEqual(self.client.command("SELECT version()"), self.client.server_version)
        self.assertTrue(self.client.min_version("26.1"))

    def test_database_of_the_connection(self):
        self.assertEqual(self.client.command("SELECT currentDatabase()"), self.database)
        self.assertIn("outcry", self.client.query("SHOW DATABASES").result_columns[0])

    def test_token_as_bearer(self):
        with connect(username=None, password="", access_token=TOKEN) as client:
            self.assertEqual(client.command("SELECT 1"), 1)

    def test_wrong_token(self):
        for password in ("guess", TOKEN[:-1], TOKEN + "x", TOKEN.lower()):
            text = self.assertRefused(516, "AUTHENTICATION_FAILED", connect, password=password)
            self.assertNotIn(TOKEN, text)

    def test_unknown_database(self):
        self.assertRefused(81, "UNKNOWN_DATABASE", connect, database="nowhere")


class Types(EngineTest):
    def roundtrip(self, columns, rows, **options):
        names = list(columns)
        self.client.command("CREATE TABLE t (" + ", ".join(f"{n} {t}" for n, t in columns.items())
                            + f") ENGINE = MergeTree ORDER BY {names[0]}")
        self.client.insert("t", rows, column_names=names)
        result = self.client.query(f"SELECT * FROM t ORDER BY {names[0]}", **options)
        self.assertEqual(list(result.column_names), names)
        self.assertEqual([list(row) for row in result.result_rows], [list(row) for row in rows])
        return result

    def test_strings(self):
        every_control = "".join(map(chr, range(1, 32)))
        strings = ["", HOSTILE, every_control, "a\x00b", "\U0001f621" * 10_000, "x" * 1_000_000]
        self.roundtrip({"n": "UInt8", "s": "String"}, list(enumerate(strings)))

    def test_low_cardinality(self):
        words = ["", "phone", "Formular ü", HOSTILE]
        rows = [[n, words[n % 4], None if n % 3 else words[n % 4]] for n in range(5_000)]
        self.roundtrip({"n": "UInt32", "a": "LowCardinality(String)", "b": "LowCardinality(Nullable(String))"}, rows)

    def test_times(self):
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        self.roundtrip(
            {"n": "UInt8", "ms": "DateTime64(3, 'UTC')", "us": "DateTime64(6, 'Europe/Berlin')", "s": "DateTime('UTC')", "d": "Date"},
            [[n, datetime.datetime(1970 + 27 * n, 3, 29, 1, 59, 59, 999000, tzinfo=UTC),
              datetime.datetime(2026, 10, 25, 2, 30, 0, 123456, tzinfo=berlin, fold=n),  # the hour that comes twice
              datetime.datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC),
              datetime.date(2026, 12, 31)] for n in (0, 1)],
            tz_mode="aware")

    def test_containers(self):
        self.roundtrip(
            {"n": "UInt8", "words": "Array(LowCardinality(String))", "nested": "Array(Array(Int32))",
             "counts": "Map(String, UInt64)", "pair": "Tuple(String, Nullable(Float64))"},
            [[0, [], [], {}, ("", None)],
             [1, ["down", HOSTILE], [[1, -2], [], [3]], {"phone": 1, HOSTILE: 2**64 - 1}, ("😡", -0.5)]])

    def test_numbers_and_others(self):
        self.roundtrip(
            {"n": "UInt8", "u": "UInt64", "i": "Int64", "f": "Float64", "b": "Bool", "d": "Decimal(18, 4)",
             "id": "UUID", "ip": "IPv6", "e": "Enum8('negative' = -1, 'positive' = 1)", "o": "Nullable(Int16)"},
            [[0, 2**64 - 1, -2**63, 1e300, True, decimal.Decimal("-99999999999999.9999"),
              uuid.UUID(int=2**128 - 1), ipaddress.IPv6Address("2001:db8::1"), "negative", None],
             [1, 0, 2**63 - 1, -0.0, False, decimal.Decimal("0.0001"),
              uuid.UUID(int=0), ipaddress.IPv6Address("::"), "positive", -7]])

    def test_every_compression(self):
        for compress in (False, "lz4", "zstd", "gzip"):
            with self.subTest(compress=compress), connect(database=self.database, compress=compress) as client:
                client.command("CREATE OR REPLACE TABLE t (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
                client.insert("t", [[n, "😡" * (n % 50)] for n in range(20_000)], column_names=["n", "s"])
                self.assertEqual(client.query("SELECT count(), sum(n), sum(length(s)) FROM t").first_row,
                                 (20_000, 199_990_000, 4 * 400 * sum(range(50))))
                self.assertEqual(sum(len(s) for (s,) in client.query("SELECT s FROM t").result_rows), 400 * sum(range(50)))

    def test_other_formats(self):
        self.client.command("CREATE TABLE t (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
        self.client.raw_insert("t", ["n", "s"], '1,"a ""b"""\n2,😡\n', fmt="CSV")
        lines = self.client.raw_query("SELECT * FROM t ORDER BY n", fmt="JSONEachRow").decode().splitlines()
        self.assertEqual([json.loads(line) for line in lines], [{"n": 1, "s": 'a "b"'}, {"n": 2, "s": "😡"}])
        parquet = self.client.raw_query("SELECT * FROM t", fmt="Parquet")
        self.assertEqual((parquet[:4], parquet[-4:]), (b"PAR1", b"PAR1"))
        self.client.raw_insert("t", None, parquet, fmt="Parquet")
        self.assertEqual(self.client.query("SELECT count(), uniqExact(n) FROM t").first_row, (4, 2))

    def test_a_large_insert_counts_exactly(self):
        self.client.command("CREATE TABLE t (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
        column = list(range(300_000))
        summary = self.client.insert("t", [column, [f"post {n}" for n in column]], column_names=["n", "s"], column_oriented=True)
        self.assertEqual(summary.written_rows, 300_000)
        self.assertEqual(self.client.query("SELECT count(), uniqExact(n), sum(n) FROM t").first_row, (300_000, 300_000, sum(column)))

    def test_a_refused_insert_stores_nothing(self):
        self.client.command("CREATE TABLE t (n UInt8, CONSTRAINT small CHECK n < 100) ENGINE = MergeTree ORDER BY n")
        self.assertRefused(469, "VIOLATED_CONSTRAINT", self.client.insert, "t", [[1], [200]], column_names=["n"])
        self.assertRefused(117, "INCORRECT_DATA", self.client.raw_insert, "t", ["n"], "1\nx\n", fmt="CSV")
        self.assertEqual(self.client.command("SELECT count() FROM t"), 0)


class Streaming(EngineTest):
    def test_a_large_result(self):
        rows = blocks = total = 0
        with self.client.query_row_block_stream("SELECT number, toString(number) FROM numbers(2000000)") as stream:
            for block in stream:
                blocks += 1
                rows += len(block)
                total += sum(n for n, s in block)
        self.assertEqual((rows, total), (2_000_000, 1_999_999_000_000))
        self.assertGreater(blocks, 10)

    def test_a_raw_stream(self):
        with self.client.raw_stream("SELECT number FROM numbers(1000000)", fmt="TSV") as stream:
            data = b"".join(iter(lambda: stream.read(1 << 16), b""))
        self.assertEqual(sum(map(int, data.split())), 499_999_500_000)

    def test_an_error_within_a_result(self):
        def read():
            with self.client.query_row_block_stream("SELECT number, throwIf(number = 5000000) FROM numbers(10000000)") as stream:
                for _ in stream:
                    pass
        self.assertRefused(395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO", read)
        self.assertEqual(self.client.command("SELECT 1"), 1)

    def test_who_goes_away_leaves_no_query(self):
        mark = uuid.uuid4().hex

        def running():
            return self.client.command(f"SELECT count() FROM system.processes WHERE position(query, '{mark}') > 0 AND position(query, 'processes') = 0")

        with http_connection() as connection:
            connection.request("POST", "/", f"SELECT number, '{mark}' FROM system.numbers", {"X-ClickHouse-Key": TOKEN})
            self.assertEqual(len(connection.getresponse().read(1_000_000)), 1_000_000)
            self.assertEqual(running(), 1)
        within(20, "the abandoned query is gone", lambda: running() == 0)


class Errors(EngineTest):
    def test_codes(self):
        for code, name, sql in (
            (62, "SYNTAX_ERROR", "SELEC 1"),
            (60, "UNKNOWN_TABLE", "SELECT * FROM nowhere"),
            (47, "UNKNOWN_IDENTIFIER", "SELECT nothing"),
            (46, "UNKNOWN_FUNCTION", "SELECT unheard_of()"),
            (43, "ILLEGAL_TYPE_OF_ARGUMENT", "SELECT 'a' + [1]"),
            (456, "UNKNOWN_QUERY_PARAMETER", "SELECT {missing:String}"),
            (81, "UNKNOWN_DATABASE", "DROP TABLE nowhere.t"),
        ):
            with self.subTest(sql=sql):
                self.assertRefused(code, name, self.client.command, sql)

    def test_limits(self):
        endless = "SELECT count() FROM system.numbers WHERE NOT ignore(number)"
        self.assertRefused(159, "TIMEOUT_EXCEEDED", self.client.query, endless, settings={"max_execution_time": 1})
        self.assertRefused(158, "TOO_MANY_ROWS", self.client.query, endless, settings={"max_rows_to_read": 1000})
        self.assertRefused(241, "MEMORY_LIMIT_EXCEEDED", self.client.query,
                           "SELECT groupArray(number) FROM numbers(100000000)", settings={"max_memory_usage": 10_000_000})

    def test_readonly(self):
        self.client.command("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n")
        for sql in ("DROP TABLE t", "TRUNCATE TABLE t", "INSERT INTO t SELECT 1", "ALTER TABLE t DELETE WHERE 1"):
            self.assertRefused(164, "READONLY", self.client.command, sql, settings={"readonly": 2})
        self.assertEqual(self.client.query("SELECT count() FROM t", settings={"readonly": 2}).first_row, (0,))

    def test_external_tables_are_refused(self):
        data = ExternalData(file_name="e", data=b"1\n", fmt="TSV", structure="n UInt8")
        self.assertRefused(48, "NOT_IMPLEMENTED", self.client.query, "SELECT * FROM e", external_data=data)


class StayingInside(EngineTest):
    def test_what_reaches_out_is_refused(self):
        target = pathlib.Path(tempfile.gettempdir(), "outcry-" + uuid.uuid4().hex)
        for sql in (
            "SELECT * FROM file('/etc/passwd', 'LineAsString')",
            "SELECT file('/etc/passwd')",
            "SELECT * FROM `file`/**/('/etc/passwd', 'LineAsString')",
            "WITH 1 AS one SELECT * FROM (SELECT * FROM file('/etc/passwd', 'LineAsString'))",
            "DESCRIBE TABLE file('/etc/passwd', 'LineAsString')",
            f"SELECT * FROM url('{URL}/ping', 'LineAsString')",
            "SELECT * FROM s3('http://127.0.0.1/b/k', 'LineAsString')",
            "SELECT * FROM remote('127.0.0.1', system.one)",
            "SELECT * FROM executable('id', 'LineAsString', 's String')",
            "CREATE TABLE t (s String) ENGINE = File(LineAsString, '/etc/passwd')",
            f"CREATE TABLE t (s String) ENGINE = URL('{URL}/ping', 'LineAsString')",
            f"INSERT INTO FUNCTION file('{target}', 'LineAsString', 's String') SELECT 'x'",
            f"SELECT 1 INTO OUTFILE '{target}'",
        ):
            with self.subTest(sql=sql):
                text = self.assertRefused(497, "ACCESS_DENIED", self.client.command, sql)
                self.assertNotIn("root:", text)
        self.assertFalse(target.exists())

    def test_what_looks_like_it_is_not(self):
        self.assertEqual(self.client.command("SELECT 'file(1) url(2)' AS file -- file('/etc/passwd')"), "file(1) url(2)")


class Parameters(EngineTest):
    def test_bound_by_the_engine(self):
        for value in ("", HOSTILE, "NULL", "\\N"):
            self.assertEqual(self.client.query("SELECT {v:String}", parameters={"v": value}).first_row, (value,))
        moment = datetime.datetime(2026, 11, 22, 1, 2, 3, 456000, tzinfo=UTC)
        row = self.client.query(
            "SELECT {n:Int64}, {f:Float64}, {words:Array(String)}, {t_64:DateTime64(3, 'UTC')}, {none:Nullable(String)}",
            parameters={"n": -2**63, "f": 0.5, "words": ["phone", HOSTILE], "t_64": moment, "none": None}, tz_mode="aware").first_row
        self.assertEqual(row, (-2**63, 0.5, ["phone", HOSTILE], moment, None))

    def test_names(self):
        row = self.client.query("SELECT count() FROM {db:Identifier}.{t:Identifier}", parameters={"db": "system", "t": "one"}).first_row
        self.assertEqual(row, (1,))

    def test_bound_by_the_client(self):
        row = self.client.query("SELECT %(v)s, %(n)s", parameters={"v": HOSTILE, "n": 7}).first_row
        self.assertEqual(row, (HOSTILE, 7))

    def test_settings_stay_with_their_query(self):
        def threads(n):
            with connect() as client:
                return [client.query("SELECT getSetting('max_threads'), sum(number) FROM numbers(1000)",
                                     settings={"max_threads": n}).first_row[0] for _ in range(5)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for n, got in zip(range(1, 9), pool.map(threads, range(1, 9))):
                self.assertEqual(got, [n] * 5)

    def test_python_database_api(self):
        connection = dbapi.connect(host=ADDRESS.hostname, port=ADDRESS.port, username="analyst", password=TOKEN, database=self.database)
        self.addCleanup(connection.close)
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE t (n UInt8, s String) ENGINE = MergeTree ORDER BY n")
        cursor.executemany("INSERT INTO t (n, s) VALUES", [(1, "a"), (2, HOSTILE)])
        cursor.execute("SELECT s FROM t WHERE n > %(n)s", {"n": 1})
        self.assertEqual([column[0] for column in cursor.description], ["s"])
        self.assertEqual(cursor.fetchall(), [(HOSTILE,)])


class Views(EngineTest):
    """What analysts read, with posts that came the ordinary way."""

    POSTS = {"1": "@exampleoffice the portal is down again 😡 terrible", "2": "@exampleoffice nobody answers the phone",
             "3": "@exampleoffice thank you, that was quick and friendly"}

    @classmethod
    def setUpClass(cls):
        now = datetime.datetime.now(UTC).isoformat(timespec="seconds")
        lines = ["id,timestamp,text"] + [f'{key},{now},"{text}"' for key, text in cls.POSTS.items()]
        done = subprocess.run([os.environ["OUTCRY_TEST_BINARY"], "replay", "-", "--format", "csv", "--id-column", "id", "--config", os.environ["OUTCRY_TEST_CONFIG"]],
                              input="\n".join(lines) + "\n", text=True, capture_output=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"outcry replay: exit code {done.returncode}\n{done.stderr}")
        with connect(database="outcry") as client:
            within(60, "the posts are stored", lambda: client.command("SELECT count() FROM v_mentions") >= len(cls.POSTS))

    def test_every_view_is_readable(self):
        with connect(database="outcry", settings={"readonly": 2}) as client:
            views = client.query("SELECT name FROM system.tables WHERE database = 'outcry' AND startsWith(name, 'v_') ORDER BY name").result_columns[0]
            self.assertEqual(list(views), ["v_alerts", "v_mentions", "v_series_1m", "v_source_health"])
            for view in views:
                described = client.query(f"DESCRIBE TABLE {view}").result_columns[0]
                result = client.query(f"SELECT * FROM {view} LIMIT 1000")
                self.assertTrue(result.row_count == 0 or list(result.column_names) == list(described), view)
                self.assertTrue(all(c not in described for c in ("author", "permalink")), f"{view} shows people")

    def test_posts_and_counts(self):
        with connect(database="outcry") as client:
            rows = client.query("SELECT text, agency, label, links FROM v_mentions ORDER BY text").result_rows
            self.assertEqual([row[0] for row in rows], sorted(self.POSTS.values()))
            self.assertEqual({row[1] for row in rows}, {"example-office"})
            self.assertEqual({row[0]: row[2] for row in rows}[self.POSTS["1"]], "negative")
            counted = client.query("SELECT uniqCombined64Merge(posts), uniqCombined64Merge(negative) FROM series_1m WHERE agency = {a:String}",
                                   parameters={"a": "example-office"}).first_row
            self.assertEqual(counted, (len(self.POSTS), sum(row[2] == "negative" for row in rows)))
            self.assertGreaterEqual(client.command("SELECT max(posts) FROM v_series_1m"), 1)


class Curl(EngineTest):
    """Raw HTTP, as scripts do it."""

    def curl(self, query, *options, data=b"", user=TOKEN):
        """Returns status, exception code and body of a request with a query string."""
        with tempfile.NamedTemporaryFile("w") as secret:  # what stands on a command line is seen by others
            secret.write(f'user = "analyst:{user}"\n' if user else "")
            secret.flush()
            done = subprocess.run(
                ["curl", "-sS", "--max-time", "60", "-K", secret.name, "-w", "\n%{http_code} %header{x-clickhouse-exception-code}",
                 *options, f"{URL}/?{query}"], input=data, capture_output=True, check=True)
        body, _, last = done.stdout.rpartition(b"\n")
        status, code = last.decode().split(" ")
        return int(status), code, body

    def ask(self, query, *options, data=b""):
        status, code, body = self.curl(query, *options, data=data)
        self.assertEqual((status, code), (200, ""), body)
        return body.decode()

    POST = ("--data-binary", "@-")

    def test_ping_needs_no_token(self):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", URL + "/ping"], capture_output=True, check=True)
        self.assertEqual(done.stdout, b"Ok.\n")

    def test_passwords(self):
        self.assertEqual(self.curl("query=SELECT+1", user="")[:2], (401, "194"))
        self.assertEqual(self.curl("query=SELECT+1", user="guess")[:2], (403, "516"))
        self.assertEqual(self.ask("query=SELECT+1"), "1\n")

    def test_as_the_guide_for_analysts_says(self):
        self.assertRegex(self.ask("database=outcry&readonly=2", *self.POST, data=b"SELECT count() FROM v_mentions\n"), r"^\d+\n$")

    def test_get_only_reads(self):
        self.assertEqual(self.curl(f"query=CREATE+DATABASE+{self.database}x")[:2], (500, "164"))

    def test_errors(self):
        self.assertEqual(self.curl("", *self.POST, data=b"SELEC 1")[:2], (400, "62"))
        self.assertEqual(self.curl("", *self.POST, data=b"SELECT * FROM nowhere")[:2], (404, "60"))
        self.assertEqual(self.curl("", *self.POST, data=b"SELECT file('/etc/passwd')")[:2], (403, "497"))

    def test_formats_and_parameters(self):
        self.assertEqual(self.ask("default_format=CSV", *self.POST, data="SELECT 1, '😡'".encode()), '1,"😡"\n')
        self.assertEqual(self.ask("param_v=a%5Ctb", *self.POST, data=b"SELECT {v:String} AS v FORMAT JSONEachRow"), '{"v":"a\\tb"}\n')

    def test_inserts(self):
        table = f"{self.database}.t"
        self.ask("", *self.POST, data=f"CREATE TABLE {table} (n UInt32, s String) ENGINE = MergeTree ORDER BY n".encode())
        insert = "query=" + urllib.parse.quote(f"INSERT INTO {table} FORMAT CSV")
        rows = "".join(f'{n},"😡 {n}"\n' for n in range(50_000)).encode()
        self.ask(insert, *self.POST, data=rows)
        self.ask(insert, "-X", "POST", "-T", "-", data=rows)  # chunked, after 100 Continue
        self.ask(insert, "-H", "Content-Encoding: gzip", *self.POST, data=gzip.compress(rows))
        self.ask("", *self.POST, data=f"INSERT INTO {table} VALUES (50000, 'inline')".encode())
        self.assertEqual(self.ask("", *self.POST, data=f"SELECT count(), uniqExact(n) FROM {table}".encode()), "150001\t50001\n")

    def test_compressed_answers(self):
        for encoding in ("gzip", "deflate", "gzip, deflate, br, zstd"):
            answer = self.ask("enable_http_compression=1", "--compressed", "-H", f"Accept-Encoding: {encoding}", *self.POST,
                              data=b"SELECT number FROM numbers(100000)")
            self.assertEqual(len(answer.splitlines()), 100_000, encoding)

    def test_old_http(self):
        self.assertEqual(self.ask("query=SELECT+1", "--http1.0"), "1\n")
        self.assertEqual(len(self.ask("", "--http1.0", *self.POST, data=b"SELECT number FROM numbers(200000)").splitlines()), 200_000)


if __name__ == "__main__":
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it logs the errors that tests provoke
    result = unittest.main(exit=False, verbosity=2).result
    failed = {getattr(test, "test_case", test) for test, _ in result.failures + result.errors} | set(result.unexpectedSuccesses)
    passed = result.testsRun - len(result.skipped) - sum(isinstance(test, unittest.TestCase) for test in failed)
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
