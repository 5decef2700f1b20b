// Package store keeps everything in ClickHouse: the schema and its migrations,
// the writer, and every query that Outcry asks. All SQL of the project is here.
//
// It promises
//   - that what an Insert acknowledged is stored, and that a repeated Insert
//     moves no number: everything counted is a count of distinct post keys;
//   - that the latest version of a post replaces the others, and that a
//     withdrawn post is not read again, in whatever order the events arrive
//     (withdraw.go explains how);
//   - that every query is parameterised and bounded in time and rows.
//
// Its limits: counts are exact up to some thousands of distinct values for each
// minute and series, and within about 0.3 % above; times are kept in
// milliseconds, between 1970 and 2105. One insert is one attempt: the caller
// repeats the whole batch until it succeeds. When the rollup behind a table
// fails, the rows are in the table already and the insert still reports the
// error; the repetition is harmless for distinct counts and for FINAL reads.
package store
