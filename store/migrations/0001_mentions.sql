-- One row for each post and agency. The latest version of a row replaces the
-- others; parts older than a day are merged, so that a text that was replaced or
-- withdrawn also leaves the disk within about a day.
CREATE TABLE IF NOT EXISTS {{local "mentions"}}{{.OnCluster}}
(
    agency             LowCardinality(String)         COMMENT 'Agency that this row concerns; a post about several agencies has a row for each',
    time               DateTime64(3, 'UTC')           COMMENT 'When the post was published' CODEC(Delta, ZSTD(1)),
    post_key           UInt64                         COMMENT 'Identifies the post: hash of the platform and the id there. Count distinct keys, never rows' CODEC(NONE),
    version            DateTime64(3, 'UTC')           COMMENT 'When this state of the post was written by its author; the latest replaces the others' CODEC(Delta, ZSTD(1)),
    withdrawn          Bool                           COMMENT 'True: the author withdrew the post, or edited it so that it no longer concerns this agency; nothing of its content is left',
    platform           LowCardinality(String)         COMMENT 'Platform of the post, for example bluesky, mastodon, x',
    source             LowCardinality(String)         COMMENT 'Source instance that read the post',
    arrived            DateTime64(3, 'UTC')           COMMENT 'When ingest read the post; the retention of its text counts from here' CODEC(Delta, ZSTD(1)),
    stored_at          DateTime64(3, 'UTC')           COMMENT 'When this row was written' CODEC(Delta, ZSTD(1)),
    platform_language  LowCardinality(String)         COMMENT 'Language that the platform states (ISO 639-1), often wrong; empty when it states none',
    language           LowCardinality(String)         COMMENT 'Language that was detected (ISO 639-1), und when it cannot be told',
    author             UInt64                         COMMENT 'Keyed hash of the author, 0 when unknown; for counting voices only, never to follow a person' CODEC(NONE),
    text               String                         COMMENT 'The post, emptied at the end of its retention and on withdrawal' CODEC(ZSTD(1)) TTL toDateTime(arrived) + toIntervalSecond({{.TextTTL}}),
    permalink          String                         COMMENT 'Address of the post; identifies its author, so it is emptied with the text' CODEC(ZSTD(1)) TTL toDateTime(arrived) + toIntervalSecond({{.TextTTL}}),
    links              Array(String)                  COMMENT 'Addresses that the post links to; emptied with the text' CODEC(ZSTD(1)) TTL toDateTime(arrived) + toIntervalSecond({{.TextTTL}}),
    agencies           Array(LowCardinality(String))  COMMENT 'Every agency that the post concerns',
    label              Enum8('negative' = -1, 'neutral' = 0, 'positive' = 1) COMMENT 'Class of the sentiment',
    score              Float32                        COMMENT 'Sentiment from -1 (negative) to 1 (positive)',
    confidence         Float32                        COMMENT 'How sure the scorer is of the label, 0 to 1',
    scorer             LowCardinality(String)         COMMENT 'Name and version of the sentiment scorer',
    complaint          Float32                        COMMENT 'How likely the author complains of a service, 0 to 1',
    issues             Array(LowCardinality(String))  COMMENT 'What fails: ids of issues, strongest first; empty when none was recognised',
    issue_scores       Array(Float32)                 COMMENT 'How sure the classifier is of each entry of issues, 0 to 1',
    touch_points       Array(LowCardinality(String))  COMMENT 'Where people meet the failure: ids of touch points, strongest first',
    touch_point_scores Array(Float32)                 COMMENT 'How sure the classifier is of each entry of touch_points, 0 to 1',
    INDEX stored_at_range stored_at TYPE minmax GRANULARITY 1
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
PARTITION BY toYYYYMM(time)
ORDER BY (agency, time, post_key)
SETTINGS index_granularity = 2048, min_age_to_force_merge_seconds = 86400
COMMENT 'Posts as they were understood, one row for each post and agency. Read v_mentions unless you need every column';

{{distributed "mentions" "post_key"}}

-- Where the rows of a post are: mentions is ordered by agency and time, but
-- withdrawals and the evidence of alerts name posts by key.
CREATE TABLE IF NOT EXISTS {{local "mention_keys"}}{{.OnCluster}}
(
    post_key UInt64                  COMMENT 'Identifies the post' CODEC(NONE),
    agency   LowCardinality(String)  COMMENT 'Agency of a row of mentions with this key',
    time     DateTime64(3, 'UTC')    COMMENT 'Time of that row'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (post_key, agency, time)
SETTINGS index_granularity = 1024
COMMENT 'Finds the rows of mentions by post key';

{{distributed "mention_keys" "post_key"}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{local "mention_keys_mv"}}{{.OnCluster}} TO {{local "mention_keys"}}
AS SELECT post_key, agency, time
FROM {{local "mentions"}}
WHERE NOT withdrawn
COMMENT 'Fills mention_keys';

-- A tombstone that concerned no stored post is kept only as long as that post may
-- still arrive; one that did is kept for good, so that no import brings it back.
CREATE TABLE IF NOT EXISTS {{local "deletes"}}{{.OnCluster}}
(
    post_key   UInt64               COMMENT 'Identifies the post' CODEC(NONE),
    before     DateTime64(3, 'UTC') COMMENT 'Every version of the post before this time is withdrawn; a deletion withdraws all, an edit the earlier ones' CODEC(ZSTD(1)),
    found      Bool                 COMMENT 'True: rows of this post were in the store, so the tombstone is kept',
    written_at DateTime64(3, 'UTC') COMMENT 'When the tombstone was written' CODEC(Delta, ZSTD(1))
)
ENGINE = {{engine "ReplacingMergeTree" "before"}}
ORDER BY (post_key, found)
TTL toDateTime(written_at) + toIntervalSecond({{.TombstoneTTL}}) DELETE WHERE NOT found
SETTINGS index_granularity = 1024
COMMENT 'Tombstones of withdrawn posts: authors who withdraw their words are obeyed, in whatever order the events arrive';

{{distributed "deletes" "post_key"}}
