// Scenarios played, and pages looked at: in every look, by axe, and as pictures for a person.

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { launch, open, opened } from "./browser.mjs";

export const origin = process.env.SPYHOP_URL;
const folder = process.env.SPYHOP_TEST_SCREENSHOTS;
const axe = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const id = (name) => `[data-testid="${name}"]`;
export const report = (name, value) => console.log(JSON.stringify({ [name]: value }));
export const shoot = (page, name) => page.screenshot({ path: path.join(folder, `${name}.png`) });

/** The looks that every page is shown in. */
const LOOKS = [
  { theme: "dark", width: 1440, height: 900 },
  { theme: "light", width: 1440, height: 900 },
  { theme: "dark", width: 1024, height: 768 },
  { theme: "light", width: 1024, height: 768 },
];

/** What axe finds serious or critical on the page. The policy of the page allows no foreign script: it is evaluated. */
export async function serious(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter((violation) => ["serious", "critical"].includes(violation.impact))
    .map((violation) => `${violation.id}: ${violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

/** A page in every look: nothing complains, nothing is wider than the window, axe finds nothing serious. */
export async function everyLook(browser, url, ready, name, act = async () => {}) {
  for (const look of LOOKS) {
    const { page, context, complaints } = await open(browser, origin, look);
    await page.goto(origin + url);
    await page.locator(ready).first().waitFor();
    await page.waitForTimeout(300);
    await act(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await shoot(page, `${name}-${look.theme}-${look.width}`);
    const wrong = await serious(page);
    assert.equal(complaints.length, 0, `${url}: ${complaints.join("; ")}`);
    assert.ok(overflow <= 0, `${url} is ${overflow} px wider than ${look.width}`);
    assert.deepEqual(wrong, [], `${url} in ${look.theme} at ${look.width}`);
    await context.close();
  }
}

/** Plays the scenario that the command line names; says what the last page showed where it fails. */
export async function play(scenarios, group = "") {
  const name = process.argv[2];
  const scenario = scenarios[name];
  assert.ok(scenario, `there is no scenario ${name}`);
  const browser = await launch();
  try {
    await scenario(browser);
  } catch (error) {
    const last = opened.findLast(({ page }) => !page.isClosed());
    if (last) {
      console.log(`the page at failure: ${last.page.url()}\n${last.complaints.join("\n")}`);
      console.log((await last.page.locator("body").innerText()).slice(0, 1000));
      await shoot(last.page, `failure-${group}${name}`);
    }
    throw error;
  } finally {
    await browser.close();
  }
}
