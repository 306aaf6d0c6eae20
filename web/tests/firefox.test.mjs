// The tests of page.test.mjs once more, in Firefox where it is installed, and what only Firefox does.

import { join } from "node:path";
import { test } from "node:test";
import { launch, missing, ready } from "./browsers.mjs";
import { serve } from "./serving.mjs";

const problem = await missing("firefox");
if (problem === undefined) {
  process.env.BROWSER = "firefox";
  await import("./page.test.mjs");
  test("where Firefox resists fingerprinting, no distance is shown", async () => {
    const server = await serve(join(import.meta.dirname, "../dist"));
    const browser = await launch("firefox", { firefoxUserPrefs: { "privacy.resistFingerprinting": true } });
    try {
      const page = await browser.newPage();
      await page.goto(server.address);
      await ready(page);
      const picture = join(import.meta.dirname, "../build/pairs/cat-a.png");
      await page.getByLabel("Original", { exact: true }).setInputFiles([picture, picture]);
      await page.locator("#status.error", { hasText: /^No distance would be right here: / }).waitFor();
    } finally {
      await browser.close();
      await server.close();
    }
  });
} else {
  test("the page in Firefox", { skip: problem });
}
