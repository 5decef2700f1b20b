// Package alert watches the series in the store, decides when a rule opens and
// closes, and sees that people are told.
//
// One evaluator is active: the process that owns it reads the history, feeds a
// detector per series, and from then on looks at the last minutes every few
// seconds. A transition is written to the log in the store first, then
// published, then told to the receivers; a receiver's acceptance is written
// last. Everything the evaluator knows is rebuilt from the store, so another
// process can take over at any moment.
//
// Promises:
//   - A failed query changes no alert: it is an error, never "resolved".
//   - While a source is blind nothing is resolved, and nothing is learned.
//   - A change that was logged and not accepted by a receiver is told again
//     after a takeover; one that was accepted is not.
//   - Of the alerts of one agency at the same time one is told, the most
//     specific of the most severe; the others are logged with the reason.
//   - Minutes that are past when the evaluator meets them (an archive that is
//     replayed, a back-fill) raise nothing.
//
// Limits: receivers may hear of a change twice (same id). When much of the
// recent history changes after it was learned, all detectors are rebuilt from
// the store, which takes about ten seconds per thousand series. A source's past blind
// spells are known from the store only as silence: an hour in which nothing at
// all was heard though much was expected is missing, not zero; of what one of
// several sources missed before the evaluator started, nothing is known.
package alert
