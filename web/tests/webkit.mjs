// WebKitGTK's MiniBrowser on a screen of its own, by WebDriver (https://www.w3.org/TR/webdriver2): Playwright drives its
// own WebKit only.

import { spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

const PROGRAMS = { WebKitWebDriver: "webkit2gtk-driver", Xvfb: "xvfb" };
const PATIENCE = 45_000;

/** A key that has no character of its own. */
export const TAB = "\uE004";

/** Why WebKit can't be started, in a sentence; nothing where it can. */
export async function missing() {
  for (const [program, debian] of Object.entries(PROGRAMS)) {
    const places = process.env.PATH.split(delimiter).map((folder) => access(join(folder, program)));
    if (await Promise.any(places).then(() => false, () => true)) return `${program} is not installed (apt-get install ${debian}).`;
  }
  return undefined;
}

/** A window with one page. */
export class WebKit {
  constructor(address, processes) {
    this.address = address;
    this.processes = processes;
  }

  static async start() {
    const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    const display = await new Promise((done, failed) => {
      screen.stdio[3].once("data", (number) => done(`:${String(number).trim()}`));
      screen.once("exit", (status) => failed(new Error(`Xvfb ended with status ${status}`)));
    });
    const port = await freePort();
    const driver = spawn("WebKitWebDriver", [`--port=${port}`], { stdio: "ignore", env: { ...process.env, DISPLAY: display } });
    const webkit = new WebKit(`http://127.0.0.1:${port}`, [driver, screen]);
    await eventually(() => webkit.call("GET", "/status").catch(() => false), "WebKitWebDriver does not answer");
    const { sessionId, capabilities } = await webkit.call("POST", "/session", { capabilities: {} });
    webkit.address += `/session/${sessionId}`;
    webkit.version = capabilities.browserVersion;
    return webkit;
  }

  async stop() {
    await this.call("DELETE", "").catch(() => {});
    for (const each of this.processes) each.kill();
  }

  async goto(url) {
    await this.call("POST", "/url", { url });
  }

  async reload() {
    await this.call("POST", "/refresh", {});
  }

  /** What a function gives in the page; its arguments and the result as JSON. */
  async run(asked, ...args) {
    return this.call("POST", "/execute/sync", { script: `return (${asked}).apply(null, arguments);`, args });
  }

  /** Waits until a function gives anything but false, and gives that. */
  async until(asked, ...args) {
    return eventually(() => this.run(asked, ...args), `Never in the page: ${asked}`);
  }

  /** Types text into a field, or chooses files: their paths, one a line. */
  async type(selector, text) {
    await this.call("POST", `/element/${await this.find(selector)}/value`, { text });
  }

  async click(selector) {
    await this.call("POST", `/element/${await this.find(selector)}/click`, {});
  }

  /** Presses a key, wherever the focus is. */
  async press(value) {
    const actions = [{ type: "keyDown", value }, { type: "keyUp", value }];
    await this.call("POST", "/actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  async find(selector) {
    const found = await this.call("POST", "/element", { using: "css selector", value: selector });
    return Object.values(found)[0];
  }

  async call(method, path, body) {
    const response = await fetch(this.address + path, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`WebKit, ${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  }
}

async function eventually(ask, otherwise) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
    const answer = await ask();
    if (answer !== false && answer !== null) return answer;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(otherwise);
}

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}
