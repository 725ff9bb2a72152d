// What the pages of metrics and SQL and the live logs must do: `node pages.mjs metrics|sql|live`. Prints measurements
// as JSON lines; any failed check, console error or unexpected request ends it with a non-zero exit.

import assert from "node:assert/strict";
import fs from "node:fs/promises";

import { open } from "./browser.mjs";
import { everyLook, id, origin, play, report, shoot } from "./looks.mjs";

/** Sends one log record over OTLP; it is stored when this returns. */
async function send(text, severityNumber = 9) {
  const record = { severityNumber, body: { stringValue: text } };
  const answer = await fetch(`${process.env.SPYHOP_OTLP_URL}/v1/logs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] }),
  });
  assert.equal(answer.status, 200);
}

const scenarios = {
  async metrics(browser) {
    const metric = process.env.METRIC;
    const { page, complaints } = await open(browser, origin);
    // From anywhere by keyboard; the list is searched by the server.
    await page.goto(`${origin}/logs`);
    await page.locator(id("log-row")).first().waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("m");
    await page.locator(id("metric-row")).first().waitFor();
    const all = await page.locator(id("metric-row")).count();
    await page.keyboard.press("/");
    await page.keyboard.type(metric.slice(0, -2));
    await page.waitForURL(/q=/);
    await page.waitForFunction((all) => {
      const rows = document.querySelectorAll("[data-testid=metric-row]").length;
      return rows > 0 && rows < all;
    }, all);
    const asked = Date.now();
    await page.locator(id("metric-row")).filter({ hasText: metric }).locator("a").first().click();
    await page.locator(id("legend-row")).first().waitFor();
    report("metric_to_chart_ms", { measured: Date.now() - asked, budget: 1000 });
    assert.equal(await page.locator(id("metric-name")).innerText(), metric);
    // Groups: as many lines as the label has values; one of them singled out and back.
    const group = page.locator(id("metric-group")).filter({ hasText: process.env.LABEL });
    await group.first().click();
    await page.waitForFunction(() => document.querySelectorAll("[data-testid=legend-row]").length > 1);
    const lines = await page.locator(id("legend-row")).count();
    assert.equal(await page.locator(".metric-chart .stroke").count(), lines);
    await page.locator(`${id("legend-row")} button`).nth(1).click();
    await page.waitForFunction(() => document.querySelectorAll(".metric-chart .stroke").length === 1);
    await page.locator(`${id("legend-row")} button`).nth(1).click();
    await page.waitForFunction((lines) => document.querySelectorAll(".metric-chart .stroke").length === lines, lines);
    // A filter is completed from the labels, and narrows the lines.
    await page.locator(id("metric-filter")).click();
    await page.keyboard.type(process.env.LABEL.slice(0, -2));
    await page.locator(".editor-offer [role=option]").filter({ hasText: process.env.LABEL }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".editor-offer [role=option]").first().waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.waitForURL(/where=/);
    await page.waitForFunction(() => document.querySelectorAll("[data-testid=legend-row]").length === 1);
    await page.goBack();
    await page.waitForFunction((lines) => document.querySelectorAll("[data-testid=legend-row]").length === lines, lines);
    // Values under the pointer.
    const plot = await page.locator(".metric .chart-plot").boundingBox();
    await page.mouse.move(plot.x + plot.width * 0.9, plot.y + 8);
    await page.locator(id("metric-tooltip")).waitFor();
    await shoot(page, "metric-pointer-dark-1440");
    // The link holds the whole state.
    const again = await open(browser, origin);
    await again.page.goto(page.url());
    await again.page.waitForFunction((lines) => document.querySelectorAll("[data-testid=legend-row]").length === lines, lines);
    await again.context.close();
    // A drag zooms.
    const before = page.url();
    await page.mouse.move(plot.x + plot.width * 0.5, plot.y + 30);
    await page.mouse.down();
    await page.mouse.move(plot.x + plot.width * 0.8, plot.y + 40, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL((url) => url.href !== before && url.searchParams.has("to"));
    await page.goBack();
    // An exemplar leads to its trace.
    await page.locator(id("exemplar-dot")).first().waitFor();
    await page.mouse.move(5, 5);
    await page.locator(id("exemplar-dot")).last().hover();
    await page.locator(id("exemplar-card")).waitFor();
    await shoot(page, "metric-exemplar-dark-1440");
    await page.locator(id("exemplar-dot")).last().click();
    await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
    await page.locator(id("span-row")).first().waitFor();
    // By keyboard alone: the tab of exemplars, its first link.
    await page.goBack();
    await page.locator("#tab-exemplars").focus();
    await page.keyboard.press("Enter");
    await page.locator(id("exemplar-link")).first().focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
    assert.equal(complaints.length, 0, complaints.join("; "));
    const chart = `/metrics?metric=${encodeURIComponent(metric)}&by=${encodeURIComponent(process.env.LABEL)}`;
    await everyLook(browser, "/metrics", id("metric-row"), "metrics");
    await everyLook(browser, chart, id("legend-row"), "metric");
    await everyLook(browser, `${chart}&tab=exemplars`, id("exemplar-link"), "metric-exemplars");
    await everyLook(browser, `${chart}&tab=labels`, ".label-values", "metric-labels");
  },

  async sql(browser) {
    const { page, complaints } = await open(browser, origin);
    await page.goto(`${origin}/sql`);
    await page.locator(id("sql-table")).filter({ hasText: "logs" }).waitFor();
    // Every example runs.
    const examples = await page.locator(id("sql-example")).count();
    assert.ok(examples >= 4, `${examples} examples`);
    for (let at = 0; at < examples; at++) {
      await page.goto(`${origin}/sql`);
      await page.locator(id("sql-example")).nth(at).click();
      await page.locator(`${id("sql-row")}, ${id("empty")}, ${id("sql-error")}`).first().waitFor();
      const failed = await page.locator(id("sql-error")).count();
      assert.equal(failed, 0, `example ${at + 1}: ${failed && (await page.locator(id("sql-error")).innerText())}`);
    }
    // Tables and columns are completed while typing, and Ctrl+Enter runs.
    await page.goto(`${origin}/sql`);
    await page.locator(id("sql-table")).filter({ hasText: "logs" }).waitFor();
    await page.locator(id("sql-editor")).click();
    await page.keyboard.type("select * from lo");
    await page.locator(".editor-offer [role=option]").filter({ hasText: "logs" }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.type(" limit 3");
    await page.keyboard.press("Control+Home");
    for (let n = 0; n < 7; n++) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.type("severity_n");
    await page.locator(".editor-offer [role=option]").filter({ hasText: "severity_number" }).waitFor();
    await shoot(page, "sql-completion-dark-1440");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(id("sql-editor")).inputValue(), "select severity_number from logs limit 3");
    await page.keyboard.press("Control+Enter");
    await page.waitForURL(/q=select/);
    await page.waitForFunction(() => document.querySelectorAll("[data-testid=sql-row]").length === 3);
    // A fault is shown where it is; typing on takes it away.
    await page.locator(id("sql-editor")).fill("select body\nfrm logs");
    await page.keyboard.press("Control+Enter");
    await page.locator(id("sql-error")).waitFor();
    const fault = await page.locator(".editor-fault").boundingBox();
    const editor = await page.locator(id("sql-editor")).boundingBox();
    assert.ok(fault.y > editor.y + 18 && fault.y < editor.y + 48, "the mark stands under the second line");
    await shoot(page, "sql-error-dark-1440");
    complaints.splice(0, complaints.length, ...complaints.filter((complaint) => !complaint.includes("400")));
    await page.locator(id("sql-editor")).press("End");
    await page.keyboard.type(" x");
    await page.locator(id("sql-error")).waitFor({ state: "detached" });
    // What a stranger wrote is no formula in a spreadsheet.
    await send("=HYPERLINK(\"http://example.invalid\",\"x\"), she said");
    await page.locator(id("sql-editor")).fill("select body, severity_number from logs where body like '%HYPERLINK%' limit 1");
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => document.querySelectorAll("[data-testid=sql-row]").length === 1);
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator(id("sql-download")).click()]);
    const csv = await fs.readFile(await file.path(), "utf8");
    assert.equal(csv, "body,severity_number\r\n\"'=HYPERLINK(\"\"http://example.invalid\"\",\"\"x\"\"), she said\",9\r\n");
    // A row in full, Back to the query before.
    await page.locator(id("sql-row")).first().click();
    await page.locator(id("sql-row-detail")).waitFor();
    await page.keyboard.press("Escape");
    await page.locator(id("sql-row-detail")).waitFor({ state: "detached" });
    // The newest question wins: a slow one that is under way is given up.
    const slow = "select count(*) from logs a, logs b, logs c where a.body < b.body and b.body < c.body";
    await page.locator(id("sql-editor")).fill(slow);
    await page.keyboard.press("Control+Enter");
    await page.locator(id("sql-cancel")).waitFor();
    const began = Date.now();
    await page.locator(id("sql-editor")).fill("select 42 as answer");
    await page.keyboard.press("Control+Enter");
    await page.locator(id("sql-row")).filter({ hasText: "42" }).waitFor();
    report("newest_query_ms", { measured: Date.now() - began, budget: 1000 });
    // A link runs what it holds.
    const again = await open(browser, origin);
    await again.page.goto(page.url());
    await again.page.locator(id("sql-row")).filter({ hasText: "42" }).waitFor();
    await again.context.close();
    assert.equal(complaints.length, 0, complaints.join("; "));
    const many = "SELECT time, service_name, severity_text, body, trace_id, severity_number\nFROM logs\nWHERE body <> ''\nORDER BY time DESC\nLIMIT 500";
    await everyLook(browser, "/sql", id("sql-table"), "sql-start");
    await everyLook(browser, `/sql?q=${encodeURIComponent(many)}`, id("sql-row"), "sql", async (page) => {
      await page.locator(id("sql-table")).filter({ hasText: "logs" }).click();
      await page.locator(".sql-column").first().waitFor();
    });
  },

  async live(browser) {
    const { page, complaints } = await open(browser, origin);
    const streams = [];
    page.on("request", (request) => {
      if (request.url().includes("/logs/tail")) streams.push(request.url());
    });
    await page.goto(`${origin}/logs`);
    await page.locator(id("log-row")).first().waitFor();
    await page.locator(id("live-toggle")).click();
    await page.waitForURL(/live=1/);
    await page.waitForRequest(/\/logs\/tail/).catch(() => {});
    await page.waitForTimeout(1500);
    // What is stored now is seen now, without another question.
    const word = `okapi${Date.now()}`;
    const sent = Date.now();
    await send(`an ${word} appears`);
    await page.locator(id("log-row")).filter({ hasText: word }).waitFor();
    report("live_record_to_row_ms", { measured: Date.now() - sent, budget: 1000 });
    assert.equal(streams.length, 1, `one stream, not ${streams.length}`);
    // From here on among records of this test alone: the demo sends more in a second than a screen holds.
    await page.locator(id("query-input")).fill(word);
    await page.locator(id("query-input")).press("Enter");
    for (let n = 0; n < 80; n++) await send(`${word} before ${n}`);
    await page.locator(id("log-row")).filter({ hasText: `${word} before 79` }).waitFor();
    // A reader's line stays where it is; what came is counted, once.
    await page.locator(".logs-rows .list").hover();
    await page.mouse.wheel(0, 600);
    await page.waitForTimeout(400);
    const place = () => page.evaluate(() => {
      const list = document.querySelector(".logs-rows .list").getBoundingClientRect();
      const rows = [...document.querySelectorAll("[data-testid=log-row]")];
      const row = rows.find((row) => row.getBoundingClientRect().top >= list.top + 40);
      window.__row ??= row.textContent;
      const found = rows.find((row) => row.textContent === window.__row);
      return found ? Math.round(found.getBoundingClientRect().top) : null;
    });
    const before = await place();
    for (let n = 0; n < 20; n++) await send(`${word} again ${n}`);
    await page.locator(id("unseen")).waitFor();
    await page.waitForTimeout(1000);
    assert.equal(await place(), before, "the line moved under its reader");
    await page.locator(id("unseen")).click();
    await page.locator(id("log-row")).filter({ hasText: `${word} again 19` }).waitFor();
    await page.locator(id("unseen")).waitFor({ state: "detached" });
    const twice = await page.evaluate((word) => {
      const texts = [...document.querySelectorAll("[data-testid=log-row]")].map((row) => row.textContent).filter((text) => text.includes(word));
      return texts.length - new Set(texts).size;
    }, word);
    assert.equal(twice, 0, "a record is shown twice");
    // A filter narrows the stream too.
    await page.locator(id("query-input")).fill(`${word} later`);
    await page.locator(id("query-input")).press("Enter");
    await page.locator(id("empty")).waitFor();
    await page.waitForTimeout(1500);
    await send("nothing of interest");
    await send(`${word} later`);
    await page.locator(id("log-row")).first().waitFor();
    assert.equal(await page.locator(id("log-row")).count(), 1);
    // Off is off.
    await page.locator(id("live-toggle")).click();
    await page.waitForURL((url) => !url.searchParams.has("live"));
    await send(`${word} later still`);
    await page.waitForTimeout(2500);
    assert.equal(await page.locator(id("log-row")).count(), 1);
    assert.equal(complaints.length, 0, complaints.join("; "));
    await everyLook(browser, "/logs?live=1", id("log-row"), "logs-live");
  },
};

await play(scenarios);
