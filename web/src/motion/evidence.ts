// Whether a motion is claimed: how well the pictures match once it is undone, and that no accident explains it.
//
// A motion must make the pictures match in most of their textured blocks; it must match them better than its own
// opposite, which blurs them alike, in nearly all; it must be many times its own standard error (of blocks: the
// residues next to each other are not independent); and it must be visible.

import { type Matrix, product, pseudoInverse, quadratic } from "./matrices.js";
import { type Generator, type Size, exponential, scaled, unit } from "./motion.js";
import { type HalfWay, PARAMETERS, Slopes, halfWayBands, standardise } from "./refining.js";
import type { Grey } from "./resizing.js";

/** Blocks along each side of a picture. */
const BLOCKS = 8;
/** A block counts if it holds this share of the mean block's energy. */
const TEXTURED = 0.1;

/** What speaks for a motion. */
export interface Evidence {
  /** The median over textured blocks of the correlation of both pictures, the motion undone. */
  readonly match: number;
  /** The share of textured blocks that match better than with the opposite motion. */
  readonly better: number;
  /** Wald's statistic, the squared motion in units of its covariance. */
  readonly significance: number;
  /** The standard error of the motion at the worst corner, in pixels. */
  readonly error: number;
  /** How many blocks hold texture in both pictures. */
  readonly textured: number;
}

/** The evidence in bands of pictures of `size`. */
export function evidence(x: Grey, y: Grey, generator: Generator, size: Size): Evidence {
  const bands = aligned(halfWayBands(x, y, generator, size));
  const { a, b, seen } = bands;
  const blocks = (value: (k: number) => number) => byBlock(value, a);
  const energyOfA = blocks((k) => a.data[k] * a.data[k] * seen[k]);
  const energyOfB = blocks((k) => b.data[k] * b.data[k] * seen[k]);
  const both = energyOfA.map((energy, k) => Math.sqrt(energy * energyOfB[k]));
  const mean = both.reduce((sum, energy) => sum + energy, 0) / both.length;
  const products = blocks((k) => a.data[k] * b.data[k] * seen[k]);
  const opposite = aligned(halfWayBands(x, y, scaled(generator, -1), size));
  const gains = blocks(
    (k) => (opposite.a.data[k] - opposite.b.data[k]) ** 2 * opposite.seen[k] - (a.data[k] - b.data[k]) ** 2 * seen[k],
  );
  const matches: number[] = [];
  let won = 0;
  for (let k = 0; k < both.length; k++) {
    if (!(both[k] > TEXTURED * mean)) continue;
    matches.push(products[k] / Math.max(1e-6, both[k]));
    if (gains[k] > 0) won++;
  }
  matches.sort((one, other) => one - other);
  return {
    match: matches[(matches.length - 1) >> 1] ?? 0,
    better: won / Math.max(1, matches.length),
    textured: matches.length,
    ...againstItsError(bands, generator, size),
  };
}

/** Both standardised over what is seen of them, less the border. */
function aligned(bands: HalfWay): HalfWay {
  const { width, height } = bands.a;
  bands.seen.fill(0, 0, width).fill(0, (height - 1) * width);
  for (let row = 0; row < height; row++) bands.seen[row * width] = bands.seen[(row + 1) * width - 1] = 0;
  standardise(bands);
  return bands;
}

/** The means over the blocks of a regular grid. */
function byBlock(value: (k: number) => number, { width, height }: Size): number[] {
  const ends = (side: number) =>
    Array.from({ length: BLOCKS }, (_, k) => [Math.floor((k * side) / BLOCKS), Math.ceil(((k + 1) * side) / BLOCKS)]);
  const across = ends(width);
  return ends(height).flatMap(([top, bottom]) =>
    across.map(([left, right]) => {
      let sum = 0;
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) sum += value(row * width + column);
      }
      return sum / ((bottom - top) * (right - left));
    }),
  );
}

/** Wald's statistic, and the standard error at the worst corner in pixels, by White's sandwich over blocks. */
function againstItsError(
  bands: HalfWay,
  generator: Generator,
  size: Size,
): Pick<Evidence, "significance" | "error"> {
  const { a, b, seen } = bands;
  const { width, height } = a;
  const columns = Array.from({ length: PARAMETERS }, () => new Float32Array(width * height));
  const sums = new Float64Array(PARAMETERS * PARAMETERS);
  const slopes = new Slopes(bands, size);
  const values = new Float64Array(PARAMETERS);
  for (let row = 1; row < height - 1; row++) {
    for (let column = 1; column < width - 1; column++) {
      const k = row * width + column;
      if (seen[k] === 0) continue;
      slopes.at(row, column, values);
      for (let i = 0; i < PARAMETERS; i++) {
        columns[i][k] = values[i];
        for (let j = 0; j < PARAMETERS; j++) sums[i * PARAMETERS + j] += values[i] * values[j];
      }
    }
  }
  const curvature = columns.map((_, i) => columns.map((_, j) => sums[i * PARAMETERS + j] / seen.length));
  const pulls: Matrix = columns.map((slope) => byBlock((k) => slope[k] * (b.data[k] - a.data[k]), a));
  const inverse = pseudoInverse(curvature, 1e-6);
  const count = pulls[0].length;
  const spread = pulls.map((pull) => pulls.map((other) => pull.reduce((sum, value, k) => sum + value * other[k], 0) / count ** 2));
  const covariance = product(product(inverse, spread), inverse);
  const significance = quadratic(pseudoInverse(covariance, 1e-9), generator);
  // How a corner moves with each parameter: to the right, and down.
  const variances = corners(size).map(([x, y]) => quadratic(covariance, [1, 0, x, -y]) + quadratic(covariance, [0, 1, y, x]));
  return { significance, error: Math.sqrt(Math.max(0, ...variances)) * unit(size) };
}

/** The corners of a picture in centred coordinates. */
function corners(size: Size): [x: number, y: number][] {
  const [x, y] = [size.width / 2 / unit(size), size.height / 2 / unit(size)];
  return [[-x, -y], [x, -y], [-x, y], [x, y]];
}

/** How far the corner moves that moves furthest, there or back, in pixels. */
export function furthest(generator: Generator, size: Size): number {
  const moves = [1, -1].flatMap((share) => {
    const { re, im, right, down } = exponential(scaled(generator, share));
    return corners(size).map(([x, y]) => Math.hypot(re * x - im * y + right - x, im * x + re * y + down - y));
  });
  return Math.max(...moves) * unit(size);
}
