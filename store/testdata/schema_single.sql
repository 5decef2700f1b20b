-- 0000_schema_migrations.sql

CREATE TABLE IF NOT EXISTS schema_migrations
(
    name       String                COMMENT 'File name of the migration',
    checksum   FixedString(64)       COMMENT 'SHA-256 of the file as it was applied, in hexadecimal; a file that differs is refused',
    applied_at DateTime64(3, 'UTC')  COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree()
ORDER BY name
COMMENT 'Migrations that were applied to this database';

-- 0001_mentions.sql

CREATE TABLE IF NOT EXISTS mentions
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
    text               String                         COMMENT 'The post, emptied at the end of its retention and on withdrawal' CODEC(ZSTD(1)) TTL toDateTime(arrived) + toIntervalSecond(2592000),
    permalink          String                         COMMENT 'Address of the post; identifies its author, so it is emptied with the text' CODEC(ZSTD(1)) TTL toDateTime(arrived) + toIntervalSecond(2592000),
    links              Array(String)                  COMMENT 'Addresses that the post links to; emptied with the text' CODEC(ZSTD(1)) TTL toDateTime(arrived) + toIntervalSecond(2592000),
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
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (agency, time, post_key)
SETTINGS index_granularity = 2048, min_age_to_force_merge_seconds = 86400
COMMENT 'Posts as they were understood, one row for each post and agency. Read v_mentions unless you need every column';

CREATE TABLE IF NOT EXISTS mention_keys
(
    post_key UInt64                  COMMENT 'Identifies the post' CODEC(NONE),
    agency   LowCardinality(String)  COMMENT 'Agency of a row of mentions with this key',
    time     DateTime64(3, 'UTC')    COMMENT 'Time of that row'
)
ENGINE = ReplacingMergeTree()
ORDER BY (post_key, agency, time)
SETTINGS index_granularity = 1024
COMMENT 'Finds the rows of mentions by post key';

CREATE MATERIALIZED VIEW IF NOT EXISTS mention_keys_mv TO mention_keys
AS SELECT post_key, agency, time
FROM mentions
WHERE NOT withdrawn
COMMENT 'Fills mention_keys';

CREATE TABLE IF NOT EXISTS deletes
(
    post_key   UInt64               COMMENT 'Identifies the post' CODEC(NONE),
    before     DateTime64(3, 'UTC') COMMENT 'Every version of the post before this time is withdrawn; a deletion withdraws all, an edit the earlier ones' CODEC(ZSTD(1)),
    found      Bool                 COMMENT 'True: rows of this post were in the store, so the tombstone is kept',
    written_at DateTime64(3, 'UTC') COMMENT 'When the tombstone was written' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(before)
ORDER BY (post_key, found)
TTL toDateTime(written_at) + toIntervalSecond(604800) DELETE WHERE NOT found
SETTINGS index_granularity = 1024
COMMENT 'Tombstones of withdrawn posts: authors who withdraw their words are obeyed, in whatever order the events arrive';

-- 0002_series.sql

CREATE TABLE IF NOT EXISTS series_1m
(
    agency      LowCardinality(String) COMMENT 'Agency',
    minute      DateTime('UTC')        COMMENT 'Minute in which the posts were published' CODEC(Delta, ZSTD(1)),
    issue       LowCardinality(String) COMMENT 'Issue, empty for posts without one; a post with several issues is counted under each, so merge the states over issues, never add the counts',
    touch_point LowCardinality(String) COMMENT 'Touch point, empty for posts without one; as for issues, a post may be under several',
    platform    LowCardinality(String) COMMENT 'Platform',
    language    LowCardinality(String) COMMENT 'Detected language',
    posts       AggregateFunction(uniqCombined64, UInt64) COMMENT 'Distinct posts: uniqCombined64Merge(posts)' CODEC(ZSTD(1)),
    negative    AggregateFunction(uniqCombined64, UInt64) COMMENT 'Distinct posts that were ever labelled negative: uniqCombined64Merge(negative)' CODEC(ZSTD(1)),
    voices      AggregateFunction(uniqCombined64, UInt64) COMMENT 'Distinct authors, or posts where the author is unknown: uniqCombined64Merge(voices)' CODEC(ZSTD(1)),
    levels      AggregateFunction(uniqCombined64, UInt64) COMMENT 'Sentiment in half points: a post of score s contributes round(2s + 2) distinct values, so the mean score is uniqCombined64Merge(levels) / uniqCombined64Merge(posts) / 2 - 1' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYear(minute)
ORDER BY (agency, minute, issue, touch_point, platform, language)
COMMENT 'What was said in each minute, by agency, issue, touch point, platform and language, as states over distinct posts. Read v_series_1m for plain numbers';

CREATE MATERIALIZED VIEW IF NOT EXISTS series_1m_mv TO series_1m
AS SELECT
    agency,
    toStartOfMinute(time) AS minute,
    arrayJoin(if(empty(issues), [''], issues)) AS issue,
    arrayJoin(if(empty(touch_points), [''], touch_points)) AS touch_point,
    platform,
    language,
    uniqCombined64State(post_key) AS posts,
    uniqCombined64IfState(post_key, label = 'negative') AS negative,
    uniqCombined64State(if(author = 0, post_key, author)) AS voices,
    uniqCombined64ArrayState(arrayMap(level -> cityHash64(post_key, level), range(toUInt8(round(2 * toFloat64(score) + 2))))) AS levels
FROM mentions
WHERE NOT withdrawn
GROUP BY agency, minute, issue, touch_point, platform, language
COMMENT 'Fills series_1m from every insert into mentions';

-- 0003_alerts.sql

CREATE TABLE IF NOT EXISTS alerts
(
    at           DateTime64(3, 'UTC')    COMMENT 'Evaluation time of the transition',
    id           UInt64                  COMMENT 'Hash of fingerprint, started and state: the same transition written twice is one',
    fingerprint  UInt64                  COMMENT 'Identifies the alert: its rule and series',
    rule         LowCardinality(String)  COMMENT 'Name of the rule',
    rule_version LowCardinality(String)  COMMENT 'Hash of the text of the rule',
    agency       LowCardinality(String)  COMMENT 'Agency of the series',
    issue        LowCardinality(String)  COMMENT 'Issue of the series, empty for all',
    touch_point  LowCardinality(String)  COMMENT 'Touch point of the series, empty for all',
    platform     LowCardinality(String)  COMMENT 'Platform of the series, empty for all',
    language     LowCardinality(String)  COMMENT 'Language of the series, empty for all',
    severity     LowCardinality(String)  COMMENT 'info, warning or critical',
    from_state   LowCardinality(String)  COMMENT 'State before: inactive, pending, firing or resolved',
    state        LowCardinality(String)  COMMENT 'State after: inactive, pending, firing or resolved',
    started      DateTime64(3, 'UTC')    COMMENT 'When the condition began',
    window       Float64                 COMMENT 'Seconds over which observed and expected were taken',
    observed     Float64                 COMMENT 'Distinct voices in the window',
    expected     Float64                 COMMENT 'Distinct voices that were to be expected in the window',
    surprise     Float64                 COMMENT 'Minus the decimal logarithm of the chance of seeing as much in normal times',
    negative     Float64                 COMMENT 'Share of negative posts in the window, 0 to 1',
    summary      String                  COMMENT 'One line for people',
    exemplars    Array(UInt64)           COMMENT 'Keys of posts that show what is meant; look them up in mentions',
    labels       Map(LowCardinality(String), String) COMMENT 'Labels for routing',
    annotations  Map(LowCardinality(String), String) COMMENT 'Further explanations for people',
    written_at   DateTime64(3, 'UTC')    COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (at, id)
COMMENT 'Life cycle of alerts, append-only: one row for each transition. Read v_alerts';

CREATE TABLE IF NOT EXISTS notifications
(
    at        DateTime64(3, 'UTC')   COMMENT 'When the receiver was told, or the decision not to tell it was taken',
    change_id UInt64                 COMMENT 'id of the transition in alerts',
    receiver  LowCardinality(String) COMMENT 'Name of the receiver',
    status    LowCardinality(String) COMMENT 'sent, failed or suppressed',
    reason    String                 COMMENT 'Why it failed or was suppressed',
    attempt   UInt32                 COMMENT 'Number of the attempt, from 1'
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (at, change_id, receiver, attempt, status)
COMMENT 'Every attempt to tell a receiver of an alert, and every suppression with its reason: why was I (not) told?';

CREATE TABLE IF NOT EXISTS silences
(
    id         UUID                   COMMENT 'Identifies the silence',
    matchers   Map(LowCardinality(String), String) COMMENT 'Labels that an alert must have, all of them, to be silenced',
    starts_at  DateTime64(3, 'UTC')   COMMENT 'From when it silences',
    ends_at    DateTime64(3, 'UTC')   COMMENT 'Until when it silences; ending one early writes a newer row with an earlier time',
    created_by String                 COMMENT 'Who asked for it',
    comment    String                 COMMENT 'Why',
    updated_at DateTime64(3, 'UTC')   COMMENT 'When this row was written; the latest row of an id holds'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id
COMMENT 'Silences: alerts that match are not notified meanwhile';

CREATE TABLE IF NOT EXISTS annotations
(
    id         UUID                   COMMENT 'Identifies the annotation',
    at         DateTime64(3, 'UTC')   COMMENT 'Time that it is about',
    agency     LowCardinality(String) COMMENT 'Agency that it is about, empty for all',
    kind       LowCardinality(String) COMMENT 'statement (official statement of the agency) or note (of an operator)',
    text       String                 COMMENT 'What is shown on the timeline',
    link       String                 COMMENT 'Address to read more, or empty',
    created_by String                 COMMENT 'Who wrote it',
    withdrawn  Bool                   COMMENT 'True: no longer shown',
    updated_at DateTime64(3, 'UTC')   COMMENT 'When this row was written; the latest row of an id holds'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id
COMMENT 'Official statements and notes of operators, shown on the timelines';

-- 0004_source_health.sql

CREATE TABLE IF NOT EXISTS source_health
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
ENGINE = MergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (source, at)
TTL toDateTime(at) + INTERVAL 90 DAY
COMMENT 'How the sources are doing, kept for 90 days. Read v_source_health for the latest state';

-- 0005_views.sql

CREATE VIEW IF NOT EXISTS v_mentions
(
    agency       LowCardinality(String)        COMMENT 'Agency that the row concerns; a post about several agencies has a row for each',
    time         DateTime64(3, 'UTC')          COMMENT 'When the post was published',
    post_key     UInt64                        COMMENT 'Identifies the post: count distinct keys, never rows',
    platform     LowCardinality(String)        COMMENT 'Platform of the post',
    source       LowCardinality(String)        COMMENT 'Source instance that read the post',
    arrived      DateTime64(3, 'UTC')          COMMENT 'When ingest read the post',
    stored_at    DateTime64(3, 'UTC')          COMMENT 'When the row was written',
    language     LowCardinality(String)        COMMENT 'Detected language (ISO 639-1), und when it cannot be told',
    text         String                        COMMENT 'The post, empty once its retention has passed',
    links        Array(String)                 COMMENT 'Addresses that the post links to, empty once the retention of the text has passed',
    label        Enum8('negative' = -1, 'neutral' = 0, 'positive' = 1) COMMENT 'Class of the sentiment',
    score        Float32                       COMMENT 'Sentiment from -1 to 1',
    confidence   Float32                       COMMENT 'How sure the scorer is of the label, 0 to 1',
    scorer       LowCardinality(String)        COMMENT 'Name and version of the sentiment scorer',
    complaint    Float32                       COMMENT 'How likely the author complains of a service, 0 to 1',
    issues       Array(LowCardinality(String)) COMMENT 'What fails, strongest first',
    touch_points Array(LowCardinality(String)) COMMENT 'Where people meet the failure, strongest first'
)
AS SELECT agency, time, post_key, platform, source, arrived, stored_at, language, text, links,
          label, score, confidence, scorer, complaint, issues, touch_points
FROM mentions FINAL
WHERE NOT withdrawn
COMMENT 'Posts as they were understood: the latest version of each, none that was withdrawn';

CREATE VIEW IF NOT EXISTS v_series_1m
(
    agency      LowCardinality(String) COMMENT 'Agency',
    minute      DateTime('UTC')        COMMENT 'Minute in which the posts were published',
    issue       LowCardinality(String) COMMENT 'Issue, empty for posts without one',
    touch_point LowCardinality(String) COMMENT 'Touch point, empty for posts without one',
    platform    LowCardinality(String) COMMENT 'Platform',
    language    LowCardinality(String) COMMENT 'Detected language',
    posts       UInt64                 COMMENT 'Distinct posts; do not add over issues or touch points, a post may be under several',
    negative    UInt64                 COMMENT 'Distinct negative posts',
    voices      UInt64                 COMMENT 'Distinct voices; do not add over anything, the same person speaks in many rows',
    score       Float64                COMMENT 'Mean sentiment of the distinct posts, -1 to 1'
)
AS SELECT agency, minute, issue, touch_point, platform, language,
          uniqCombined64Merge(s.posts) AS posts,
          uniqCombined64Merge(s.negative) AS negative,
          uniqCombined64Merge(s.voices) AS voices,
          uniqCombined64Merge(s.levels) / uniqCombined64Merge(s.posts) / 2 - 1 AS score
FROM series_1m AS s
GROUP BY agency, minute, issue, touch_point, platform, language
COMMENT 'The minute rollup in plain numbers. To sum over issues or touch points, merge the states of series_1m instead';

CREATE VIEW IF NOT EXISTS v_alerts
(
    at          DateTime64(3, 'UTC')   COMMENT 'Evaluation time of the transition',
    id          UInt64                 COMMENT 'Identifies the transition',
    fingerprint UInt64                 COMMENT 'Identifies the alert: its rule and series',
    rule        LowCardinality(String) COMMENT 'Name of the rule',
    agency      LowCardinality(String) COMMENT 'Agency of the series',
    issue       LowCardinality(String) COMMENT 'Issue of the series, empty for all',
    touch_point LowCardinality(String) COMMENT 'Touch point of the series, empty for all',
    platform    LowCardinality(String) COMMENT 'Platform of the series, empty for all',
    language    LowCardinality(String) COMMENT 'Language of the series, empty for all',
    severity    LowCardinality(String) COMMENT 'info, warning or critical',
    from_state  LowCardinality(String) COMMENT 'State before',
    state       LowCardinality(String) COMMENT 'State after',
    started     DateTime64(3, 'UTC')   COMMENT 'When the condition began',
    window      Float64                COMMENT 'Seconds over which observed and expected were taken',
    observed    Float64                COMMENT 'Distinct voices in the window',
    expected    Float64                COMMENT 'Distinct voices that were to be expected',
    surprise    Float64                COMMENT 'Minus the decimal logarithm of the chance of seeing as much in normal times',
    negative    Float64                COMMENT 'Share of negative posts in the window, 0 to 1',
    summary     String                 COMMENT 'One line for people'
)
AS SELECT at, id, fingerprint, rule, agency, issue, touch_point, platform, language, severity, from_state, state,
          started, window, observed, expected, surprise, negative, summary
FROM alerts
ORDER BY at, id, written_at
LIMIT 1 BY id
COMMENT 'Life cycle of alerts: each transition once';

CREATE VIEW IF NOT EXISTS v_source_health
(
    source     LowCardinality(String) COMMENT 'Source instance',
    at         DateTime64(3, 'UTC')   COMMENT 'When this was so',
    state      LowCardinality(String) COMMENT 'running, backoff, stalled, gap, failed or finished',
    last_event DateTime64(3, 'UTC')   COMMENT 'When the source last gave an event; 1970-01-01 for never',
    gap_from   DateTime64(3, 'UTC')   COMMENT 'In state gap: since when posts may be missing',
    received   UInt64                 COMMENT 'Events received since the process started',
    published  UInt64                 COMMENT 'Matched events acknowledged by Kafka since the process started',
    refused    UInt64                 COMMENT 'Events sent to the dead letters since the process started',
    detail     String                 COMMENT 'Explanation for people'
)
AS SELECT source, at, state, last_event, gap_from, received, published, refused, detail
FROM source_health
ORDER BY at DESC
LIMIT 1 BY source
COMMENT 'The latest state of each source';

