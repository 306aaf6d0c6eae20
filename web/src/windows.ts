import type { Planes } from "./planes.js";

/** Windows of a tap: `values[(k * rows + p) * columns + q]` is statistic k of the window in row p and column q. */
export interface Tap {
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/** A picture that was read once, to be compared with others by the model that read it; it keeps its pixels. */
export interface Reading extends Planes {
  /** Which model that was. */
  readonly model: string;
  readonly taps: readonly Tap[];
}

/** Where two pictures differ: a value for each pixel, whose mean is the square of the distance. */
export interface DifferenceMap {
  readonly data: Float32Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** Squared difference of two pictures in each window of a tap, summed over its statistics: rows x columns. */
function squaredDifferences(a: Tap, b: Tap): Float64Array {
  const windows = a.rows * a.columns;
  const sums = new Float64Array(windows);
  for (let k = 0; k < a.values.length; k += windows) {
    for (let w = 0; w < windows; w++) {
      const difference = a.values[k + w] - b.values[k + w];
      sums[w] += difference * difference;
    }
  }
  return sums;
}

/** Distance of two pictures that were read: the root of what they differ by in all windows. */
export function distanceBetween(a: Reading, b: Reading): number {
  const squares = a.taps.map((tap, k) => squaredDifferences(tap, b.taps[k]).reduce((sum, part) => sum + part, 0));
  return Math.sqrt(squares.reduce((sum, part) => sum + part, 0));
}

/** Where two pictures that were read differ. */
export function differenceMap(a: Reading, b: Reading): DifferenceMap {
  const { width, height } = a;
  const data = new Float32Array(width * height);
  // Taps with the same windows are spread over the picture together.
  const sums = new Map<string, { rows: number; columns: number; parts: Float64Array }>();
  a.taps.forEach((tap, k) => {
    const { rows, columns } = tap;
    const parts = squaredDifferences(tap, b.taps[k]);
    const sum = sums.get(`${rows} ${columns}`);
    if (sum === undefined) sums.set(`${rows} ${columns}`, { rows, columns, parts });
    else parts.forEach((part, window) => (sum.parts[window] += part));
  });
  for (const { rows, columns, parts } of sums.values()) spread(parts, rows, columns, data, width);
  return { data, width, height };
}

/**
 * Spreads each window's part over the pixels it covers, in proportion to their weight in it, and adds that to a map
 * whose mean grows by the sum of the parts.
 */
function spread(parts: Float64Array, rows: number, columns: number, map: Float32Array, width: number): void {
  const height = map.length / width;
  const down = softWindows(height, rows);
  const across = softWindows(width, columns);
  const line = new Float64Array(columns);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (let p = 0; p < rows; p++) {
      if (y < down[p].first || y - down[p].first >= down[p].weights.length) continue;
      const weight = height * down[p].weights[y - down[p].first];
      for (let q = 0; q < columns; q++) line[q] += weight * parts[p * columns + q];
    }
    for (let q = 0; q < columns; q++) {
      const { first, weights } = across[q];
      const start = y * width + first;
      const part = width * line[q];
      for (let x = 0; x < weights.length; x++) map[start + x] += weights[x] * part;
    }
  }
}

interface SoftWindow {
  /** The first cell that it covers. */
  readonly first: number;
  /** How much each cell from there on weighs in it; they sum to 1. */
  readonly weights: Float64Array;
}

/** The windows along an axis: triangles with their feet on their neighbours' centres, as in `heads/windows.py`. */
function softWindows(cells: number, windows: number): SoftWindow[] {
  if (windows === 1) return [{ first: 0, weights: new Float64Array(cells).fill(1 / cells) }];
  return Array.from({ length: windows }, (_, window) => {
    // In units of 1 / (2 * windows) of a cell centres and heights are whole numbers.
    const centre = (2 * window + 1) * cells;
    const height = (cell: number) => 2 * cells - Math.abs((2 * cell + 1) * windows - centre);
    let first = 0;
    while (height(first) <= 0) first++;
    let end = first;
    let sum = 0;
    while (end < cells && height(end) > 0) sum += height(end++);
    return { first, weights: Float64Array.from({ length: end - first }, (_, k) => height(first + k) / sum) };
  });
}
