// Undoing a motion by carrying both pictures half of the way towards each other, so that both blur alike.

import type { Planes } from "../planes.js";
import { type Motion, exponential, scaled } from "./motion.js";
import { inside, places } from "./sampling.js";
import { splineCoefficients, splineRead } from "./splines.js";

/** This far inside its border, in pixels, a spline reads real pixels only. */
const SUPPORT = 1.5;

/**
 * Both pictures where their scene is half of the way from one to the other, with the same content wherever not both show
 * something: what only one shows is copied into the other, and what neither shows is the mean of both, whose borders are
 * repeated. The pictures themselves where no motion is claimed. Python: `compensated`, kept in the range of pictures.
 *
 * @throws RangeError where the motion is that of pictures of another size
 */
export function compensated(a: Planes, b: Planes, motion: Motion): [Planes, Planes] {
  const { width, height } = motion.size;
  for (const side of [a, b]) {
    if (side.width !== width || side.height !== height) {
      throw new RangeError(
        `The motion is that of pictures of ${width} x ${height}, but one has ${side.width} x ${side.height}.`,
      );
    }
  }
  if (!motion.found) return [a, b];
  const [there, seenA] = carried(a, motion, -0.5);
  const [here, seenB] = carried(b, motion, 0.5);
  const pixels = width * height;
  for (let c = 0, k = 0; c < 3; c++) {
    for (let pixel = 0; pixel < pixels; pixel++, k++) {
      // Splines overshoot a little.
      const one = Math.min(1, Math.max(0, there[k]));
      const other = Math.min(1, Math.max(0, here[k]));
      const inA = seenA[pixel] === 1;
      const inB = seenB[pixel] === 1;
      there[k] = inA ? one : inB ? other : (one + other) / 2;
      here[k] = inB ? other : inA ? one : (one + other) / 2;
    }
  }
  return [
    { planes: there, width, height },
    { planes: here, width, height },
  ];
}

/** A picture read where a share of the motion takes each pixel, and 1 where that is inside. */
function carried(
  { planes, width, height }: Planes,
  motion: Motion,
  share: number,
): [planes: Float32Array<ArrayBuffer>, seen: Uint8Array] {
  const pixels = width * height;
  const at = places(exponential(scaled(motion.generator, share)), motion.size, motion.size);
  const channels = [0, 1, 2].map((c) => planes.subarray(c * pixels, (c + 1) * pixels));
  const coefficients = channels.map((channel) => splineCoefficients(channel, width, height));
  return [splineRead(coefficients, at, width, height), inside(motion.size, [at], SUPPORT)];
}
