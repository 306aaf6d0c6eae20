import { coloured } from "./colours.js";
import type { Candidate } from "./messages.js";
import { MotionDrawing, drawCarried } from "./moved.js";

/** Pictures whose longer side is shorter than this are enlarged, by a whole factor, to about twice that. */
const SMALL = 200;

/** The map over a picture, and what moved, with the controls that say which, over which picture, and how strongly. */
export class HeatMap {
  private readonly under = document.getElementById("under") as HTMLImageElement;
  private readonly over = document.getElementById("over") as HTMLCanvasElement;
  private readonly mapped = document.getElementById("mapped") as HTMLFieldSetElement;
  private readonly below = document.getElementById("below") as HTMLFieldSetElement;
  private readonly strength = document.getElementById("strength") as HTMLInputElement;
  private readonly arrows = document.getElementById("arrows") as HTMLInputElement;
  private readonly legend = document.getElementById("legend")!;
  private readonly drawing = new MotionDrawing();
  private candidates: readonly Candidate[] = [];
  private maps: ImageData[] = [];
  private pictures: string[] = [];

  constructor() {
    this.strength.addEventListener("input", () => this.fade());
    for (const group of [this.mapped, this.below, this.arrows]) group.addEventListener("change", () => this.draw());
  }

  /**
   * @param candidates one of each copy
   * @param titles of the copies
   * @param pictures addresses of the original and the copies
   */
  show(candidates: readonly Candidate[], titles: string[], pictures: string[], justNoticeable: number): void {
    const before = this.chosen(this.mapped);
    this.candidates = candidates;
    this.maps = candidates.map(({ map }) => coloured(map, justNoticeable));
    this.pictures = pictures;
    const choices = titles.map((title, k) => {
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "mapped", value: String(k) });
      input.checked = k === Math.min(before, titles.length - 1);
      const label = document.createElement("label");
      label.append(input, ` ${title}`);
      return label;
    });
    this.mapped.replaceChildren(this.mapped.firstElementChild!, ...choices);
    this.mapped.hidden = titles.length < 2;
    this.draw();
  }

  private draw(): void {
    const k = this.chosen(this.mapped);
    const overOriginal = this.chosen(this.below) === 0;
    const picture = this.pictures[overOriginal ? 0 : k + 1];
    if (this.under.src !== picture) this.under.src = picture;
    const map = this.maps[k];
    this.over.width = map.width;
    this.over.height = map.height;
    const context = this.over.getContext("2d")!;
    const { moved } = this.candidates[k];
    if (moved === undefined) context.putImageData(map, 0, 0);
    else drawCarried(context, map, overOriginal ? moved.toOriginal : moved.toCopy);
    const { width, height } = map;
    const times = this.drawing.show(moved?.matrix, map);
    this.drawing.shown = this.arrows.checked;
    this.arrows.parentElement!.hidden = moved === undefined;
    const arrows =
      `Arrows lead from where a point is in the original to where it is in the copy${times > 1 ? `, drawn ${times} times as long` : ""}; ` +
      "dashes are the frame of the original in the copy.";
    const differ = `Where they differ${moved === undefined ? "" : " once what moved is undone"}`;
    this.over.ariaLabel = `Map: ${differ.toLowerCase()}`;
    this.legend.textContent =
      `${differ}, in multiples of what people just notice, on one scale for all pictures.` +
      (moved === undefined || !this.arrows.checked ? "" : ` ${arrows}`);
    // Pictures are shown at their size, large ones at that of the page.
    const small = Math.max(width, height) < SMALL;
    const shown = width * (small ? Math.floor((2 * SMALL) / Math.max(width, height)) : 1);
    this.under.parentElement!.classList.toggle("enlarged", small);
    this.under.style.width = `min(${shown}px, ${(75 * width) / height}vh)`;
    this.fade();
  }

  private fade(): void {
    const share = Number(this.strength.value) / 100;
    this.over.style.opacity = String(share);
    this.under.style.filter = `grayscale(${share}) brightness(${1 - 0.55 * share})`;
  }

  private chosen(group: HTMLFieldSetElement): number {
    return Number(group.querySelector<HTMLInputElement>("input:checked")?.value ?? 0);
  }
}
