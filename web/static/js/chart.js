// The timeline: voices against what was expected of them.

import { blank, byId, field, fill } from './dom.js';
import { clock, localTimes, num, setTime } from './format.js';

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// columns turns an answer of /api/v1/series into uPlot's columns. The last,
// unfinished step is drawn apart: it is low only because it is not over.
function columns(data) {
  const open = Date.parse(data.complete);
  const at = data.points.map((p) => Date.parse(p.time));
  const firstOpen = at.findIndex((t) => t >= open);
  return [
    at.map((t) => t / 1000),
    data.points.map((p) => p.expected?.high ?? null),
    data.points.map((p) => p.expected?.low ?? null),
    data.points.map((p) => p.negative),
    data.points.map((p) => p.expected?.mean ?? null),
    data.points.map((p, i) => (at[i] < open ? p.voices : null)),
    data.points.map((p, i) => (firstOpen >= 0 && i >= firstOpen - 1 ? p.voices : null)),
  ];
}

// marks draws the time in which an alert was firing, behind the lines.
function marks(plot, alerts) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const a of alerts) {
    const x = (t) => Math.min(Math.max(plot.valToPos(Date.parse(t) / 1000, 'x', true), bbox.left), bbox.left + bbox.width);
    const start = x(a.started);
    const end = a.ended ? x(a.ended) : x(new Date().toISOString());
    ctx.fillStyle = colour('--mark-fill');
    ctx.fillRect(start, bbox.top, Math.max(end - start, 2), bbox.height);
    ctx.fillStyle = colour('--critical');
    ctx.fillRect(start, bbox.top, 2 * devicePixelRatio, bbox.height);
    ctx.beginPath();
    const s = 5 * devicePixelRatio;
    ctx.moveTo(start, bbox.top);
    ctx.lineTo(start + 2 * s, bbox.top + s);
    ctx.lineTo(start, bbox.top + 2 * s);
    ctx.fill();
  }
  ctx.restore();
}

export function timeline({ subject, issue, hours, until, paused }) {
  const place = byId('chart');
  if (!place || !subject) return { refresh() {} };
  const { uPlot } = window;
  const readout = byId('readout');
  let plot;
  let data;

  const query = () => {
    const to = until ? new Date(until) : new Date();
    const from = new Date(to.getTime() - hours * 3600e3);
    const q = new URLSearchParams({ agency: subject, from: from.toISOString(), to: to.toISOString() });
    if (issue) q.set('issue', issue);
    return q;
  };

  function tell(index) {
    const p = data?.points[index];
    if (!p) {
      readout.textContent = '';
      return;
    }
    const normal = p.expected ? `, expected ${num(p.expected.mean)} (${num(p.expected.low)}–${num(p.expected.high)})` : '';
    readout.textContent = `${clock(p.time)}  ${num(p.voices)} voices${normal}, ${num(p.negative)} negative posts`;
  }

  function options(width) {
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--grid'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
    const line = { points: { show: false } };
    const ceiling = (u, low, high) => [0, Math.max(5, high * 1.12)];
    return {
      width,
      height: matchMedia('(max-width: 640px)').matches ? 200 : 248,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { y: { range: ceiling } },
      axes: [
        { ...axis, values: [[86400, '{D} {MMM}', null, null, null, null, null, null, 1], [3600, '{HH}:{mm}', '\n{D} {MMM}', null, null, null, null, null, 1], [60, '{HH}:{mm}', '\n{D} {MMM}', null, null, null, null, null, 1]] },
        { ...axis, size: 44, values: (u, splits) => splits.map((v) => (Number.isInteger(v) ? num(v) : '')) },
      ],
      series: [
        {},
        { ...line, stroke: 'transparent' },
        { ...line, stroke: 'transparent' },
        { ...line, stroke: 'transparent', fill: colour('--bars'), paths: uPlot.paths.bars({ size: [0.72, 14], align: 1 }) },
        { ...line, stroke: colour('--expected'), width: 1.5, dash: [5, 4] },
        { ...line, stroke: colour('--voices'), width: 2 },
        { ...line, stroke: colour('--voices'), width: 2, dash: [2, 3] },
      ],
      bands: [{ series: [1, 2], fill: colour('--band') }],
      hooks: {
        drawClear: [(u) => marks(u, data.alerts)],
        setCursor: [(u) => tell(u.cursor.idx)],
      },
    };
  }

  function draw() {
    if (!data) return;
    plot?.destroy();
    plot = new uPlot(options(place.clientWidth), columns(data), place);
  }

  function caption() {
    const peak = data.points.reduce((best, p) => (p.voices > (best?.voices ?? 0) ? p : best), null);
    const expected = peak?.expected ? `, expected ${num(peak.expected.mean)}` : '';
    const what = peak ? `Most voices: ${num(peak.voices)} at ${clock(peak.time)}${expected}.` : 'Nobody was heard in this time.';
    byId('chart-caption').textContent = what + (data.expected ? '' : ' What is normal is not known yet.');
    byId('key-alert').hidden = data.alerts.length === 0;
  }

  function table() {
    const details = byId('points');
    if (!details?.open) return;
    details.querySelector('tbody').replaceChildren(...data.points.map((p) => {
      const row = blank('t-point');
      fill(row, {
        voices: num(p.voices),
        expected: p.expected ? `${num(p.expected.mean)} (${num(p.expected.low)}–${num(p.expected.high)})` : '–',
        posts: num(p.posts),
        negative: num(p.negative),
      });
      setTime(field(row, 'time'), p.time);
      return row;
    }));
  }

  async function refresh() {
    const answer = await fetch(`/api/v1/series?${query()}`);
    if (!answer.ok) throw new Error(`series: ${answer.status}`);
    const fresh = await answer.json();
    const grew = !plot || fresh.points.length !== data.points.length;
    data = fresh;
    if (grew) draw();
    else plot.setData(columns(data));
    caption();
    table();
    place.dataset.drawn = 'true';
  }

  byId('points')?.addEventListener('toggle', () => { if (data) table(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (Math.abs(place.clientWidth - width) < 2) return;
    width = place.clientWidth;
    plot?.setSize({ width, height: plot.height });
  }).observe(place);
  localTimes(byId('timeline'));
  const quietly = () => refresh().catch(() => {});
  quietly();
  if (!until) setInterval(() => { if (!document.hidden && !paused()) quietly(); }, 10000);
  return { refresh: quietly };
}
