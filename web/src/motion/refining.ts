// Refining a motion by Gauss-Newton steps on both pictures, each carried half of the way towards the other.
//
// Both are read between their pixels alike, so what reading does to noise cannot speak for a motion; the slopes are
// the mean of both. Gain and offset are solved for in each step, and large residues lose weight. Sources:
// `invariant_lpips/motion/refining.py`.

import { type Generator, type Size, exponential, scaled, unit } from "./motion.js";
import { solved } from "./matrices.js";
import type { Grey } from "./resizing.js";
import { inside, places, sampled } from "./sampling.js";

/** Generators of a motion: shift right and down, zoom, turn. */
export const PARAMETERS = 4;
/** The logarithms of zoom and turn, and the shift in units, beyond which no motion is followed. */
const FURTHEST = 0.6;
/** What is left out along a picture's own border, in pixels of a level: frames don't move with the scene. */
const BORDER = 4;
/** The most that a step may move a corner, in pixels of its level. */
const STRIDE = 4;

/** Two bands carried half of the way each, and 1 where both are seen. */
export interface HalfWay {
  readonly a: Grey;
  readonly b: Grey;
  readonly seen: Uint8Array;
}

export function halfWayBands(x: Grey, y: Grey, generator: Generator, size: Size): HalfWay {
  const there = places(exponential(scaled(generator, -0.5)), x, size);
  const here = places(exponential(scaled(generator, 0.5)), x, size);
  const margin = Math.min(BORDER, Math.min(x.width, x.height) / 16);
  return { a: sampled(x, there), b: sampled(y, here), seen: inside(x, [there, here], margin) };
}

/** Both with mean 0 and mean square 1 over what is seen, 0 where nothing varies, in place; gives their correlation. */
export function standardise({ a, b, seen }: HalfWay): number {
  let [count, sumA, sumB, squareA, squareB, product] = [0, 0, 0, 0, 0, 0];
  for (let k = 0; k < seen.length; k++) {
    if (seen[k] === 0) continue;
    const p = a.data[k];
    const q = b.data[k];
    count++;
    sumA += p;
    sumB += q;
    squareA += p * p;
    squareB += q * q;
    product += p * q;
  }
  count = Math.max(1, count);
  const [meanA, meanB] = [sumA / count, sumB / count];
  const scale = (variance: number) => (variance > 1e-8 ? 1 / Math.sqrt(variance) : 0);
  const scaleA = scale(squareA / count - meanA * meanA);
  const scaleB = scale(squareB / count - meanB * meanB);
  for (let k = 0; k < seen.length; k++) {
    a.data[k] = (a.data[k] - meanA) * scaleA;
    b.data[k] = (b.data[k] - meanB) * scaleB;
  }
  return (product / count - meanA * meanB) * scaleA * scaleB;
}

/** The generator after some Gauss-Newton steps on bands of pictures of `size`. */
export function refined(x: Grey, y: Grey, start: Generator, size: Size, steps: number): Generator {
  const pixel = Math.max(x.width, x.height) / 2;
  let generator = start;
  for (let step = 0; step < steps; step++) {
    const change = solved(...equations(halfWayBands(x, y, generator, size), size)).slice(0, PARAMETERS);
    const known = change.map((value) => (Number.isFinite(value) ? value : 0));
    const stride = Math.max(...known.map(Math.abs)) * pixel;
    generator = stepped(generator, known, STRIDE / Math.max(STRIDE, stride));
  }
  return generator;
}

/** A share of a change taken off, as far as any motion is followed. */
function stepped([right, down, zoom, turn]: Generator, change: readonly number[], share: number): Generator {
  const step = (value: number, k: number) => Math.min(FURTHEST, Math.max(-FURTHEST, value - share * change[k]));
  return [step(right, 0), step(down, 1), step(zoom, 2), step(turn, 3)];
}

/** The normal equations and their right side; the last unknowns are gain and offset. */
function equations(bands: HalfWay, size: Size): [normal: number[][], right: number[]] {
  const correlation = standardise(bands);
  const { a, b, seen } = bands;
  const { width, height } = a;
  // Cauchy's weights: residues of more than twice the usual one count for less and less.
  const usual = 4 * Math.max(1e-6, 2 - 2 * correlation);
  const count = PARAMETERS + 3; // gain, offset, residue
  const gram = new Float64Array(count * count);
  const values = new Float64Array(count);
  values[PARAMETERS + 1] = 1;
  const slopes = new Slopes(bands, size);
  for (let row = 1; row < height - 1; row++) {
    for (let column = 1; column < width - 1; column++) {
      const k = row * width + column;
      if (seen[k] === 0) continue;
      slopes.at(row, column, values);
      const residue = b.data[k] - a.data[k];
      values[PARAMETERS] = (a.data[k] + b.data[k]) / 2;
      values[PARAMETERS + 2] = residue;
      accumulate(gram, values, 1 / (1 + (residue * residue) / usual));
    }
  }
  const unknowns = count - 1;
  const entry = (i: number, j: number) => gram[Math.min(i, j) * count + Math.max(i, j)];
  const normal = Array.from({ length: unknowns }, (_, i) => Array.from({ length: unknowns }, (_, j) => entry(i, j)));
  // A millionth of its size keeps what the pictures don't determine where it is.
  const ridge = 1e-6 * Math.max(1e-12, normal.reduce((sum, line, i) => sum + line[i], 0) / unknowns);
  normal.forEach((line, i) => (line[i] += ridge));
  return [normal, Array.from({ length: unknowns }, (_, i) => entry(i, unknowns))];
}

/**
 * Adds `weight` times the product of each two of seven values to the upper triangle of a matrix. It runs for every pixel
 * in every step, and loops would take 2.7 times as long.
 */
function accumulate(gram: Float64Array, values: Float64Array, weight: number): void {
  const a = values[0];
  const b = values[1];
  const c = values[2];
  const d = values[3];
  const e = values[4];
  const f = values[5];
  const g = values[6];
  const wa = weight * a;
  gram[0] += wa * a;
  gram[1] += wa * b;
  gram[2] += wa * c;
  gram[3] += wa * d;
  gram[4] += wa * e;
  gram[5] += wa * f;
  gram[6] += wa * g;
  const wb = weight * b;
  gram[8] += wb * b;
  gram[9] += wb * c;
  gram[10] += wb * d;
  gram[11] += wb * e;
  gram[12] += wb * f;
  gram[13] += wb * g;
  const wc = weight * c;
  gram[16] += wc * c;
  gram[17] += wc * d;
  gram[18] += wc * e;
  gram[19] += wc * f;
  gram[20] += wc * g;
  const wd = weight * d;
  gram[24] += wd * d;
  gram[25] += wd * e;
  gram[26] += wd * f;
  gram[27] += wd * g;
  const we = weight * e;
  gram[32] += we * e;
  gram[33] += we * f;
  gram[34] += we * g;
  const wf = weight * f;
  gram[40] += wf * f;
  gram[41] += wf * g;
  const wg = weight * g;
  gram[48] += wg * g;
}

/** How each generator would change the mean of two pictures. */
export class Slopes {
  private readonly across: number;
  private readonly down: number;
  private readonly unitsAcross: number;
  private readonly unitsDown: number;

  constructor(
    private readonly bands: HalfWay,
    size: Size,
  ) {
    const { width, height } = bands.a;
    this.unitsAcross = size.width / width / unit(size);
    this.unitsDown = size.height / height / unit(size);
    this.across = 1 / this.unitsAcross / 4; // a central difference of the sum of both
    this.down = 1 / this.unitsDown / 4;
  }

  /** Those of a place that isn't on the border, into the first of `values`. */
  at(row: number, column: number, values: Float64Array): void {
    const a = this.bands.a.data;
    const b = this.bands.b.data;
    const { width, height } = this.bands.a;
    const k = row * width + column;
    const across = (a[k + 1] - a[k - 1] + b[k + 1] - b[k - 1]) * this.across;
    const down = (a[k + width] - a[k - width] + b[k + width] - b[k - width]) * this.down;
    const x = (column + 0.5 - width / 2) * this.unitsAcross;
    const y = (row + 0.5 - height / 2) * this.unitsDown;
    values[0] = across;
    values[1] = down;
    values[2] = across * x + down * y;
    values[3] = down * x - across * y;
  }
}
