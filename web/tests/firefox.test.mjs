// The tests of page.test.mjs once more, in Firefox where it is installed.

import { test } from "node:test";
import { missing } from "./browsers.mjs";

const problem = await missing("firefox");
if (problem === undefined) {
  process.env.BROWSER = "firefox";
  await import("./page.test.mjs");
} else {
  test("the page in Firefox", { skip: problem });
}
