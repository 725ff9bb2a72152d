// What the Ingest page must do: `node ingest.mjs demo|empty`. Any failed check, console error or unexpected request
// ends it with a non-zero exit.

import assert from "node:assert/strict";

import { open } from "./browser.mjs";
import { everyLook, id, origin, play, report, shoot } from "./looks.mjs";

/** Sends a request to the receiver; gives the status. */
async function send(path, body, type = "application/json") {
  const answer = await fetch(`${process.env.SPYHOP_OTLP_URL}${path}`, { method: "POST", headers: { "content-type": type }, body });
  return answer.status;
}

/** Spans of a service, some of them bad in two ways; the same bytes for the same number. */
function spans(number) {
  const time = `${1_900_000_000_000_000_000n + BigInt(number)}`;
  const good = { traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b174", name: "good", startTimeUnixNano: time };
  const list = Array.from({ length: 100 }, () => good);
  list[7] = { ...good, name: `no id \u001b[31m${number}`, spanId: "" };
  list[8] = { ...good, name: `no id again ${number}`, spanId: "" };
  list[9] = { ...good, traceId: "5b8eff", name: "a <b>short</b> trace id", attributes: [{ key: "note", value: { stringValue: "x".repeat(2000) } }] };
  const resource = { attributes: [{ key: "service.name", value: { stringValue: "legacy-batch" } }] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: list }] }] });
}

const row = (page, service, signal) =>
  page.locator(id("ingest-row")).filter({ has: page.getByRole("button", { name: `${service} ${signal}`, exact: true }) });

const scenarios = {
  async demo(browser) {
    for (const number of [1, 2]) {
      for (let again = 0; again < 2; again += 1) assert.equal(await send("/v1/traces", spans(number)), 200);
    }
    assert.equal(await send("/v1/logs", "hello", "text/plain"), 415);
    assert.equal(await send("/v1/metrics", "{"), 400);
    // Resends go with the next commit, and refusals into the next status file.
    await new Promise((resolve) => setTimeout(resolve, 2_000));

    const { page, complaints } = await open(browser, origin);
    await page.goto(`${origin}/logs`);
    await page.locator(id("log-row")).first().waitFor();
    await page.keyboard.press("g");
    const asked = Date.now();
    await page.keyboard.press("i");
    await page.locator(id("ingest-row")).first().waitFor();
    report("ingest_page_ms", { measured: Date.now() - asked, budget: 1000 });
    // What lost something comes first, and adds up.
    const first = page.locator(id("ingest-row")).first();
    assert.match(await first.innerText(), /legacy-batch\s+traces\s+400\s+194\s+200\s+6/);
    assert.equal(await page.locator(id("ingest-rejected")).innerText(), "6");
    assert.equal(await page.locator(id("ingest-duplicate")).innerText(), "200");
    assert.ok((await page.locator(`${id("ingest-row")} .spark path[d]`).count()) > 4, "sparklines are drawn");
    // By keyboard alone: down to the row, open it, read it, close it.
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/open=traces\/legacy-batch/);
    const details = page.locator(id("ingest-details"));
    await details.waitFor();
    const reasons = details.locator(id("ingest-reason"));
    assert.equal(await reasons.count(), 2);
    assert.match(await reasons.nth(0).innerText(), /4 records[^]*the span id is not 8 bytes or is all zeros[^]*invalid_span_id/);
    assert.match(await reasons.nth(1).innerText(), /2 records[^]*the trace id is not 16 bytes/);
    const samples = await details.locator(id("ingest-sample")).allInnerTexts();
    assert.equal(samples.length, 4, "the newest of each reason");
    assert.ok(samples[0].includes("no id \\u001b[31m2") && samples[1].includes("no id \\u001b[31m1"), samples[0]);
    assert.ok(samples[2].includes("a <b>short</b> trace id") && samples[2].trim().endsWith("…"), "a text, and cut");
    await shoot(page, "ingest-open-dark-1440");
    // The link restores the view.
    const again = await open(browser, origin);
    await again.page.goto(page.url());
    await again.page.locator(id("ingest-details")).waitFor();
    assert.equal(await again.page.locator(id("ingest-details")).count(), 1);
    await again.context.close();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !location.search.includes("open="));
    assert.equal(await details.count(), 0);
    await row(page, "legacy-batch", "traces").getByRole("button").first().click();
    await details.waitFor();
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => !location.search.includes("open="));
    // A row without rejections says that all was stored.
    await page.locator(id("ingest-row")).nth(1).getByRole("button").click();
    assert.match(await details.innerText(), /Every record was stored/);
    // The filter, and what it leaves.
    await page.keyboard.press("/");
    await page.keyboard.type("legacy");
    await page.waitForURL(/find=legacy/);
    await page.waitForFunction(() => document.querySelectorAll("[data-testid=ingest-row]").length === 1);
    await page.keyboard.type("-nobody");
    await page.locator(id("no-match")).waitFor();
    await page.locator(id("no-match")).getByRole("button").click();
    await page.waitForFunction(() => document.querySelectorAll("[data-testid=ingest-row]").length > 4);
    // What was refused, and the window.
    const refusals = await page.locator(id("ingest-refusal")).allInnerTexts();
    assert.ok(refusals.some((text) => /logs\s+415\s+an unknown content type or coding\s+for good\s+1/.test(text)), refusals.join("|"));
    assert.ok(refusals.some((text) => /metrics\s+400\s+the request could not be read\s+for good\s+1/.test(text)), refusals.join("|"));
    assert.match(await page.locator(id("ingest-window")).innerText(), /recognised for 10 min\. The window holds [\d,]+ of at most 1,000,000/);
    assert.equal(complaints.length, 0, complaints.join("; "));
    await everyLook(browser, "/ingest?from=now-1h&open=traces/legacy-batch", id("ingest-details"), "ingest");
    await everyLook(browser, "/ingest?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", id("empty"), "ingest-nothing");
    const narrow = await open(browser, origin, { width: 420, height: 900 });
    await narrow.page.goto(`${origin}/ingest?open=traces/legacy-batch`);
    await narrow.page.locator(id("ingest-details")).waitFor();
    await shoot(narrow.page, "ingest-dark-420");
    assert.ok((await narrow.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, "too wide");
  },

  async empty(browser) {
    await everyLook(browser, "/ingest", id("empty"), "ingest-empty");
    const { page } = await open(browser, origin);
    const problem = { type: "about:blank", title: "Service Unavailable", status: 503, detail: "too many queries are running" };
    let fails = true;
    await page.route("**/api/v1/ingest?start=*", (route) =>
      fails ? route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }) : route.continue());
    await page.goto(`${origin}/ingest`);
    await page.locator(id("failure")).waitFor();
    assert.match(await page.locator(id("failure")).innerText(), /too many queries are running/);
    await shoot(page, "ingest-failure-dark-1440");
    fails = false;
    await page.locator(id("failure")).getByRole("button").click();
    await page.locator(id("empty")).waitFor();
    assert.match(await page.locator(id("empty")).innerText(), /Nothing has been received yet/);
  },
};

await play(scenarios, "ingest-");
