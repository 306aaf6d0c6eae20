export { type CompareOptions, type LoadOptions, Metric, load } from "./metric.js";
export { Comparison } from "./motion/comparison.js";
export { type Model, estimateMotion } from "./motion/estimation.js";
export { compensated } from "./motion/half-way.js";
export { Motion } from "./motion/motion.js";
export { type Device, SMALLEST_SIDE } from "./network.js";
export { type Picture, type Planes, Shrinking, toPlanes } from "./planes.js";
export type { DifferenceMap, Reading } from "./windows.js";
