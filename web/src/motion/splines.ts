// Cubic B-splines through the pixels of a channel, mirrored at its border (Unser, Splines: a perfect fit for signal and
// image processing, 1999).

import type { Places } from "./sampling.js";

/** Coefficients that are kept beyond each border, in pixels. */
export const EDGE = 2;
/** Of the filter (1, 4, 1) / 6. */
const POLE = Math.sqrt(3) - 2;
/** The pole's power of this is 1e-9. */
const HORIZON = 16;

/** (width + 2 EDGE) x (height + 2 EDGE) coefficients. */
export function splineCoefficients(channel: Float32Array, width: number, height: number): Float32Array {
  const wide = width + 2 * EDGE;
  const data = new Float32Array(wide * (height + 2 * EDGE));
  const start = EDGE * wide + EDGE;
  for (let row = 0; row < height; row++) data.set(channel.subarray(row * width, (row + 1) * width), start + row * wide);
  invert(data, start, { count: width, step: 1 }, { count: height, step: wide });
  invert(data, start, { count: height, step: wide }, { count: width, step: 1 });
  for (let row = EDGE; row < height + EDGE; row++) {
    const first = row * wide + EDGE;
    const last = first + width - 1;
    for (let k = 1; k <= EDGE; k++) {
      data[first - k] = data[first + k];
      data[last + k] = data[last - k];
    }
  }
  const [top, bottom] = [EDGE, EDGE + height - 1];
  for (let k = 1; k <= EDGE; k++) {
    data.copyWithin((top - k) * wide, (top + k) * wide, (top + k + 1) * wide);
    data.copyWithin((bottom + k) * wide, (bottom - k) * wide, (bottom - k + 1) * wide);
  }
  return data;
}

interface Axis {
  readonly count: number;
  readonly step: number;
}

/** Inverts the filter (1, 4, 1) / 6 along an axis of at least two pixels, in place, all lines in step. */
function invert(data: Float32Array, start: number, along: Axis, lines: Axis): void {
  const { count, step } = along;
  const mirrored = (k: number) => Math.abs(((k + count - 1) % (2 * count - 2)) - (count - 1));
  const each = (work: (at: number) => void) => {
    for (let line = 0, at = start; line < lines.count; line++, at += lines.step) work(at);
  };
  each((at) => {
    let first = 0;
    for (let k = HORIZON; k >= 0; k--) first = first * POLE + data[at + mirrored(k) * step];
    data[at] = 6 * first;
  });
  for (let k = 1; k < count; k++) {
    each((at) => (data[at + k * step] = 6 * data[at + k * step] + POLE * data[at + (k - 1) * step]));
  }
  const last = (count - 1) * step;
  each((at) => (data[at + last] = (POLE / (POLE * POLE - 1)) * (data[at + last] + POLE * data[at + last - step])));
  for (let k = count - 2; k >= 0; k--) {
    each((at) => (data[at + k * step] = POLE * (data[at + (k + 1) * step] - data[at + k * step])));
  }
}

/**
 * Channels read at moved places, one after the other; the border is repeated outside.
 *
 * @param coefficients of each channel
 */
export function splineRead(
  coefficients: readonly Float32Array[],
  { x: px, y: py }: Places,
  width: number,
  height: number,
): Float32Array<ArrayBuffer> {
  const wide = width + 2 * EDGE;
  const read = new Float32Array(coefficients.length * width * height);
  const across = new Float64Array(4);
  const down = new Float64Array(4);
  for (let row = 0, k = 0; row < height; row++) {
    const [startX, startY] = [px.start + row * px.r, py.start + row * py.r];
    for (let column = 0; column < width; column++, k++) {
      const x = Math.min(width - 1, Math.max(0, startX + column * px.c));
      const y = Math.min(height - 1, Math.max(0, startY + column * py.c));
      const [left, top] = [x | 0, y | 0];
      taps(x - left, across);
      taps(y - top, down);
      const first = (top - 1 + EDGE) * wide + left - 1 + EDGE;
      for (let c = 0; c < coefficients.length; c++) {
        const data = coefficients[c];
        let sum = 0;
        for (let i = 0, at = first; i < 4; i++, at += wide) {
          sum += down[i] * (across[0] * data[at] + across[1] * data[at + 1] + across[2] * data[at + 2] + across[3] * data[at + 3]);
        }
        read[c * width * height + k] = sum;
      }
    }
  }
  return read;
}

/** How the four coefficients around a place weigh, `rest` past the second of them. */
function taps(rest: number, weights: Float64Array): void {
  const [other, square] = [1 - rest, rest * rest];
  weights[0] = (other * other * other) / 6;
  weights[1] = 2 / 3 - square * (1 - rest / 2);
  weights[3] = (square * rest) / 6;
  weights[2] = 1 - weights[0] - weights[1] - weights[3];
}
