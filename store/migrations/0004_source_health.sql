CREATE TABLE IF NOT EXISTS {{local "source_health"}}{{.OnCluster}}
(
    at         DateTime64(3, 'UTC')   COMMENT 'When this was so',
    source     LowCardinality(String) COMMENT 'Source instance',
    state      LowCardinality(String) COMMENT 'running, backoff, stalled, gap, failed or finished',
    last_event DateTime64(3, 'UTC')   COMMENT 'When the source last gave an event; 1970-01-01 for never',
    gap_from   DateTime64(3, 'UTC')   COMMENT 'In state gap: posts between this time and at may be missing; otherwise 1970-01-01',
    received   UInt64                 COMMENT 'Events received since the process started',
    published  UInt64                 COMMENT 'Matched events that Kafka acknowledged since the process started',
    refused    UInt64                 COMMENT 'Events sent to the dead letters since the process started',
    detail     String                 COMMENT 'Explanation for people, for example the last error'
)
ENGINE = {{engine "MergeTree"}}
PARTITION BY toYYYYMM(at)
ORDER BY (source, at)
TTL toDateTime(at) + INTERVAL 90 DAY
COMMENT 'How the sources are doing, kept for 90 days. Read v_source_health for the latest state';

{{distributed "source_health" "cityHash64(source)"}}
