// What the UI must do, step by step: `node ui.mjs empty|demo|large-trace`. Prints measurements as JSON lines; any
// failed check, console error or unexpected request ends it with a non-zero exit.

import assert from "node:assert/strict";

import { open, scrollFrames } from "./browser.mjs";
import { everyLook, id, origin, play, report, shoot } from "./looks.mjs";

/** First visit: bytes over the wire and the time until a person can act. */
async function firstVisit(browser, url, ready) {
  const { page, context, complaints } = await open(browser, origin);
  await page.goto(origin + url);
  await page.locator(ready).first().waitFor();
  const seen = await page.evaluate(() => {
    const files = performance.getEntriesByType("resource").filter((entry) => !entry.name.includes("/api/"));
    const page = performance.getEntriesByType("navigation")[0];
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const bytes = files.reduce((sum, entry) => sum + entry.encodedBodySize, page.encodedBodySize);
    return { bytes, files: files.length + 1, first_paint_ms: Math.round(paint?.startTime ?? 0), ready_ms: Math.round(performance.now()) };
  });
  report("first_visit", { url, ...seen, budget_bytes: 780 * 1024, budget_ready_ms: 1200 });
  assert.equal(complaints.length, 0, complaints.join("; "));
  await context.close();
}

const scenarios = {
  async empty(browser) {
    await firstVisit(browser, "/", id("connect-status"));
    await everyLook(browser, "/", id("connect-status"), "connect-empty");
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/connect`);
    await page.locator(id("connect-status")).waitFor();
    const text = await page.locator(id("snippet")).first().innerText();
    assert.match(text, /OTEL_EXPORTER_OTLP_ENDPOINT/, "a snippet names the variable every SDK reads");
  },

  async demo(browser) {
    await firstVisit(browser, "/logs", id("log-row"));
    const { page, complaints } = await open(browser, origin);
    // Logs: rows, a histogram, a search, the detail of a row.
    await page.goto(`${origin}/logs`);
    await page.locator(id("log-row")).first().waitFor();
    await page.locator(id("histogram")).waitFor();
    await page.locator(id("query-input")).fill("severity:>=error");
    await page.locator(id("query-input")).press("Enter");
    await page.waitForURL(/severity/);
    // Old rows stay until the answer is there; then every row is an error or worse.
    await page.waitForFunction(() => {
      const rows = [...document.querySelectorAll("[data-testid=log-row]")];
      return rows.length > 0 && rows.every((row) => /^[\d:.\s-]*[EF]/.test(row.textContent));
    });
    await page.locator(id("log-row")).first().click();
    await page.locator(id("log-detail")).waitFor();
    await shoot(page, "logs-detail-dark-1440");
    // The link holds the whole state.
    const link = page.url();
    const again = await open(browser, origin);
    await again.page.goto(link);
    await again.page.locator(id("log-detail")).waitFor();
    await again.context.close();
    // Traces: the list, one of them, its logs inside, a span's detail.
    await page.goto(`${origin}/traces`);
    await page.locator(id("trace-row")).first().waitFor();
    await page.locator(`${id("trace-row")} a`).first().click();
    await page.locator(id("span-row")).first().waitFor();
    const trace = `/traces/${process.env.TRACE_ID}`;
    await page.goto(origin + trace);
    await page.locator(id("span-row")).first().waitFor();
    await page.locator(id("trace-log-row")).first().waitFor();
    await page.locator(id("span-row")).first().click();
    await page.locator(id("span-detail")).waitFor();
    await shoot(page, "trace-detail-dark-1440");
    assert.equal(complaints.length, 0, complaints.join("; "));
    // A record that is acknowledged now is found at once.
    const word = `zebra${Date.now()}`;
    const record = { severityNumber: 9, body: { stringValue: `a ${word} appears` } };
    const sent = await fetch(`${process.env.SPYHOP_OTLP_URL}/v1/logs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] }),
    });
    assert.equal(sent.status, 200);
    await page.goto(`${origin}/logs`);
    await page.locator(id("log-row")).first().waitFor();
    const asked = Date.now();
    await page.locator(id("query-input")).fill(word);
    await page.locator(id("query-input")).press("Enter");
    await page.locator(id("log-row")).filter({ hasText: word }).waitFor();
    report("search_to_rows_ms", { measured: Date.now() - asked, budget: 1000 });
    await page.goto(`${origin}/logs`);
    await page.locator(id("log-row")).first().waitFor();
    // Theme: one click turns it, and it stays.
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    const before = await theme();
    await page.locator(id("theme-toggle")).click();
    const after = await theme();
    assert.notEqual(after, before);
    await page.reload();
    await page.locator(id("log-row")).first().waitFor();
    assert.equal(await theme(), after);
    await everyLook(browser, "/logs", id("log-row"), "logs");
    await everyLook(browser, "/traces", id("trace-row"), "traces");
    await everyLook(browser, trace, id("span-row"), "trace");
    await everyLook(browser, "/connect", id("connect-status"), "connect");
  },

  async "large-trace"(browser) {
    const { page, complaints } = await open(browser, origin);
    await page.goto(`${origin}/traces`);
    await page.locator(id("trace-row")).first().waitFor();
    const opened = await page.evaluate(async (selectors) => {
      const row = document.querySelector(selectors.row);
      const target = row.matches("a") ? row : row.querySelector("a") ?? row;
      const began = performance.now();
      target.click();
      await new Promise((resolve) => {
        const look = () => (document.querySelector(selectors.span) ? resolve() : requestAnimationFrame(look));
        look();
      });
      // The frame after the one that holds the rows has been painted.
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      return performance.now() - began;
    }, { row: id("trace-row"), span: id("span-row") });
    report("open_10k_spans_ms", { measured: Math.round(opened), budget: 400 });
    assert.ok(page.url().includes(process.env.TRACE_ID), page.url());
    const rows = await page.locator(id("span-row")).count();
    assert.ok(rows > 10 && rows < 400, `${rows} rows are in the document: the list is not virtual`);
    const frames = await scrollFrames(page, ".waterfall .list", 3000);
    report("scroll_10k_spans", { ...frames, budget_p95_ms: 40 });
    await shoot(page, "trace-10k-dark-1440");
    assert.equal(complaints.length, 0, complaints.join("; "));
  },
};

await play(scenarios);
