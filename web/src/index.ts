export { type CompareOptions, type Device, type LoadOptions, Metric, SMALLEST_SIDE, load } from "./metric.js";
export { Comparison } from "./motion/comparison.js";
export { type Model, estimateMotion } from "./motion/estimation.js";
export { compensated } from "./motion/half-way.js";
export { Motion } from "./motion/motion.js";
export { type Picture, type Planes, Shrinking, toPlanes } from "./planes.js";
export type { DifferenceMap, Reading } from "./windows.js";
