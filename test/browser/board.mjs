// Looks at a live board in a real browser.
//
//   OUTCRY_TEST_URL     the board; without it the invented board of fakeboard/ is started
//   OUTCRY_SCREENSHOTS  directory for screenshots (optional)
//   OUTCRY_CHROMIUM     the browser (default /usr/bin/chromium)
//
// Prints one line per check; exit code 1 when one fails.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const shots = process.env.OUTCRY_SCREENSHOTS;
if (shots) mkdirSync(shots, { recursive: true });

let failed = 0;
function check(name, ok, detail = '') {
  if (!ok) failed += 1;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${!ok && detail ? `: ${detail}` : ''}`);
}

// startFake builds and runs the invented board, and gives its address.
async function startFake() {
  const bin = join(here, 'node_modules', '.fakeboard');
  const [code] = await once(spawn('go', ['build', '-o', bin, './fakeboard'], { cwd: here, stdio: 'inherit' }), 'exit');
  if (code !== 0) throw new Error('fakeboard does not build');
  const board = spawn(bin, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = await once(createInterface({ input: board.stdout }), 'line');
  return { url, stop: () => board.kill('SIGINT') };
}

// open visits a page and collects everything that goes wrong on it.
async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) faults.push(message.text()); });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('requestfailed', (request) => { if (!request.failure()?.errorText.includes('ERR_ABORTED')) faults.push(`${request.url()} ${request.failure()?.errorText}`); });
  page.on('request', (request) => { if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`foreign request ${request.url()}`); });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  return { page, faults, context };
}

const drawn = (page) => page.waitForSelector('#chart[data-drawn] canvas', { timeout: 20000 });
const shot = async (page, name, fullPage = true) => { if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage }); };

async function behaviour(browser, url) {
  const { page, faults, context } = await open(browser, url);
  await drawn(page);
  await page.waitForSelector('#status[data-state="live"]', { timeout: 20000 });
  check('the stream is live', true);
  const inked = await page.$eval('#chart canvas', (canvas) => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let n = 0;
    for (let i = 3; i < pixels.length; i += 4) if (pixels[i] > 0) n += 1;
    return n;
  });
  check('the chart is drawn', inked > 2000, `${inked} pixels`);
  check('the chart has a table', (await page.$$('#points tbody tr')).length > 10);
  check('every agency has its row', (await page.$$('#agency-rows tr')).length > 0);

  const arrived = await page.waitForSelector('.mention.new', { timeout: 30000 }).then(() => true, () => false);
  check('a post arrives in the feed', arrived);

  await page.click('#pause');
  const before = await page.$eval('#mentions', (list) => list.firstElementChild?.dataset.key);
  await page.waitForSelector('#fresh:not([hidden])', { timeout: 30000 });
  const held = await page.$eval('#mentions', (list) => list.firstElementChild?.dataset.key);
  check('a paused feed holds still and counts', before === held);
  await page.click('#fresh');
  check('held posts are shown on request', (await page.$eval('#mentions', (list) => list.firstElementChild?.dataset.key)) !== held);
  await page.click('#pause');

  const state = await page.evaluate(() => ({
    pwned: window.pwned,
    violations: window.violations,
    markup: document.querySelectorAll('#feed script, #feed img, #feed iframe, #feed a:not(.hint), .quote a, .summary a, .why a, #mentions svg:not(.icon)').length,
    handles: [...document.querySelectorAll('.text')].map((e) => e.textContent).filter((text) => /@[A-Za-z0-9_]/.test(text)),
    hidden: [...document.querySelectorAll('.text')].filter((e) => /[\u202a-\u202e\u2066-\u2069\u200b\0]/.test(e.textContent)).length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));
  check('no post became code', state.pwned === undefined, `pwned=${state.pwned}`);
  check('no post became markup or a link', state.markup === 0, `${state.markup} elements`);
  check('handles are masked', state.handles.length === 0, state.handles[0]);
  check('no post reorders or hides text', state.hidden === 0);
  check('the page keeps to its policy', state.violations.length === 0, state.violations.join('; '));
  check('nothing sticks out sideways', state.wide <= 0, `${state.wide} px`);
  check('the console is silent', faults.length === 0, faults.join('; '));
  await context.close();
}

// keyboard walks the whole page with Tab: everything that acts must be reached,
// and must show where the focus is.
async function keyboard(browser, url) {
  const { page, context } = await open(browser, url);
  await drawn(page);
  await page.click('#pause'); // rows must not move under the walker
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  const wanted = await page.evaluate(() => {
    const all = [...document.querySelectorAll('a[href], button, summary, [tabindex="0"]')]
      .filter((e) => e.checkVisibility() && !e.closest('details:not([open]) > :not(summary)'));
    all.forEach((e, i) => { e.dataset.walk = i; });
    return all.map((e) => e.dataset.walk);
  });
  const reached = new Set();
  let unseen = '';
  for (let i = 0; i < wanted.length + 10; i += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e);
      return { walk: e.dataset.walk, seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, what: e.outerHTML.slice(0, 80) };
    });
    if (at.walk !== undefined) reached.add(at.walk);
    if (at.walk !== undefined && !at.seen) unseen ||= at.what;
  }
  const missed = wanted.filter((walk) => !reached.has(walk));
  check(`the keyboard reaches all ${wanted.length} controls`, missed.length === 0, `${missed.length} missed`);
  check('the focus is always visible', unseen === '', unseen);

  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.goto(url);
  await page.keyboard.press('Tab');
  check('the skip link comes first', await page.evaluate(() => document.activeElement.classList.contains('skip')));
  await context.close();
}

async function accessible(browser, url, name, options) {
  // The rule set needs eval, which the board's policy forbids to everybody else.
  const { page, context } = await open(browser, url, { ...options, bypassCSP: true });
  await drawn(page);
  await page.evaluate(() => { for (const d of document.querySelectorAll('details')) d.open = true; });
  await page.addScriptTag({ path: axePath });
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  check(`axe finds nothing (${name})`, violations.length === 0, violations.map((v) => `${v.id} ${v.nodes.length}×: ${v.nodes[0].target} ${v.nodes[0].failureSummary?.replaceAll('\n', ' ')}`).join('\n     '));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(`nothing sticks out sideways (${name})`, wide <= 0, `${wide} px`);
  await context.close();
}

async function withoutScripts(browser, url) {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1200, height: 900 } });
  const page = await context.newPage();
  await page.goto(url);
  const link = page.locator('#agency-rows a').last();
  const name = await link.textContent();
  await link.click();
  check('links work without scripts', (await page.locator('#timeline-title').textContent()).includes(name));
  await shot(page, 'no-scripts');
  await context.close();
}

const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const looks = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['wide', { colorScheme: 'light', viewport: { width: 1920, height: 1080 } }],
  ['tablet', { colorScheme: 'light', viewport: { width: 834, height: 1112 } }],
  ['phone', { colorScheme: 'light', ...phone }],
  ['phone-dark', { colorScheme: 'dark', ...phone }],
];

async function pictures(browser, url) {
  if (!shots) return;
  for (const [name, options] of looks) {
    const { page, context } = await open(browser, url, options);
    await drawn(page);
    await page.waitForSelector('.mention', { timeout: 30000 });
    await shot(page, name, name !== 'light' && name !== 'dark' && name !== 'wide');
    await context.close();
  }
}

const fake = process.env.OUTCRY_TEST_URL ? null : await startFake();
const url = process.env.OUTCRY_TEST_URL || fake.url;
const browser = await chromium.launch({
  executablePath: process.env.OUTCRY_CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  await behaviour(browser, url);
  await keyboard(browser, url);
  for (const [name, options] of [looks[0], looks[1], looks[4]]) await accessible(browser, url, name, options);
  await withoutScripts(browser, url);
  await pictures(browser, url);
} finally {
  await browser.close();
  fake?.stop();
}
console.log(failed === 0 ? 'all checks passed' : `${failed} checks failed`);
process.exitCode = failed === 0 ? 0 : 1;
