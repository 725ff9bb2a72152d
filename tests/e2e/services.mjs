// What the pages about services must do: `node services.mjs demo|fixture`. Prints measurements as JSON lines; any
// failed check, console error or unexpected request ends it with a non-zero exit. `demo` asks the real server about the
// demo's shop; `fixture` answers for it, with what a shop of six does not show.

import assert from "node:assert/strict";

import { open } from "./browser.mjs";
import { everyLook, id, origin, play, report, shoot } from "./looks.mjs";
import * as fixture from "./services_fixture.mjs";

const press = async (page, ...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const first = (page, name) => page.locator(id(name)).first();

/** Answers requests about services from the fixture, in this page. */
async function madeUp(page, map) {
  await page.route(/\/api\/v1\/(services|service-map)/, (route) => {
    const url = route.request().url();
    const body = map && url.includes("/service-map") ? map : fixture.answer(url);
    return route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify(body) });
  });
}

/** Rectangles of the drawing's nodes, none of which may touch another. */
async function nodesApart(page) {
  const boxes = await page.locator(`${id("map-node")} .outline`).evaluateAll((nodes) => nodes.map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return { x, y, width, height };
  }));
  boxes.forEach((a, index) => boxes.slice(index + 1).forEach((b) => {
    const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
    assert.ok(apart, `two nodes overlap: ${JSON.stringify([a, b])}`);
  }));
  return boxes.length;
}

/** From the logs to a trace by keyboard alone: over an operation, and over the latest error. */
async function byKeyboard(page) {
  await page.goto(`${origin}/logs`);
  await first(page, "log-row").waitFor();
  await press(page, "g", "s");
  await first(page, "service-row").waitFor();
  await press(page, "j", "Enter");
  await page.waitForURL(/\/services\/[^/?]+/);
  await first(page, "operation-row").waitFor();
  await press(page, "j");
  const operation = await page.evaluate(() => document.activeElement.textContent);
  await press(page, "Enter");
  await page.waitForURL(/\/traces\?.*operation=/);
  assert.equal(new URL(page.url()).searchParams.get("operation"), operation);
  await first(page, "trace-row").waitFor();
  await press(page, "j", "Enter");
  await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
  await first(page, "span-row").waitFor();
  // The latest error of whichever service has one.
  // The two keys count together within a second, which a busy machine may need for either.
  for (let attempt = 0; attempt < 5 && !new URL(page.url()).pathname.startsWith("/services"); attempt += 1) {
    await press(page, "g", "s");
    await page.waitForURL(/\/services/, { timeout: 3000 }).catch(() => {});
  }
  await first(page, "latest-error").waitFor();
  const row = await page.locator(id("service-row")).evaluateAll((rows) =>
    rows.findIndex((row) => row.querySelector("[data-testid=latest-error]")));
  for (let step = 0; step <= row; step += 1) await press(page, "j");
  await press(page, "e");
  await page.waitForURL(/\/traces\/[0-9a-f]{32}\?.*span=/);
  await first(page, "span-detail").waitFor();
}

/** The table: order, filter, and that its address is all of its state. */
async function table(browser, page) {
  await page.goto(`${origin}/services`);
  await first(page, "service-row").waitFor();
  const names = () => page.locator(`${id("service-row")} .row-link`).allInnerTexts();
  const all = await names();
  assert.ok(all.length >= 6, `six services of the shop, not ${all}`);
  await page.getByRole("button", { name: "Sort by Service" }).click();
  await page.waitForURL(/sort=name/);
  assert.deepEqual(await names(), [...all].sort());
  await press(page, "/");
  await page.keyboard.type("PAY");
  await page.waitForURL(/find=PAY/);
  assert.deepEqual(await names(), ["payment"]);
  const again = await open(browser, origin);
  await again.page.goto(page.url());
  await first(again.page, "service-row").waitFor();
  assert.deepEqual(await again.page.locator(`${id("service-row")} .row-link`).allInnerTexts(), ["payment"]);
  await again.context.close();
  await page.locator(id("services-filter")).fill("nobody");
  await first(page, "no-match").waitFor();
  await page.getByRole("button", { name: "Show all services" }).click();
  assert.equal((await names()).length, all.length);
  // A service's colour is the same on every page.
  const colour = (selector) => page.locator(selector).first().evaluate((dot) => getComputedStyle(dot).backgroundColor);
  const inTable = await colour(`${id("service-row")}:has-text("payment") .dot`);
  await page.goto(`${origin}/services/payment`);
  await first(page, "service-header").waitFor();
  assert.equal(await colour(`${id("service-header")} .dot`), inTable);
}

/** One service: its figures, a drag across a chart, its tabs, the ways out. */
async function oneService(page) {
  await page.goto(`${origin}/services/payment`);
  await first(page, "service-header").waitFor();
  await first(page, "operation-row").waitFor();
  assert.equal(await page.title(), "payment – Spyhop");
  const plot = await page.locator(`${id("chart-calls")} .chart-plot`).boundingBox();
  await page.mouse.move(plot.x + plot.width * 0.97, plot.y + 40);
  await page.locator(".chart-tooltip").waitFor();
  await shoot(page, "service-hover-dark-1440");
  await page.mouse.move(plot.x + plot.width * 0.9, plot.y + 40);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.98, plot.y + 40, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/from=\d{4}-.*to=\d{4}-/);
  await page.goBack();
  await page.waitForURL((url) => !url.search.includes("from="));
  for (const [tab, row] of [["Errors", "error-row"], ["Instances", "instance-row"], ["Dependencies", "edge-row"]]) {
    await page.getByRole("tab", { name: tab }).click();
    await first(page, row).waitFor();
    await page.waitForURL(new RegExp(`tab=${tab.toLowerCase()}`));
  }
  await page.getByRole("tab", { name: "Errors" }).click();
  await page.locator(`${id("error-row")} a`).first().click();
  await first(page, "span-detail").waitFor();
  await page.goBack();
  await first(page, "error-row").waitFor();
  await page.locator(id("service-logs")).click();
  await first(page, "log-row").waitFor();
  assert.equal(new URL(page.url()).searchParams.get("q"), "service:payment");
}

/** The map: its nodes, arrows from one to the next, one looked at, and that its address says which. */
async function map(browser, page) {
  await page.goto(`${origin}/map`);
  await first(page, "map-node").waitFor();
  assert.ok((await nodesApart(page)) >= 8, "six services and what they call");
  await page.locator(`${id("map-node")}[tabindex="0"]`).focus();
  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  const gateway = page.locator(`${id("map-node")}[aria-label^="gateway"]`);
  await gateway.focus();
  await press(page, "ArrowRight");
  assert.ok(!(await focused()).startsWith("gateway"), "an arrow leads on");
  await press(page, "ArrowLeft", "Enter");
  await page.waitForURL(/focus=gateway/);
  await first(page, "map-panel").waitFor();
  await first(page, "edge-row").waitFor();
  // The edges of the node looked at are stops of the Tab key and are told of.
  const edge = page.locator(`${id("map-edge")}[tabindex="0"]`).first();
  await edge.focus();
  assert.match(await page.locator(id("map-tooltip")).innerText(), /→[^]*\/s · .* errors · p99 /);
  const again = await open(browser, origin);
  await again.page.goto(page.url());
  await first(again.page, "map-panel").waitFor();
  assert.match(await first(again.page, "map-panel").innerText(), /gateway/);
  await again.context.close();
  await page.locator(id("map-open-service")).click();
  await page.waitForURL(/\/services\/gateway/);
  await page.goBack();
  await first(page, "map-panel").waitFor();
  await press(page, "Escape");
  await page.waitForURL((url) => !url.search.includes("focus="));
  await page.locator(id("map-list")).click();
  await first(page, "map-row").waitFor();
  await page.waitForURL(/view=list/);
}

const scenarios = {
  async demo(browser) {
    const { page, complaints } = await open(browser, origin);
    const asked = Date.now();
    await page.goto(`${origin}/services`);
    await first(page, "service-row").waitFor();
    report("services_open_ms", { measured: Date.now() - asked });
    await byKeyboard(page);
    await table(browser, page);
    await oneService(page);
    await map(browser, page);
    assert.equal(complaints.length, 0, complaints.join("; "));
    // A name nobody has is said to be unknown; the 404 behind that is no fault of the page.
    await page.goto(`${origin}/services/${encodeURIComponent("no/such service")}`);
    await first(page, "unknown-service").waitFor();
    assert.match(await first(page, "unknown-service").innerText(), /no\/such service/);
    const cards = async (page) => page.waitForTimeout(1_200);
    await everyLook(browser, "/services", id("service-row"), "services", cards);
    await everyLook(browser, "/services/payment", id("operation-row"), "service");
    await everyLook(browser, "/services/payment?tab=errors", id("error-row"), "service-errors");
    await everyLook(browser, "/services/payment?tab=instances", id("instance-row"), "service-instances");
    await everyLook(browser, "/services/payment?tab=dependencies", id("edge-row"), "service-dependencies");
    await everyLook(browser, "/map", id("map-node"), "map");
    await everyLook(browser, "/map?focus=payment", id("map-panel"), "map-focus");
    await everyLook(browser, "/map?view=list", id("map-row"), "map-list");
    await everyLook(browser, "/services?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", id("empty"), "services-empty");
  },

  async fixture(browser) {
    const { page, complaints } = await open(browser, origin);
    await madeUp(page);
    await page.goto(`${origin}/services`);
    await first(page, "service-row").waitFor();
    await page.waitForTimeout(1_200);
    const cards = await page.locator(id("cards")).innerText();
    assert.match(cards, /steady/, "calls");
    assert.match(cards, /2[0-3] min above 1 %/, "errors");
    assert.match(cards, /checkout · from \d+ ms at \d\d:\d\d/, "p99");
    const row = (name) => page.locator(id("service-row")).filter({ has: page.getByRole("link", { name, exact: true }) });
    assert.match(await row("ledger-batch").innerText(), /logs only, 1,204 records/);
    assert.equal(await row("ledger-batch").locator(".spark path[d]").count(), 0, "no calls, no line");
    assert.match(await row("payment").innerText(), /9\.41 %[^]*SocketTimeoutException/);
    await shoot(page, "services-fixture-dark-1440");
    await page.locator(id("theme-toggle")).click();
    await shoot(page, "services-fixture-light-1440");
    await page.locator(id("theme-toggle")).click();
    await page.goto(`${origin}/services/payment`);
    await first(page, "operation-row").waitFor();
    await page.waitForTimeout(300);
    await shoot(page, "service-fixture-dark-1440");
    // A map with circles, a service that calls itself, a database, a queue, an outside service, one alone.
    await page.goto(`${origin}/map`);
    await first(page, "map-node").waitFor();
    await page.waitForTimeout(300);
    assert.equal(await nodesApart(page), 14);
    await shoot(page, "map-fixture-dark-1440");
    await page.goto(`${origin}/map?focus=payment`);
    await first(page, "map-panel").waitFor();
    await page.waitForTimeout(300);
    await shoot(page, "map-fixture-focus-dark-1440");
    // Many nodes, but not too many: drawn in time, nothing on top of anything.
    const many = await open(browser, origin);
    await madeUp(many.page, fixture.largeMap(150));
    await many.page.goto(`${origin}/map`);
    await first(many.page, "map-node").waitFor();
    await many.page.waitForTimeout(500);
    assert.equal(await nodesApart(many.page), 150);
    await shoot(many.page, "map-150-dark-1440");
    // More: a list first, and the surroundings of whichever is chosen.
    const more = await open(browser, origin);
    await madeUp(more.page, fixture.largeMap(420));
    await more.page.goto(`${origin}/map`);
    await first(more.page, "map-row").waitFor();
    assert.equal(await more.page.locator(id("map-node")).count(), 0);
    await press(more.page, "/");
    await more.page.keyboard.type("service-007");
    await more.page.waitForFunction(() => document.querySelectorAll("[data-testid=map-row]").length === 1);
    await shoot(more.page, "map-420-dark-1440");
    await more.page.locator(`${id("map-row")} a`).click();
    await more.page.waitForURL(/focus=service-007/);
    await first(more.page, "map-node").waitFor();
    const drawn = await nodesApart(more.page);
    assert.ok(drawn > 1 && drawn < 60, `${drawn} nodes around one`);
    await shoot(more.page, "map-420-focus-dark-1440");
    for (const seen of [complaints, many.complaints, more.complaints]) assert.equal(seen.length, 0, seen.join("; "));
  },
};

await play(scenarios, "services-");
