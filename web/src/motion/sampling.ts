// Reading pictures at moved places, whatever the size a picture was reduced to.

import { type Similarity, type Size, unit } from "./motion.js";
import type { Grey } from "./resizing.js";

/** Where each pixel is read, in pixels of a level: `x` and `y` are linear in column and row. */
export interface Places {
  readonly x: Linear;
  readonly y: Linear;
}

/** column * c + row * r + start. */
interface Linear {
  readonly c: number;
  readonly r: number;
  readonly start: number;
}

/** Where a map of centred coordinates carries the pixels of a picture of `size` that was reduced to `level`. */
export function places({ re, im, right, down }: Similarity, level: Size, size: Size): Places {
  const half = unit(size);
  // Pixels of a level to a pixel of the picture.
  const [across, along] = [level.width / size.width, level.height / size.height];
  const [x, y] = [level.width / 2 - 0.5, level.height / 2 - 0.5]; // the centre
  const linear = (c: number, r: number, start: number) => ({ c, r, start: start - c * x - r * y });
  return {
    x: linear(re, (-im * across) / along, right * half * across + x),
    y: linear((im * along) / across, re, down * half * along + y),
  };
}

/** Bilinear, the border repeated outside. */
export function sampled({ data, width, height }: Grey, { x: px, y: py }: Places): Grey {
  const read = new Float32Array(data.length);
  for (let row = 0, k = 0; row < height; row++) {
    const [startX, startY] = [px.start + row * px.r, py.start + row * py.r];
    for (let column = 0; column < width; column++, k++) {
      const x = Math.min(width - 1, Math.max(0, startX + column * px.c));
      const y = Math.min(height - 1, Math.max(0, startY + column * py.c));
      const left = x | 0;
      const top = y | 0;
      const right = x - left;
      const down = y - top;
      const at = top * width + left;
      const next = left < width - 1 ? 1 : 0;
      const below = at + (top < height - 1 ? width : 0);
      const above = data[at] + right * (data[at + next] - data[at]);
      read[k] = above + down * (data[below] + right * (data[below + next] - data[below]) - above);
    }
  }
  return { data: read, width, height };
}

/** 1 where all of the places lie at least `margin` pixels inside the border of a picture, else 0. */
export function inside(level: Size, all: readonly Places[], margin: number): Uint8Array {
  const { width, height } = level;
  const seen = new Uint8Array(width * height).fill(1);
  const [right, bottom] = [width - 0.5 - margin + 5e-7 * width, height - 0.5 - margin + 5e-7 * height];
  const [left, top] = [width - 1 - right, height - 1 - bottom];
  for (const { x: px, y: py } of all) {
    for (let row = 0, k = 0; row < height; row++) {
      const [startX, startY] = [px.start + row * px.r, py.start + row * py.r];
      for (let column = 0; column < width; column++, k++) {
        const x = startX + column * px.c;
        const y = startY + column * py.c;
        if (!(x >= left && x <= right && y >= top && y <= bottom)) seen[k] = 0;
      }
    }
  }
  return seen;
}
