// The browsers of the machine that Playwright drives; none is downloaded.

import { access } from "node:fs/promises";
import { chromium, firefox } from "playwright-core";

const BROWSERS = {
  chromium: {
    title: "Chromium",
    debian: "chromium",
    own: "CHROMIUM",
    places: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"],
    start(executablePath, options) {
      const args = (process.env.CHROMIUM_ARGS ?? "").split(" ").filter(Boolean);
      return chromium.launch({ executablePath, args: ["--no-sandbox", ...args], ...options });
    },
  },
  firefox: {
    title: "Firefox",
    debian: "firefox-esr",
    own: "FIREFOX",
    places: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
    start(executablePath, options) {
      // An ordinary Firefox, by WebDriver BiDi; Playwright 1.65 sends it a command that 153 has not.
      return firefox.launch({ executablePath, channel: "moz-firefox", ...options });
    },
  },
};

/** Of a browser's context that is like a telephone's. */
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 3, isMobile: true, hasTouch: true };

/** The browser that `BROWSER` names, or Chromium. */
export const chosenBrowser = () => process.env.BROWSER ?? "chromium";

/** Starts a browser, with options of Playwright's `launch`. */
export async function launch(name = chosenBrowser(), options = {}) {
  const problem = await missing(name);
  if (problem !== undefined) throw new Error(`These tests need a browser. ${problem}`);
  return BROWSERS[name].start(await executable(name), options);
}

/**
 * Waits until the page has its network and may have threads: until the service worker has loaded it again, on a first visit.
 * Firefox under WebDriver BiDi waits now and then for ever where a worker starts another (2 of 53 visits; none of 85
 * without BiDi), so there a page is loaded once more.
 */
export async function ready(page, name = chosenBrowser()) {
  for (let more = name === "firefox" ? 3 : 0; ; more--) {
    try {
      await page.waitForFunction(() => crossOriginIsolated);
      await page.waitForSelector("[data-ready]", more > 0 ? { timeout: 15_000 } : {});
      return;
    } catch (error) {
      if (more === 0) throw error;
      await page.reload();
    }
  }
}

/** Why a browser can't be started, in a sentence; nothing where it can. */
export async function missing(name) {
  const { title, debian, own, places } = BROWSERS[name];
  if ((await executable(name)) !== undefined) return undefined;
  return `${title} is not at ${process.env[own] ?? places.join(" or ")} (apt-get install ${debian}, or ${own}=path).`;
}

async function executable(name) {
  const { own, places } = BROWSERS[name];
  for (const place of process.env[own] ? [process.env[own]] : places) {
    if (await access(place).then(() => true, () => false)) return place;
  }
  return undefined;
}
