// Package detect tells a burst from an ordinary busy hour.
//
// A Detector follows one series of counts in bins of equal width, normally the
// distinct voices of one minute. It keeps what is normal (a level, the rhythm
// of the day and of the week, how much the series scatters) and answers for
// each bin how rarely normal times bring as much: the surprise, −log10 of the
// chance, per bin, that an independent peak of normal times reaches as high.
//
// Promises: nothing here reads a clock or does I/O; a verdict depends on its
// bin and earlier ones only; the same bins fed again give the identical state;
// the state of a series is at most 1.6 kB and an update takes under a
// microsecond.
//
// Limits: a bin must be fed in order, and a bin left out is missing, not zero.
// Growth that takes hours is learned rather than reported. One bin alone never
// counts: the largest bin of each window is replaced by its expectation, so an
// alarm needs at least two bins, whatever their height.
package detect
