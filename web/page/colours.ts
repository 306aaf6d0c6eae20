import type { DifferenceMap } from "../src/index.js";

/** Red, green, blue at rising strength, as `invariant_lpips/pictures/heat_maps.py` has them. */
const WARM = [
  [115, 13, 64],
  [217, 38, 38],
  [250, 140, 26],
  [255, 242, 115],
];

/** Share of the strongest colour at which a map covers the picture below it completely. */
const OPAQUE_AT = 0.5;

/** Local distance, in multiples of the just noticeable one, that is shown in the strongest colour. */
export const FULL_COLOUR_AT = 6;

/** Steps of the scale: more than eight bits can tell apart. */
const LEVELS = 1023;

/** The colour of each step, four bytes as one number: by a table a megapixel takes a tenth of the time. */
const PALETTE = new Uint32Array(
  new Uint8ClampedArray(
    Array.from({ length: LEVELS + 1 }, (_, k) => [...colour(k / LEVELS), 255 * Math.min(1, k / LEVELS / OPAQUE_AT)]).flat(),
  ).buffer,
);

/** A map in colours, transparent where nothing differs: the root of each value, on one scale for all pictures. */
export function coloured(map: DifferenceMap, justNoticeable: number): ImageData {
  const image = new ImageData(map.width, map.height);
  const pixels = new Uint32Array(image.data.buffer);
  const scale = LEVELS / (FULL_COLOUR_AT * justNoticeable);
  for (let k = 0; k < pixels.length; k++) {
    pixels[k] = PALETTE[Math.min(LEVELS, Math.round(scale * Math.sqrt(Math.max(0, map.data[k]))))];
  }
  return image;
}

/** The colour of a strength in [0, 1]. */
function colour(strength: number): number[] {
  const place = strength * (WARM.length - 1);
  const low = Math.min(Math.floor(place), WARM.length - 2);
  return WARM[low].map((value, c) => value + (place - low) * (WARM[low + 1][c] - value));
}

/** The scale as a CSS background, over the dark ground that a map lies on. */
export function gradient(): string {
  const steps = 24;
  const stops = Array.from({ length: steps + 1 }, (_, k) => {
    const opacity = Math.min(1, k / steps / OPAQUE_AT);
    return `rgb(${colour(k / steps).map((value) => Math.round(value * opacity + 45 * (1 - opacity))).join(" ")})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
