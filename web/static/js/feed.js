// The list of posts. It takes in a few posts a second at most, holds still
// while the reader has scrolled down or paused, and follows deletions.

import { blank, byId, field, fill, setIcon } from './dom.js';
import { setTime } from './format.js';

const shown = 60;      // posts in the list
const waiting = 200;   // posts held back
const perFlush = 5;    // posts added at once
const flushEvery = 1000;
const reconcileEvery = 60000;
const sampled = 'Many posts: a sample is shown. The numbers count all.';

export function feed({ filter, live, paused }) {
  const list = byId('mentions');
  const scroll = byId('feed-scroll');
  const button = byId('fresh');
  const note = byId('feed-note');
  let queue = [];
  let reconciled = 0; // when a gap was last filled
  let arrived = 0; // since the last question of fresh()

  const rows = new Map([...list.children].map((row) => [row.dataset.key, row]));

  const timeOf = (row) => Date.parse(field(row, 'time').dateTime);

  function draw(row, m) {
    row.dataset.key = m.key;
    row.dataset.version = m.version;
    row.dataset.label = m.label;
    setIcon(row, m.label);
    fill(row, { label: m.label, about: m.agencies.map((a) => a.name).join(', '), platform: m.platform, text: m.text });
    if (m.language) field(row, 'text').lang = m.language;
    setTime(field(row, 'time'), m.time);
    row.querySelector('[data-list="issues"]').replaceChildren(...m.issues.map((issue) => {
      const chip = blank('t-chip');
      chip.textContent = issue.name;
      return chip;
    }));
  }

  function show(m, quiet) {
    const old = rows.get(m.key);
    if (old) {
      if (Number(old.dataset.version) < m.version) draw(old, m);
      return;
    }
    const row = blank('t-mention');
    draw(row, m);
    if (!quiet) row.classList.add('new');
    // Newest first by the time of the post: what arrives late goes to its place.
    const time = Date.parse(m.time);
    let below = list.firstElementChild;
    while (below && timeOf(below) > time) below = below.nextElementSibling;
    list.insertBefore(row, below);
    rows.set(m.key, row);
  }

  function trim() {
    while (list.children.length > shown) {
      rows.delete(list.lastElementChild.dataset.key);
      list.lastElementChild.remove();
    }
    byId('no-mentions').hidden = list.children.length > 0;
  }

  const held = () => paused() || scroll.scrollTop > 8;

  const latest = (n) => queue.sort((a, b) => Date.parse(a.time) - Date.parse(b.time)).slice(-n);

  function flush() {
    if (!held() && queue.length > 0) {
      const batch = latest(perFlush);
      note.textContent = queue.length > perFlush ? sampled : '';
      queue = [];
      for (const m of batch) show(m, false);
      trim();
    }
    button.hidden = queue.length === 0;
    button.textContent = `${queue.length === waiting ? `${waiting}+` : queue.length} new`;
  }

  // reconcile asks the store what the list should hold: a post that is in the
  // list's time but no longer in the store was withdrawn. After a gap it also
  // brings the posts that the stream left out.
  async function reconcile(bringAll) {
    const query = new URLSearchParams(filter);
    query.set('limit', shown);
    const answer = await fetch(`/api/v1/mentions?${query}`);
    if (!answer.ok) return;
    const { mentions } = await answer.json();
    const alive = new Set(mentions.map((m) => m.key));
    const oldest = mentions.length > 0 ? Date.parse(mentions[mentions.length - 1].time) : 0;
    for (const [key, row] of rows) {
      if (!alive.has(key) && (mentions.length < shown || timeOf(row) > oldest)) {
        row.remove();
        rows.delete(key);
      }
    }
    for (const m of mentions.reverse()) if (bringAll || rows.has(m.key)) show(m, true);
    trim();
  }
  const reconcileQuietly = (bringAll) => { if (live && !document.hidden) reconcile(bringAll).catch(() => {}); };

  button.addEventListener('click', () => {
    scroll.scrollTop = 0;
    const batch = latest(shown);
    queue = [];
    for (const m of batch) show(m, false);
    trim();
    flush();
    scroll.focus();
  });
  if (live) {
    setInterval(flush, flushEvery);
    setInterval(() => reconcileQuietly(false), reconcileEvery);
    document.addEventListener('visibilitychange', () => reconcileQuietly(false));
  }

  return {
    add(m) {
      if (!live) return;
      arrived += 1;
      queue.push(m);
      if (queue.length > waiting) queue = queue.slice(-waiting);
    },
    // gap means that the stream left posts out. When it does so again and again
    // there are more than can be read, and the list stays a sample.
    gap() {
      if (!live) return;
      note.textContent = sampled;
      if (!held() && Date.now() - reconciled > reconcileEvery) {
        reconciled = Date.now();
        reconcileQuietly(true);
      }
    },
    // fresh gives how many posts arrived since it was asked last.
    fresh() { const n = arrived; arrived = 0; return n; },
  };
}
