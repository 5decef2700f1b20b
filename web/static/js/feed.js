// The list of posts. It takes in a few posts a second at most, holds still
// while the reader has scrolled down or paused, and follows deletions.

import { blank, byId, field, fill, setIcon } from './dom.js';
import { setTime } from './format.js';

const shown = 60;      // posts in the list
const waiting = 200;   // posts held back
const perFlush = 5;    // posts added at once
const flushEvery = 1000;
const reconcileEvery = 60000;

export function feed({ filter, live, paused }) {
  const list = byId('mentions');
  const scroll = byId('feed-scroll');
  const button = byId('fresh');
  const note = byId('feed-note');
  let queue = [];
  let arrived = 0; // since the last question of fresh()

  const keyOf = (m) => `${m.key}/${m.agency}`;
  const keyOfRow = (row) => `${row.dataset.key}/${row.dataset.agency}`;
  const rows = new Map([...list.children].map((row) => [keyOfRow(row), row]));

  function draw(row, m) {
    row.dataset.key = m.key;
    row.dataset.agency = m.agency;
    row.dataset.version = m.version;
    row.dataset.label = m.label;
    setIcon(row, m.label);
    fill(row, { label: m.label, agency: m.agency_name, platform: m.platform, text: m.text });
    if (m.language) field(row, 'text').lang = m.language;
    setTime(field(row, 'time'), m.time);
    row.querySelector('[data-list="issues"]').replaceChildren(...m.issues.map((issue) => {
      const chip = blank('t-chip');
      chip.textContent = issue.name;
      return chip;
    }));
  }

  function show(m, quiet) {
    const old = rows.get(keyOf(m));
    if (old) {
      if (Number(old.dataset.version) < m.version) draw(old, m);
      return;
    }
    const row = blank('t-mention');
    draw(row, m);
    if (!quiet) row.classList.add('new');
    list.prepend(row);
    rows.set(keyOf(m), row);
  }

  function trim() {
    while (list.children.length > shown) {
      rows.delete(keyOfRow(list.lastElementChild));
      list.lastElementChild.remove();
    }
    byId('no-mentions').hidden = list.children.length > 0;
  }

  const held = () => paused() || scroll.scrollTop > 8;

  function flush() {
    if (!held() && queue.length > 0) {
      const batch = queue.slice(-perFlush);
      note.textContent = queue.length > perFlush ? 'Many posts: a sample is shown. The numbers count all.' : '';
      queue = [];
      for (const m of batch) show(m, false);
      trim();
    }
    button.hidden = queue.length === 0;
    button.textContent = `${queue.length === waiting ? `${waiting}+` : queue.length} new`;
  }

  async function refill() {
    const query = new URLSearchParams(filter);
    query.set('limit', shown);
    const answer = await fetch(`/api/v1/mentions?${query}`);
    if (!answer.ok) return;
    const { mentions } = await answer.json();
    const alive = new Set(mentions.map(keyOf));
    const oldest = mentions.length > 0 ? mentions[mentions.length - 1].time : '';
    // A post that is in the list's time but no longer in the store was withdrawn.
    for (const [key, row] of rows) {
      const when = field(row, 'time').dateTime;
      if (!alive.has(key) && (mentions.length < shown || when > oldest)) {
        row.remove();
        rows.delete(key);
      }
    }
    for (const m of mentions.reverse()) if (rows.has(keyOf(m))) show(m, true);
    trim();
  }

  button.addEventListener('click', () => {
    scroll.scrollTop = 0;
    const batch = queue.slice(-shown);
    queue = [];
    for (const m of batch) show(m, false);
    trim();
    flush();
    scroll.focus();
  });
  if (live) {
    setInterval(flush, flushEvery);
    setInterval(() => { if (!document.hidden) refill().catch(() => {}); }, reconcileEvery);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) refill().catch(() => {}); });
  }

  return {
    add(m) {
      if (!live) return;
      arrived += 1;
      queue.push(m);
      if (queue.length > waiting) queue = queue.slice(-waiting);
    },
    gap() { if (live) note.textContent = 'Some posts are not in this list. The numbers count all.'; },
    // fresh gives how many posts arrived since it was asked last.
    fresh() { const n = arrived; arrived = 0; return n; },
  };
}
