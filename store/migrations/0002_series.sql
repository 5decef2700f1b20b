-- The minute rollup. Every column that counts is a state over distinct values, so
-- a post that is delivered twice moves nothing. States are exact up to some
-- thousands of values and within about 0.3 % above.
CREATE TABLE IF NOT EXISTS {{local "series_1m"}}{{.OnCluster}}
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
ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY toYear(minute)
ORDER BY (agency, minute, issue, touch_point, platform, language)
COMMENT 'What was said in each minute, by agency, issue, touch point, platform and language, as states over distinct posts. Read v_series_1m for plain numbers';

{{distributed "series_1m" "cityHash64(agency, minute)"}}

-- Rows that only withdraw a post carry no author, so they are not counted: a
-- withdrawn post was said, and stays counted.
CREATE MATERIALIZED VIEW IF NOT EXISTS {{local "series_1m_mv"}}{{.OnCluster}} TO {{local "series_1m"}}
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
FROM {{local "mentions"}}
WHERE NOT withdrawn
GROUP BY agency, minute, issue, touch_point, platform, language
COMMENT 'Fills series_1m from every insert into mentions';
