// Alerts, agencies and sources: drawn anew from each summary.

import { blank, byId, field, fill, setData, setIcon, sync } from './dom.js';
import { num, odds, setTime, share, span, times } from './format.js';

const svg = (name, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

// bullet draws the voices of now against the range of the normal.
function bullet(row) {
  const picture = row.querySelector('.bullet svg');
  const { voices, mean, low, high } = row.dataset;
  if (mean === undefined) {
    picture.replaceChildren(svg('path', { class: 'b-axis', d: 'M0 8H120' }));
    return;
  }
  const most = Math.max(Number(voices), Number(high) * 1.6, 4);
  const x = (v) => (116 * Number(v)) / most + 2;
  picture.replaceChildren(
    svg('rect', { class: 'b-track', x: 0, y: 5, width: 120, height: 6, rx: 2 }),
    svg('rect', { class: 'b-normal', x: x(low), y: 1, width: Math.max(2, x(high) - x(low)), height: 14, rx: 2 }),
    svg('rect', { class: 'b-voices', x: 2, y: 6, width: Math.max(0, x(voices) - 2), height: 4 }),
    svg('path', { class: 'b-mean', d: `M${x(mean)} 1v14` }),
  );
}

// spark draws the last hours; the scale is the row's own.
function spark(row) {
  const picture = row.querySelector('.spark svg');
  const values = row.dataset.spark ? row.dataset.spark.split(',').map(Number) : [];
  if (values.length < 2) {
    picture.replaceChildren();
    return;
  }
  const most = Math.max(...values, 3);
  const line = values.map((v, i) => `${i === 0 ? 'M' : 'L'}${((108 * i) / (values.length - 1)).toFixed(1)} ${(20.5 - (18.5 * v) / most).toFixed(1)}`).join('');
  picture.replaceChildren(svg('path', { class: 's-area', d: `${line}V22H0Z` }), svg('path', { class: 's-line', d: line }));
}

export function drawPictures() {
  for (const row of byId('agency-rows').children) {
    bullet(row);
    spark(row);
  }
}

const stateIcon = (a) => (a.firing ? a.severity : a.pending ? 'pending' : ({ raised: 'raised', quiet: 'neutral' })[a.level] ?? 'resolved');
const stateText = (a) => (a.firing ? `${a.firing} ${a.severity}` : a.pending ? 'pending' : a.level);

function agency(row, a, view) {
  setData(row, { level: a.level, severity: a.severity ?? '', voices: a.ten_minutes.voices, spark: a.spark.join(',') });
  if (a.normal) setData(row, { mean: a.normal.mean, low: a.normal.low, high: a.normal.high });
  const query = new URLSearchParams({ agency: a.id });
  if (view.hours !== '6') query.set('hours', view.hours);
  field(row, 'link').href = `/?${query}#timeline`;
  row.classList.toggle('chosen', a.id === view.subject);
  fill(row, {
    name: a.name,
    country: a.country ?? '',
    voices: num(a.ten_minutes.voices),
    normal: a.normal ? `${num(a.normal.low)}–${num(a.normal.high)}` : 'learning',
    times: times(a.ten_minutes.voices, a.normal),
    negative: a.hour.posts ? share(a.hour.negative) : '–',
    day: num(a.day.voices),
    state: stateText(a),
  });
  setIcon(row.querySelector('.state'), stateIcon(a));
  bullet(row);
  spark(row);
}

function quote(m) {
  const element = blank('t-quote');
  fill(element, { text: m.text, platform: m.platform });
  if (m.language) field(element, 'text').lang = m.language;
  setTime(field(element, 'time'), m.time);
  return element;
}

function annotation([name, value]) {
  const element = blank('t-annotation');
  fill(element, { name: name.replaceAll('_', ' '), value });
  return element;
}

function alert(card, a) {
  setData(card, { severity: a.severity, state: a.state });
  setIcon(card, a.state === 'pending' || a.state === 'resolved' ? a.state : a.severity);
  fill(card, {
    severity: a.severity,
    state: a.state,
    agency: a.agency_name,
    scope: a.scope,
    summary: a.summary,
    window: span(a.window),
    observed: num(a.observed),
    expected: num(a.expected),
    negative: share(a.negative),
    odds: odds(a.surprise),
    rule: a.rule,
    version: a.rule_version,
  });
  const query = new URLSearchParams({ agency: a.agency });
  if (a.series.issue) query.set('issue', a.series.issue);
  field(card, 'link').href = `/?${query}#timeline`;
  field(card, 'runbook-part').hidden = !a.runbook;
  if (a.runbook && /^https?:/.test(a.runbook)) field(card, 'runbook').href = a.runbook;
  setTime(field(card, 'started'), a.started);
  setTime(field(card, 'ended'), a.at);
  field(card, 'ended-part').hidden = a.state !== 'resolved';
  card.querySelector('[data-list="exemplars"]').replaceChildren(...(a.exemplars ?? []).map(quote));
  card.querySelector('[data-list="annotations"]').replaceChildren(...Object.entries(a.annotations ?? {}).sort().map(annotation));
}

function sourceRow(row, s) {
  setData(row, { blind: s.blind });
  fill(row, { source: s.source, state: `${s.blind ? 'blind: ' : ''}${s.state}`, received: num(s.received), published: num(s.published), refused: num(s.refused) });
  setIcon(row, s.blind ? 'blind' : 'resolved');
  setTime(field(row, 'last'), s.last_event ?? '');
}

function blindRow(row, s) {
  fill(row, { source: s.source, why: s.why });
  field(row, 'since-part').hidden = !s.since;
  if (s.since) setTime(field(row, 'since'), s.since);
}

export function drawSummary(o, view) {
  const byPrint = (a) => a.fingerprint;
  sync(byId('open-alerts'), o.alerts, byPrint, () => blank('t-alert'), alert);
  sync(byId('resolved-alerts'), o.resolved, byPrint, () => blank('t-alert'), alert);
  byId('alert-count').textContent = o.alerts.length;
  byId('resolved-count').textContent = o.resolved.length;
  byId('resolved').hidden = o.resolved.length === 0;
  const calm = byId('no-alerts');
  calm.hidden = o.alerts.length > 0;
  setData(calm, { clear: o.all_clear });
  setIcon(calm, o.all_clear ? 'resolved' : 'blind');
  fill(calm, { calm: o.calm });

  sync(byId('agency-rows'), o.agencies, (a) => a.id, () => blank('t-agency'), (row, a) => agency(row, a, view));

  const blind = o.sources.filter((s) => s.blind);
  const bySource = (s) => s.source;
  sync(byId('source-rows'), o.sources, bySource, () => blank('t-source'), sourceRow);
  sync(byId('blind'), blind, bySource, () => blank('t-blind'), blindRow);
  byId('source-count').textContent = o.sources.length;
  byId('no-sources').hidden = o.sources.length > 0;
  byId('blind').hidden = blind.length === 0;
  byId('unknown').hidden = o.unknown.length === 0;
  fill(byId('unknown'), { parts: o.unknown.join(', ') });
}
