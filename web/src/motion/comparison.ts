import { type DifferenceMap, type Reading, differenceMap } from "../windows.js";
import type { Motion } from "./motion.js";

/** What moved and what changed: the answer of `metric.compare`, as Python's `Comparison` is. */
export class Comparison {
  constructor(
    /** Appearance and motion together. */
    readonly distance: number,
    /** The distance that is left once the motion is undone, on the same scale. */
    readonly appearance: number,
    /** The motion in multiples of what people just notice; 0 where none was found. */
    readonly motion: number,
    /** The motion itself, from the first picture to the second; its parts are properties of this class too. */
    readonly moved: Motion,
    /** The distance that people just notice. */
    readonly justNoticeable: number,
    /** Whether a motion was looked for. */
    readonly measured: boolean,
    /** Both pictures as the network read them: half of the way to each other where one moved. */
    readonly sides: readonly [Reading, Reading],
  ) {}

  /** Whether a motion is claimed. */
  get found(): boolean {
    return this.moved.found;
  }

  /** Pixels by which the content at the centre moves: to the right, and down. */
  get shift(): Motion["shift"] {
    return this.moved.shift;
  }

  /** Degrees by which the content turns, positive clockwise as displayed. */
  get rotation(): number {
    return this.moved.rotation;
  }

  /** Factor by which the content grows. */
  get zoom(): number {
    return this.moved.zoom;
  }

  /** Two rows that carry a point (x, y, 1) of the first picture to where it lies in the second, in pixels. */
  get matrix(): Motion["matrix"] {
    return this.moved.matrix;
  }

  /** Share of the picture that both show. */
  get overlap(): number {
    return this.moved.overlap;
  }

  /** In [0, 1], how sure the motion is; without a claim, how sure it is that nothing moved. */
  get confidence(): number {
    return this.moved.confidence;
  }

  /** The distance in multiples of the just noticeable one. */
  get jnd(): number {
    return this.distance / this.justNoticeable;
  }

  /** Where the pictures differ once the motion is undone, half of the way; its mean is the square of `appearance`. */
  map(): DifferenceMap {
    return differenceMap(...this.sides);
  }

  /** One line: what moved, how far apart the pictures look otherwise, and how visible that is. */
  toString(): string {
    const looks = `looks ${short(this.appearance)} apart`;
    const times = `${short(this.jnd)} times just noticeable`;
    if (!this.found) return `${this.measured ? "no motion found" : "motion not measured"}; ${looks}; ${times}`;
    return `${said(this.moved)}; ${looks} otherwise; ${times} in all`;
  }
}

/** A motion in words, without the parts that round to nothing. */
function said({ shift: [right, down], rotation, zoom }: Motion): string {
  const ways = [];
  if (Math.abs(right) >= 0.05) ways.push(`${Math.abs(right).toFixed(1)} px to the ${right > 0 ? "right" : "left"}`);
  if (Math.abs(down) >= 0.05) ways.push(`${Math.abs(down).toFixed(1)} px ${down > 0 ? "down" : "up"}`);
  const parts = ways.length ? [`moved ${ways.join(" and ")}`] : [];
  if (Math.abs(rotation) >= 0.05) {
    parts.push(`turned ${Math.abs(rotation).toFixed(1)} degrees ${rotation > 0 ? "" : "counter"}clockwise`);
  }
  if (Math.abs(zoom - 1) >= 0.0005) parts.push(`zoomed by ${zoom.toFixed(3)}`);
  return parts.join(", ") || "hardly moved";
}

/** Two figures. */
function short(value: number): string {
  return String(Number(value.toPrecision(2)));
}
