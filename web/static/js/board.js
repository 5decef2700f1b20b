// The board comes to life: the server drew it, this keeps it up to date.

import { timeline } from './chart.js';
import { byId } from './dom.js';
import { feed } from './feed.js';
import { localTimes, setTime, zone } from './format.js';
import { connect } from './stream.js';
import { drawPictures, drawSummary } from './tables.js';

const spokenEvery = 20000; // a screen reader must not be talked over

const view = { ...document.body.dataset };
const filter = Object.fromEntries(['agency', 'issue'].filter((name) => view[name]).map((name) => [name, view[name]]));
const query = new URLSearchParams(filter).toString();

let paused = false;
let latest = null; // the last summary that came while paused
const posts = feed({ filter, live: !view.until, paused: () => paused });
const chart = timeline({ subject: view.subject, issue: view.issue, hours: Number(view.hours), until: view.until, paused: () => paused });

// What is said aloud: new alerts at once, everything else now and then.
const spoken = byId('spoken');
let known = new Set([...byId('open-alerts').children].filter((card) => card.dataset.state === 'firing').map((card) => card.dataset.key));

function announce(o) {
  const firing = o.alerts.filter((a) => a.state === 'firing');
  const fresh = firing.filter((a) => !known.has(a.fingerprint));
  known = new Set(firing.map((a) => a.fingerprint));
  if (fresh.length > 0) {
    spoken.textContent = `New ${fresh[0].severity} alert: ${fresh[0].agency_name}. ${fresh[0].summary}`;
    if (!paused) chart.refresh();
  }
}

setInterval(() => {
  const n = posts.fresh();
  if (n > 0 && !paused && !document.hidden) spoken.textContent = `${n} new posts, ${known.size} alerts firing.`;
}, spokenEvery);

function show(o) {
  drawSummary(o, view);
  setTime(byId('drawn'), o.at);
  const firing = o.alerts.filter((a) => a.state === 'firing').length;
  document.title = `${view.demo === 'true' ? 'DEMO · ' : ''}${firing ? `(${firing}) ` : ''}${view.title}`;
}

const status = byId('status');
let state = 'off';
function drawStatus() {
  status.dataset.state = paused ? 'paused' : state;
  byId('status-text').textContent = paused ? 'Paused' : { connecting: 'Connecting', live: 'Live', lost: 'Reconnecting' }[state];
}

const pause = byId('pause');
pause.hidden = false;
pause.addEventListener('click', () => {
  paused = !paused;
  pause.textContent = paused ? 'Resume' : 'Pause';
  drawStatus();
  if (!paused) {
    if (latest) show(latest);
    latest = null;
    chart.refresh();
  }
});

localTimes(document);
byId('zone').textContent = `in your time zone, ${zone()}`;
drawPictures();
for (const row of byId('agency-rows').children) row.classList.toggle('chosen', row.dataset.key === view.subject);

connect(query ? `?${query}` : '', {
  onState(now) { state = now; drawStatus(); },
  onEvent(name, data) {
    if (name === 'mention') posts.add(data);
    if (name === 'gap') posts.gap();
    if (name === 'summary') {
      announce(data);
      if (paused) latest = data;
      else show(data);
    }
  },
});
