import { type Planes, oneSize } from "../planes.js";
import { luma } from "./bands.js";
import { Motion } from "./motion.js";
import { SMALLEST, claim } from "./whole.js";

/** What may be measured of a motion: shift, turn and zoom. */
export type Model = "similarity";

/**
 * The shift, turn and zoom that carry picture a to picture b, as Python's `estimate_motion(a, b)` measures them. None is
 * claimed for equal, flat, unrelated or periodic pictures. `estimateMotion(b, a)` is exactly the inverse.
 *
 * @throws RangeError where the pictures have two sizes
 */
export function estimateMotion(a: Planes, b: Planes): Motion {
  oneSize(a, b);
  const differs = a.planes.findIndex((value, k) => value !== b.planes[k]);
  if (differs < 0) return Motion.none(a);
  if (Math.min(a.width, a.height) < SMALLEST) return Motion.none(a, 0);
  // One order for both, so that rounding is the same.
  const swapped = a.planes[differs] > b.planes[differs];
  const [first, second] = swapped ? [b, a] : [a, b];
  const motion = claim(luma(first), luma(second));
  return swapped ? motion.inverse() : motion;
}

/** @throws RangeError where what is asked for can't be measured here */
export function checkedModel(motion: Model | undefined): Model | undefined {
  if (motion !== undefined && motion !== "similarity") {
    throw new RangeError(`Option \`motion\` must be "similarity" or left out, but got ${JSON.stringify(motion)}.`);
  }
  return motion;
}
