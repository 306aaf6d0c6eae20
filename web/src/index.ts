export { type Device, type DifferenceMap, type LoadOptions, Metric, type Reading, SMALLEST_SIDE, load } from "./metric.js";
export { type Picture, type Planes, Shrinking, toPlanes } from "./planes.js";
