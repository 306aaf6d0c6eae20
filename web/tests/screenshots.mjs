// Pictures of the page to look at, in build/screenshots: node tests/screenshots.mjs

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PHONE, launch, ready } from "./browsers.mjs";
import { serve } from "./serving.mjs";

const root = join(import.meta.dirname, "..");
const file = (name) => join(root, "build/pairs", name);
const out = join(root, "build/screenshots");
await mkdir(out, { recursive: true });
const server = await serve(join(root, "dist"));
const browser = await launch();

const looks = {
  desktop: { viewport: { width: 1280, height: 900 } },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: PHONE,
  "phone dark": { ...PHONE, colorScheme: "dark" },
};
for (const [name, look] of Object.entries(looks)) {
  const page = await browser.newPage(look);
  await page.goto(server.address);
  await ready(page);
  await page.screenshot({ path: join(out, `${name}-empty.png`) });
  const files = name.startsWith("phone") ? ["rocket-a.png", "rocket-b.png"] : ["astronaut-a.png", "astronaut-b.png", "tissue-b.png"];
  await page.getByLabel("Original", { exact: true }).setInputFiles(files.map(file));
  await page.waitForSelector(".card");
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: true });
  for (const pair of ["all at once", "half a pixel, darker", "far and turned"]) {
    const remove = page.getByRole("button", { name: "Remove" });
    while ((await remove.count()) > 0) await remove.first().click();
    await page.getByLabel("Original", { exact: true }).setInputFiles([file(`${pair}-a.png`), file(`${pair}-b.png`)]);
    await page.waitForSelector("#status:has-text('Compared')");
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(out, `${name} ${pair}.png`), fullPage: true });
  }
  await page.close();
}
await browser.close();
await server.close();
