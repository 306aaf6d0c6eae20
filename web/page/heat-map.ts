import type { DifferenceMap } from "../src/index.js";
import { coloured } from "./colours.js";

/** The map over a picture, with the controls that say which map, over which picture, and how strongly. */
export class HeatMap {
  private readonly under = document.getElementById("under") as HTMLImageElement;
  private readonly over = document.getElementById("over") as HTMLCanvasElement;
  private readonly mapped = document.getElementById("mapped") as HTMLFieldSetElement;
  private readonly below = document.getElementById("below") as HTMLFieldSetElement;
  private readonly strength = document.getElementById("strength") as HTMLInputElement;
  private maps: ImageData[] = [];
  private pictures: string[] = [];

  constructor() {
    this.strength.addEventListener("input", () => this.fade());
    for (const group of [this.mapped, this.below]) group.addEventListener("change", () => this.draw());
  }

  /**
   * @param maps one of each copy
   * @param titles of the copies
   * @param pictures addresses of the original and the copies
   */
  show(maps: DifferenceMap[], titles: string[], pictures: string[], justNoticeable: number): void {
    const before = this.chosen(this.mapped);
    this.maps = maps.map((map) => coloured(map, justNoticeable));
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
    const picture = this.pictures[this.chosen(this.below) === 0 ? 0 : k + 1];
    if (this.under.src !== picture) this.under.src = picture;
    const map = this.maps[k];
    this.over.width = map.width;
    this.over.height = map.height;
    this.over.getContext("2d")!.putImageData(map, 0, 0);
    // Small pictures are shown at their size, large ones at that of the page.
    this.under.width = map.width;
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
