import type { Size } from "./sizes.js";
import { text } from "./sizes.js";

export const SLOTS = [
  ["Original", "Choose or drop a picture"],
  ["Copy A", "Choose or drop a picture"],
  ["Copy B", "Optional: which copy is closer?"],
] as const;

/** A chosen picture. */
export interface Chosen {
  /** How the worker knows it. */
  readonly key: number;
  readonly name: string;
  readonly size: Size;
  /** A `blob:` address. */
  readonly address: string;
}

/** A place for one picture: to be chosen with keys, a finger or a mouse, or dropped. */
export class Slot {
  chosen: Chosen | undefined;
  readonly element = document.createElement("div");
  private readonly input = document.createElement("input");
  private readonly remove = document.createElement("button");
  private readonly image = document.createElement("img");
  private readonly hint = document.createElement("span");

  constructor(
    readonly title: string,
    private readonly invitation: string,
    take: (files: readonly File[]) => void,
    cleared: () => void,
  ) {
    const id = `slot-${title.replace(/\W+/g, "-").toLowerCase()}`;
    this.element.className = "slot";
    Object.assign(this.input, { type: "file", accept: "image/*", multiple: true, id, ariaLabel: title });
    this.input.setAttribute("aria-describedby", `${id}-hint`);
    const label = document.createElement("label");
    label.htmlFor = id;
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: title });
    Object.assign(this.hint, { className: "hint", id: `${id}-hint` });
    this.image.alt = "";
    label.append(this.image, name, this.hint);
    Object.assign(this.remove, { type: "button", textContent: "×", ariaLabel: `Remove ${title}` });
    this.element.append(this.input, label, this.remove);
    this.input.addEventListener("change", () => {
      const files = [...this.input.files!];
      this.input.value = ""; // so that the same file can be chosen again
      if (files.length > 0) take(files);
    });
    this.remove.addEventListener("click", () => {
      cleared();
      this.input.focus();
    });
    this.show(undefined);
  }

  show(chosen: Chosen | undefined): void {
    this.chosen = chosen;
    this.element.classList.toggle("filled", chosen !== undefined);
    this.image.hidden = this.remove.hidden = chosen === undefined;
    if (chosen !== undefined) this.image.src = chosen.address;
    else this.image.removeAttribute("src");
    // The size stays in sight where a long name is cut.
    const parts = chosen === undefined ? [this.invitation] : [chosen.name, `· ${text(chosen.size)}`];
    this.hint.replaceChildren(
      ...parts.map((part) => Object.assign(document.createElement("span"), { textContent: part })),
    );
    this.hint.title = chosen?.name ?? "";
  }
}
