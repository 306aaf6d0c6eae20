export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Larger pictures are shrunk to about so many pixels before they are compared: one megapixel. */
export const MOST_PIXELS = 1024 * 1024;

/** How far the shapes of two pictures may differ: this share of their ratio of sides. */
const SAME_SHAPE = 0.01;

/**
 * The size at which pictures are compared: that of the smallest, or less where it has more than {@link MOST_PIXELS}.
 *
 * @throws RangeError where one has another shape than the first
 */
export function commonSize(sizes: readonly Size[]): Size {
  const [first] = sizes;
  for (const size of sizes) {
    const ratio = (size.width * first.height) / (size.height * first.width);
    if (Math.abs(ratio - 1) > SAME_SHAPE) {
      throw new RangeError(
        `Pictures must have one shape to be compared, but these have ${text(first)} and ${text(size)} pixels: crop one.`,
      );
    }
  }
  const smallest = sizes.reduce((a, b) => (b.width * b.height < a.width * a.height ? b : a));
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (smallest.width * smallest.height)));
  return { width: Math.round(smallest.width * scale), height: Math.round(smallest.height * scale) };
}

export function text({ width, height }: Size): string {
  return `${width} × ${height}`;
}
