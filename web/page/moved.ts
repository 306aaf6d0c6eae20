import type { Motion } from "../src/index.js";
import type { Size } from "./sizes.js";

type Matrix = Motion["matrix"];

/** What the page shows of a motion. Matrices carry pixels, (0, 0) the centre of the first. */
export interface Moved {
  /** From the original to the copy. */
  readonly matrix: Matrix;
  /** From half of the way, where the map of what is left lies, to the original and to the copy. */
  readonly toOriginal: Matrix;
  readonly toCopy: Matrix;
}

/** Arrows along the longer side. */
const ACROSS = 7;
/** The longest arrow is drawn at least this share of the longer side long. */
const LEGIBLE = 1 / 24;
/** The length of an arrow's head, as a share of the longer side. */
const HEAD = 1 / 60;

/** Arrows from where points lie in the original to where they lie in the copy, and the original's frame in the copy. */
export class MotionDrawing {
  private readonly svg = document.getElementById("moved") as unknown as SVGSVGElement;

  /** Draws a motion, or nothing; how many times as long as the motion its arrows are. */
  show(matrix: Matrix | undefined, { width, height }: Size): number {
    this.svg.toggleAttribute("hidden", matrix === undefined);
    if (matrix === undefined) return 1;
    this.svg.setAttribute("viewBox", `-0.5 -0.5 ${width} ${height}`);
    const longer = Math.max(width, height);
    const step = longer / ACROSS;
    const tails = evenly(width, step).flatMap((x) => evenly(height, step).map((y) => [x, y] as const));
    const moves = tails.map(([x, y]) => carried(matrix, x, y).map((end, axis) => end - [x, y][axis]));
    const longest = Math.max(...moves.map(([right, down]) => Math.hypot(right, down)));
    const times = 2 ** Math.max(0, Math.ceil(Math.log2((LEGIBLE * longer) / longest)));
    const arrows = tails.map(([x, y], k) => arrow(x, y, moves[k][0] * times, moves[k][1] * times, HEAD * longer));
    const corners = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]];
    const frame = `M${corners.map(([x, y]) => point(...carried(matrix, x, y))).join("L")}Z`;
    for (const path of this.svg.querySelectorAll(".frame path")) path.setAttribute("d", frame);
    for (const path of this.svg.querySelectorAll(".arrows path")) path.setAttribute("d", arrows.join(""));
    return times;
  }

  set shown(shown: boolean) {
    this.svg.style.visibility = shown ? "visible" : "hidden";
  }
}

/** Draws a picture of pixels where a matrix carries them. */
export function drawCarried(context: CanvasRenderingContext2D, pixels: ImageData, [[a, c, e], [b, d, f]]: Matrix): void {
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext("2d")!.putImageData(pixels, 0, 0);
  // A canvas counts from the corner of the first pixel.
  context.setTransform(a, b, c, d, e + (1 - a - c) / 2, f + (1 - b - d) / 2);
  context.drawImage(canvas, 0, 0);
  context.resetTransform();
}

function evenly(side: number, step: number): number[] {
  const count = Math.max(2, Math.round(side / step));
  return Array.from({ length: count }, (_, k) => ((k + 0.5) * side) / count - 0.5);
}

function carried([[a, c, e], [b, d, f]]: Matrix, x: number, y: number): [x: number, y: number] {
  return [a * x + c * y + e, b * x + d * y + f];
}

/** A shaft and a head, or next to nothing where nothing moves. */
function arrow(x: number, y: number, right: number, down: number, head: number): string {
  const length = Math.hypot(right, down);
  if (length < head / 4) return "";
  const [tipX, tipY] = [x + right, y + down];
  const share = Math.min(head, 0.6 * length) / length;
  const barb = (turn: number) => point(tipX - share * (right - turn * down * 0.6), tipY - share * (down + turn * right * 0.6));
  return `M${point(x, y)}L${point(tipX, tipY)}M${barb(1)}L${point(tipX, tipY)}L${barb(-1)}`;
}

function point(x: number, y: number): string {
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}
