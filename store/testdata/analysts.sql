-- Which issues are louder in the last hour than a week ago? Merge the states:
-- a post may be under several issues and touch points, so counts do not add up.
SELECT agency,
       issue,
       uniqCombined64MergeIf(voices, minute >= now() - INTERVAL 1 HOUR)          AS voices_now,
       uniqCombined64MergeIf(voices, minute < now() - INTERVAL 7 DAY)            AS voices_a_week_ago,
       round(uniqCombined64MergeIf(negative, minute >= now() - INTERVAL 1 HOUR)
           / uniqCombined64MergeIf(posts, minute >= now() - INTERVAL 1 HOUR), 2) AS negative_now
FROM series_1m
WHERE issue != ''
  AND (minute >= now() - INTERVAL 1 HOUR
       OR minute BETWEEN now() - INTERVAL 169 HOUR AND now() - INTERVAL 168 HOUR)
GROUP BY agency, issue
ORDER BY voices_now - voices_a_week_ago DESC, agency, issue
LIMIT 10;

-- What do people say of one failure today? One post of each text, complaints first.
SELECT time, platform, language, round(complaint, 2) AS complaint, substringUTF8(text, 1, 120) AS said
FROM v_mentions
WHERE agency = 'tax-office' AND has(issues, 'overload') AND label = 'negative' AND text != ''
  AND time >= now() - INTERVAL 1 DAY
ORDER BY complaint DESC, time DESC
LIMIT 1 BY lowerUTF8(text)
LIMIT 20;

-- How long did each alert of the last month last, and how soon was somebody told?
SELECT a.rule, a.agency, a.issue,
       minIf(a.at, a.state = 'firing')                                               AS fired,
       dateDiff('minute', fired, maxIf(a.at, a.state = 'resolved'))                  AS minutes,
       round(max(a.observed))                                                        AS peak_voices,
       dateDiff('second', fired, minIf(n.at, n.status = 'sent'))                     AS told_after_seconds,
       arrayStringConcat(groupUniqArrayIf(n.receiver || ': ' || n.reason, n.status = 'suppressed'), '; ') AS not_told
FROM v_alerts AS a
LEFT JOIN notifications AS n ON n.change_id = a.id
WHERE a.at >= now() - INTERVAL 1 MONTH
GROUP BY a.fingerprint, a.started, a.rule, a.agency, a.issue
HAVING countIf(a.state = 'firing') > 0
ORDER BY fired DESC
LIMIT 50;
