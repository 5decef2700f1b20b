-- What people read. No view shows authors or permalinks.
CREATE VIEW IF NOT EXISTS v_mentions{{.OnCluster}}
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

CREATE VIEW IF NOT EXISTS v_series_1m{{.OnCluster}}
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

CREATE VIEW IF NOT EXISTS v_alerts{{.OnCluster}}
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

CREATE VIEW IF NOT EXISTS v_source_health{{.OnCluster}}
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
