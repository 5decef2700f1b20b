CREATE TABLE IF NOT EXISTS {{local "alerts"}}{{.OnCluster}}
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
ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(at)
ORDER BY (at, id)
COMMENT 'Life cycle of alerts, append-only: one row for each transition. Read v_alerts';

{{distributed "alerts" "id"}}

CREATE TABLE IF NOT EXISTS {{local "notifications"}}{{.OnCluster}}
(
    at        DateTime64(3, 'UTC')   COMMENT 'When the receiver was told, or the decision not to tell it was taken',
    change_id UInt64                 COMMENT 'id of the transition in alerts',
    receiver  LowCardinality(String) COMMENT 'Name of the receiver',
    status    LowCardinality(String) COMMENT 'sent, failed or suppressed',
    reason    String                 COMMENT 'Why it failed or was suppressed',
    attempt   UInt32                 COMMENT 'Number of the attempt, from 1'
)
ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(at)
ORDER BY (at, change_id, receiver, attempt, status)
COMMENT 'Every attempt to tell a receiver of an alert, and every suppression with its reason: why was I (not) told?';

{{distributed "notifications" "change_id"}}

CREATE TABLE IF NOT EXISTS {{local "silences"}}{{.OnCluster}}
(
    id         UUID                   COMMENT 'Identifies the silence',
    matchers   Map(LowCardinality(String), String) COMMENT 'Labels that an alert must have, all of them, to be silenced',
    starts_at  DateTime64(3, 'UTC')   COMMENT 'From when it silences',
    ends_at    DateTime64(3, 'UTC')   COMMENT 'Until when it silences; ending one early writes a newer row with an earlier time',
    created_by String                 COMMENT 'Who asked for it',
    comment    String                 COMMENT 'Why',
    updated_at DateTime64(3, 'UTC')   COMMENT 'When this row was written; the latest row of an id holds'
)
ENGINE = {{engine "ReplacingMergeTree" "updated_at"}}
ORDER BY id
COMMENT 'Silences: alerts that match are not notified meanwhile';

{{distributed "silences" "cityHash64(id)"}}

CREATE TABLE IF NOT EXISTS {{local "annotations"}}{{.OnCluster}}
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
ENGINE = {{engine "ReplacingMergeTree" "updated_at"}}
ORDER BY id
COMMENT 'Official statements and notes of operators, shown on the timelines';

{{distributed "annotations" "cityHash64(id)"}}
