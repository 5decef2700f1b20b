// How numbers and times are told to people; formats.go says the same.

export function num(v) {
  const tenths = Math.round(10 * v) / 10;
  if (v > 0 && tenths === 0) return '<0.1';
  if (v < 10 && !Number.isInteger(tenths)) return tenths.toFixed(1);
  return Math.round(v).toString().replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

export const share = (f) => `${Math.round(100 * f)}\u202f%`;

export function times(voices, normal) {
  if (!normal || normal.mean < 1 || voices === 0) return '';
  const ratio = voices / normal.mean;
  return `×${ratio < 10 ? ratio.toFixed(1) : num(Math.round(ratio))}`;
}

const superscript = (n) => [...String(n)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]).join('');

export function odds(surprise) {
  if (surprise < 1) return 'not unusual';
  if (surprise < 6) return `1 in ${num(10 ** Math.round(surprise))}`;
  return `1 in 10${superscript(Math.round(Math.min(surprise, 300)))}`;
}

export function span(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`.replace(' 0 min', '');
  return `${Math.floor(seconds / 86400)} days`;
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const stampFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

const unset = (t) => Number.isNaN(t.getTime()) || t.getUTCFullYear() < 1970;

const recent = 12 * 3600e3;

// clock tells a time of the last hours by the clock alone, and another with its day.
export function clock(value) {
  const t = new Date(value);
  if (unset(t)) return 'never';
  if (Math.abs(Date.now() - t) > recent) return stampFormat.format(t);
  return clockFormat.format(t);
}

// setTime puts a time into a <time> element, in the reader's time zone.
export function setTime(element, value) {
  const t = new Date(value);
  element.textContent = clock(value);
  if (unset(t)) {
    element.removeAttribute('datetime');
    return;
  }
  element.dateTime = t.toISOString();
  element.title = `${t.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

// localTimes rewrites every time that the server wrote in UTC.
export function localTimes(root) {
  for (const element of root.querySelectorAll('time[datetime]')) setTime(element, element.dateTime);
}

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll('_', ' ') || 'local';
