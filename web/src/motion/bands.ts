// What of a picture is compared: its luma in a band of frequencies, evened out by the contrast around each place.
//
// That is blind to brightness, contrast and shading, gives texture the weight of edges, and is small where there is
// only noise: the contrast is divided by the local plus the mean one.

import type { Planes } from "../planes.js";
import { type Grey, resized } from "./resizing.js";

/** Luma in [-1, 1], by the weights of BT.601. */
export function luma({ planes, width, height }: Planes): Grey {
  const pixels = width * height;
  const data = new Float32Array(pixels);
  for (let k = 0; k < pixels; k++) {
    data[k] = 2 * (0.299 * planes[k] + 0.587 * planes[pixels + k] + 0.114 * planes[2 * pixels + k]) - 1;
  }
  return { data, width, height };
}

/** The picture with a short side of at most `short` pixels, antialiased. */
export function reduced(grey: Grey, short: number): Grey {
  const share = short / Math.min(grey.width, grey.height);
  if (share >= 1) return grey;
  const [width, height] = [grey.width, grey.height].map((side) => Math.max(short, rounded(side * share)));
  return resized(grey, width, height);
}

/** To the nearest whole number, halves to the even one, as Python rounds. */
export function rounded(value: number): number {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + (below % 2) : Math.round(value);
}

/** Luma -> its band, evened out; 0 for a flat picture. */
export function band(grey: Grey): Grey {
  const { width, height } = grey;
  const fine = smoothed(grey);
  const wide = blurred(fine);
  const energy = { data: new Float32Array(fine.data.length), width, height };
  let mean = 0;
  for (let k = 0; k < fine.data.length; k++) {
    fine.data[k] -= wide.data[k];
    energy.data[k] = fine.data[k] * fine.data[k];
    mean += energy.data[k];
  }
  mean /= fine.data.length;
  // Less than a hundredth of a grey level is rounding.
  const floor = (0.02 / 255) ** 2;
  if (!(mean > floor)) return { data: fine.data.fill(0), width, height };
  const around = blurred(energy);
  for (let k = 0; k < fine.data.length; k++) fine.data[k] /= Math.sqrt(Math.max(floor, around.data[k] + mean));
  return fine;
}

/** A wide blur, of about five pixels, by way of a quarter of the size. */
function blurred(grey: Grey): Grey {
  const small = resized(grey, Math.ceil(grey.width / 4), Math.ceil(grey.height / 4));
  return resized(smoothed(small), grey.width, grey.height);
}

/** A binomial filter of five taps each way, a Gaussian of sigma 1; borders are repeated. */
function smoothed({ data, width, height }: Grey): Grey {
  const across = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    const at = (x: number) => data[row + Math.min(width - 1, Math.max(0, x))];
    for (let x = 0; x < width; x++) {
      const k = row + x;
      const inner = x >= 2 && x < width - 2;
      across[k] = inner
        ? binomial(data[k - 2], data[k - 1], data[k], data[k + 1], data[k + 2])
        : binomial(at(x - 2), at(x - 1), data[k], at(x + 1), at(x + 2));
    }
  }
  const both = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    const row = (down: number) => width * Math.min(height - 1, Math.max(0, y + down));
    const [a, b, c, d, e] = [row(-2), row(-1), row(0), row(1), row(2)];
    for (let x = 0; x < width; x++) {
      both[c + x] = binomial(across[a + x], across[b + x], across[c + x], across[d + x], across[e + x]);
    }
  }
  return { data: both, width, height };
}

function binomial(a: number, b: number, c: number, d: number, e: number): number {
  return (a + e + 4 * (b + d) + 6 * c) / 16;
}
