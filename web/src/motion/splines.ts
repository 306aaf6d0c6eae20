// Cubic B-splines through the pixels of a channel, mirrored at its border (Unser, Splines: a perfect fit for signal and
// image processing, 1999).

import type { Places } from "./sampling.js";

/** Coefficients that are kept beyond each border, in pixels. */
export const EDGE = 2;
/** Of the filter (1, 4, 1) / 6. */
const POLE = Math.sqrt(3) - 2;
/** The pole's power of this is 1e-9. */
const HORIZON = 16;
/** Rows that are inverted in step: what is worked on stays in the processor's cache. */
const AT_ONCE = 16;

/** (width + 2 EDGE) x (height + 2 EDGE) coefficients. */
export function splineCoefficients(channel: Float32Array, width: number, height: number): Float32Array {
  const wide = width + 2 * EDGE;
  const data = new Float32Array(wide * (height + 2 * EDGE));
  const start = EDGE * wide + EDGE;
  for (let row = 0; row < height; row++) data.set(channel.subarray(row * width, (row + 1) * width), start + row * wide);
  for (let row = 0; row < height; row += AT_ONCE) {
    invert(data, start + row * wide, { count: width, step: 1 }, { count: Math.min(AT_ONCE, height - row), step: wide });
  }
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
  const end = start + lines.count * lines.step;
  for (let at = start; at < end; at += lines.step) {
    let first = 0;
    for (let k = HORIZON; k >= 0; k--) first = first * POLE + data[at + mirrored(k) * step];
    data[at] = 6 * first;
  }
  for (let k = 1; k < count; k++) {
    for (let at = start + k * step; at < end + k * step; at += lines.step) data[at] = 6 * data[at] + POLE * data[at - step];
  }
  const last = (count - 1) * step;
  for (let at = start + last; at < end + last; at += lines.step) {
    data[at] = (POLE / (POLE * POLE - 1)) * (data[at] + POLE * data[at - step]);
  }
  for (let k = count - 2; k >= 0; k--) {
    for (let at = start + k * step; at < end + k * step; at += lines.step) data[at] = POLE * (data[at + step] - data[at]);
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
  for (let row = 0, k = 0; row < height; row++) {
    const [startX, startY] = [px.start + row * px.r, py.start + row * py.r];
    for (let column = 0; column < width; column++, k++) {
      const x = Math.min(width - 1, Math.max(0, startX + column * px.c));
      const y = Math.min(height - 1, Math.max(0, startY + column * py.c));
      const left = x | 0;
      const top = y | 0;
      // How the four coefficients along each axis weigh; they sum to 1.
      const right = x - left;
      const down = y - top;
      const a = outer(1 - right);
      const b = inner(right);
      const d = outer(right);
      const c = 1 - a - b - d;
      const first = outer(1 - down);
      const second = inner(down);
      const fourth = outer(down);
      const third = 1 - first - second - fourth;
      const at = (top - 1 + EDGE) * wide + left - 1 + EDGE;
      for (let channel = 0, to = k; channel < coefficients.length; channel++, to += width * height) {
        const of = coefficients[channel];
        read[to] =
          first * (a * of[at] + b * of[at + 1] + c * of[at + 2] + d * of[at + 3]) +
          second * (a * of[at + wide] + b * of[at + wide + 1] + c * of[at + wide + 2] + d * of[at + wide + 3]) +
          third * (a * of[at + 2 * wide] + b * of[at + 2 * wide + 1] + c * of[at + 2 * wide + 2] + d * of[at + 2 * wide + 3]) +
          fourth * (a * of[at + 3 * wide] + b * of[at + 3 * wide + 1] + c * of[at + 3 * wide + 2] + d * of[at + 3 * wide + 3]);
      }
    }
  }
  return read;
}

/** The spline's outer piece, and the one beside its centre. */
function outer(rest: number): number {
  return (rest * rest * rest) / 6;
}

function inner(rest: number): number {
  return 2 / 3 - rest * rest * (1 - rest / 2);
}
