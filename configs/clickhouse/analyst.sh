#!/bin/sh
# Makes the read-only user of analysts and of Grafana. The server's image runs
# it once, when the data directory is new.
#
# An analyst reads everything but what leads to a person: neither authors nor
# permalinks. Quotas keep a heavy query from slowing down the pipeline.
set -eu

digest=$(printf %s "$(cat /run/secrets/clickhouse_analyst_password)" | sha256sum | cut -d ' ' -f 1)

clickhouse client --user "$CLICKHOUSE_USER" --password "$(cat "$CLICKHOUSE_PASSWORD_FILE")" --multiquery <<SQL
CREATE SETTINGS PROFILE IF NOT EXISTS analyst
    SETTINGS readonly = 2, max_execution_time = 60, max_memory_usage = 4000000000, max_result_rows = 10000000;
CREATE USER IF NOT EXISTS analyst
    IDENTIFIED WITH sha256_hash BY '$digest' DEFAULT DATABASE outcry SETTINGS PROFILE analyst;
CREATE QUOTA IF NOT EXISTS analyst FOR INTERVAL 1 hour MAX execution_time = 1800 TO analyst;
GRANT SELECT ON outcry.* TO analyst;
REVOKE SELECT(author, permalink) ON outcry.mentions FROM analyst;
SQL
