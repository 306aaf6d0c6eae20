import { Engine } from "./engine.js";
import { FULL_COLOUR_AT, gradient } from "./colours.js";
import { HeatMap } from "./heat-map.js";
import type { Comparison, Engine as Machine, Net } from "./messages.js";
import { stayAvailable } from "./offline.js";
import { MOST_PIXELS, text } from "./sizes.js";
import { type Chosen, SLOTS, Slot } from "./slots.js";

const element = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const net = element<HTMLSelectElement>("net");
const motion = element<HTMLInputElement>("motion");
const status = element("status");
const results = element("results");
const cards = element("cards");

const worker = new URL("worker.js", import.meta.url);
worker.search = location.search; // to try out: ?device=wasm or webgpu, ?threads=N
const engine = new Engine(worker);
const heatMap = new HeatMap();

const slots = SLOTS.map(
  ([title, invitation], place) =>
    new Slot(
      title,
      invitation,
      (files) => take(files, place),
      () => clear(place),
    ),
);
element("slots").append(...slots.map((slot) => slot.element));
document.querySelector<HTMLElement>(".bar")!.style.background = gradient();
document.querySelector(".ticks")!.lastElementChild!.textContent = `${FULL_COLOUR_AT} or more`;

let keys = 0;
/** Counts what was asked for, so that an answer that came too late is not shown. */
let asked = 0;
/** Whether anybody has chosen a picture yet. */
let begun = false;

/** Takes files for a place and those after it. */
async function take(files: readonly File[], place: number): Promise<void> {
  begun = true;
  ask(`Reading ${files.map((file) => file.name).join(", ")} …`);
  const fitting = files.slice(0, slots.length - place);
  const problems: string[] = [];
  for (const [k, file] of fitting.entries()) {
    const key = ++keys;
    try {
      const size = await engine.call("open", { key, file });
      forget(slots[place + k].chosen);
      slots[place + k].show({ key, name: file.name, size, address: URL.createObjectURL(file) });
    } catch (error) {
      empty(place + k); // what it was to replace must not look like it
      problems.push((error as Error).message);
    }
  }
  if (fitting.length < files.length) problems.push(`Only ${fitting.length} of ${files.length} files fit here.`);
  await compare(problems.join(" "));
}

async function clear(place: number): Promise<void> {
  empty(place);
  await compare();
}

function empty(place: number): void {
  forget(slots[place].chosen);
  slots[place].show(undefined);
}

function forget(chosen: Chosen | undefined): void {
  if (chosen === undefined) return;
  URL.revokeObjectURL(chosen.address);
  void engine.call("close", { key: chosen.key });
}

/** Counts a question, and dims the answer to the one before. */
function ask(words: string): number {
  results.ariaBusy = "true";
  say(words);
  return ++asked;
}

async function compare(problem = ""): Promise<void> {
  const mine = ask("Comparing …");
  const [original, ...copies] = slots;
  const compared = copies.filter((slot) => slot.chosen !== undefined);
  if (original.chosen === undefined || compared.length === 0) {
    results.hidden = true;
    const missing = original.chosen === undefined ? "the original" : "a copy of it";
    const begin = slots.every((slot) => slot.chosen === undefined) ? "the original and a copy of it" : missing;
    say(problem || `Choose ${begin}.`, problem !== "");
    return;
  }
  const chosen = [original.chosen, ...compared.map((slot) => slot.chosen!)];
  const start = performance.now();
  try {
    const its = net.value as Net;
    const comparison = await engine.call("compare", {
      net: its,
      keys: chosen.map(({ key }) => key),
      motion: motion.checked,
    });
    if (mine !== asked) return;
    show(comparison, compared, chosen, performance.now() - start);
    const [first, ...others] = chosen.map(({ name }) => name);
    say(problem || `Compared ${first} with ${others.join(" and ")}.`, problem !== "");
  } catch (error) {
    if (mine !== asked) return;
    results.hidden = true;
    say(`${problem} ${(error as Error).message}`.trim(), true);
  }
}

function show(comparison: Comparison, compared: Slot[], chosen: Chosen[], took: number): void {
  const { candidates, size, justNoticeable } = comparison;
  const nearest = Math.min(...candidates.map(({ distance }) => distance));
  const titles = compared.map((slot) => slot.title);
  const tied = candidates.length > 1 && candidates.every(({ distance }) => distance === nearest);
  cards.replaceChildren(
    ...candidates.map(({ distance, sentence }, k) => {
      const closer = candidates.length > 1 && distance === nearest && !tied;
      const verdict = tied ? "as close as the other" : "closer to the original";
      const said = motion.checked && distance > 0 ? sentence : "";
      return card(titles[k], distance, distance / justNoticeable, closer || tied ? verdict : "", closer, said);
    }),
  );
  heatMap.show(candidates, titles, chosen.map(({ address }) => address), justNoticeable);
  const shrunk = chosen.filter(({ size: its }) => its.width !== size.width || its.height !== size.height);
  const from = [...new Set(shrunk.map(({ size: its }) => text(its)))].join(" and ");
  element("how").textContent =
    `Compared at ${text(size)} pixels${from ? ` (brought down from ${from}; distances depend on the size)` : ""} ` +
    `in ${(took / 1000).toFixed(1)} s.`;
  showMachine(comparison.engine);
  results.hidden = false;
  results.ariaBusy = "false";
}

function card(
  title: string,
  distance: number,
  multiples: number,
  verdict: string,
  closer: boolean,
  sentence: string,
): HTMLElement {
  const article = document.createElement("article");
  article.className = closer ? "card closer" : "card";
  const heading = document.createElement("h2");
  heading.append(title, Object.assign(document.createElement("span"), { textContent: verdict }));
  const number = document.createElement("p");
  number.className = "distance";
  number.textContent = distance === 0 ? "0" : distance < 0.001 ? "< .001" : distance.toFixed(3);
  number.dataset.distance = String(distance);
  const words = document.createElement("p");
  words.textContent = distance === 0 ? "The pictures are equal." : `${multiples.toFixed(1)} × just noticeable`;
  article.append(heading, number, words);
  if (sentence !== "") {
    const moved = document.createElement("p");
    moved.className = "moved";
    moved.textContent = `${sentence[0].toUpperCase()}${sentence.slice(1)}.`;
    article.append(moved);
  }
  return article;
}

function say(sentence: string, wrong = false): void {
  status.textContent = sentence;
  status.classList.toggle("error", wrong);
}

function showMachine({ device, threads }: Machine): void {
  const on = device === "webgpu" ? "the GPU (WebGPU)" : `the CPU (WebAssembly, ${threads} thread${threads > 1 ? "s" : ""})`;
  element("engine").textContent = `Runs on ${on} of this device.`;
}

function dropped(transfer: DataTransfer | null, target: EventTarget | null): void {
  const files = [...(transfer?.files ?? [])];
  if (files.length === 0) return;
  const under = slots.findIndex((slot) => target instanceof Node && slot.element.contains(target));
  const empty = slots.findIndex((slot) => slot.chosen === undefined);
  const place = files.length > 1 ? 0 : under >= 0 ? under : empty >= 0 ? empty : slots.length - 1;
  void take(files, place);
}

addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  dropped(event.dataTransfer, event.target);
});
addEventListener("paste", (event) => dropped(event.clipboardData, null));

/**
 * Sides of the empty pictures that a network reads while nobody has chosen any. A browser compiles WASM for good only
 * once it has run often, which takes more time than the first comparison itself; and memory grows to what the largest
 * pictures take. Small ones come first, so that whoever chooses a picture meanwhile doesn't wait long.
 */
const WARM_UP = [...Array<number>(6).fill(Math.sqrt(MOST_PIXELS) / 2), Math.sqrt(MOST_PIXELS)];

async function prepare(): Promise<void> {
  const its = net.value as Net;
  try {
    showMachine(await engine.call("prepare", { net: its }));
    document.documentElement.dataset.ready = its;
    for (const side of WARM_UP) {
      if (begun || net.value !== its) return;
      await engine.call("warmUp", { net: its, side });
    }
    document.documentElement.dataset.warm = its;
  } catch (error) {
    element("engine").textContent = "";
    say((error as Error).message, true);
  }
}

motion.addEventListener("change", () => void compare());
net.addEventListener("change", () => {
  void prepare();
  void compare();
});
void prepare();
void stayAvailable();
