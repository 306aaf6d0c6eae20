// What a motion costs: multiples of its detection thresholds, and how they add up with what else has changed. The
// formulas and their reasons: `invariant_lpips/motion/price.py` and docs/motion.md.

import { type Motion, exponential, scaled, unit } from "./motion.js";

/** At what size people just notice a motion: degrees of visual angle, degrees, factor. */
const [TRANSLATION, ROTATION, ZOOM] = [0.23, 3.6, 1.026];
/** D of these on D = (10 - MOS) / 10, over the slope with which D follows Fechner's law. */
const STEEPNESS = 0.445 / 0.1425;

/** How a metric's distances follow what people say: D = a d^b, and the distance d0 that they just notice. */
export interface Calibration {
  readonly d0: number;
  readonly b: number;
}

/** How many detection thresholds a motion is; 0 where none was found. */
export function multiples(motion: Motion, pixelsPerDegree: number): number {
  if (!motion.found) return 0;
  // The scene point that lies at the centre half way, so that both directions cost the same.
  const [one, other] = [0.5, -0.5].map((share) => exponential(scaled(motion.generator, share)));
  const shift = Math.hypot(one.right - other.right, one.down - other.down) * unit(motion.size);
  return Math.hypot(
    shift / (TRANSLATION * pixelsPerDegree),
    motion.rotation / ROTATION,
    motion.generator[2] / Math.log(ZOOM),
  );
}

/** A distance as a multiple of the just noticeable one. */
export function visibility(distance: number, { d0, b }: Calibration): number {
  const ratio = distance / d0;
  return ratio < 1 ? ratio ** (b * STEEPNESS) : Math.exp(STEEPNESS * (ratio ** b - 1));
}

/** The distance of a visibility: the inverse of {@link visibility}. */
export function distanceOf(visible: number, { d0, b }: Calibration): number {
  return d0 * (visible < 1 ? visible ** (1 / (b * STEEPNESS)) : (1 + Math.log(visible) / STEEPNESS) ** (1 / b));
}

/** The distance of a pair that differs by `distance` once a motion of `thresholds` is undone. */
export function withMotion(distance: number, thresholds: number, calibration: Calibration): number {
  if (thresholds === 0) return distance;
  return distanceOf(Math.hypot(visibility(distance, calibration), thresholds), calibration);
}
