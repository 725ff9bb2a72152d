// A headless Chromium that is quiet on a closed network, and pages that fail a test on any error of theirs.

import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-extensions", "--force-color-profile=srgb",
];

/** Every page opened so far, for whoever wants to know why a test failed. */
export const opened = [];

/** Starts the browser that `SPYHOP_TEST_CHROMIUM` names. */
export async function launch() {
  return chromium.launch({ executablePath: process.env.SPYHOP_TEST_CHROMIUM, headless: true, args: ARGUMENTS });
}

/**
 * A page in a context of its own. `complaints` gathers console errors, failed requests, answers that are no success
 * and requests to other hosts; a test looks at it when it is done.
 */
export async function open(browser, origin, { width = 1440, height = 900, theme = "dark" } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    reducedMotion: "reduce",
    timezoneId: "UTC",
    locale: "en-US",
    colorScheme: theme,
  });
  await context.addInitScript((wanted) => {
    try {
      if (!localStorage.getItem("spyhop.theme")) localStorage.setItem("spyhop.theme", wanted);
    } catch { /* storage is forbidden: the default theme */ }
  }, theme);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith("data:") && !url.startsWith("blob:")) {
      complaints.push(`a request to another host: ${url}`);
    }
  });
  opened.push({ page, complaints });
  return { page, context, complaints };
}

/** Frame times in milliseconds while `selector` is scrolled by wheel steps for `milliseconds`. */
export async function scrollFrames(page, selector, milliseconds) {
  const box = await page.locator(selector).first().boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.evaluate(() => {
    window.__frames = [];
    let last = performance.now();
    const tick = (now) => {
      window.__frames?.push(now - last);
      last = now;
      if (window.__frames) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const until = Date.now() + milliseconds;
  while (Date.now() < until) {
    await page.mouse.wheel(0, 400);
    await page.waitForTimeout(16);
  }
  const frames = await page.evaluate(() => {
    const frames = window.__frames.slice(2);
    window.__frames = undefined;
    return frames;
  }).catch(() => []);
  frames.sort((a, b) => a - b);
  const at = (share) => Math.round((frames[Math.min(frames.length - 1, Math.floor(frames.length * share))] ?? 0) * 10) / 10;
  return { frames: frames.length, p50_ms: at(0.5), p95_ms: at(0.95), worst_ms: at(1) };
}
