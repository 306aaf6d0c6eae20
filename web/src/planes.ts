/** A picture as a browser holds it (`ImageData`): RGBA, eight bits each, rows from the top. */
export interface Picture {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A picture as a model reads it: all red, then all green, then all blue values, in [0, 1]. */
export interface Planes {
  readonly planes: Float32Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
}

/** @throws RangeError where two pictures have two sizes */
export function oneSize(a: Pick<Planes, "width" | "height">, b: Pick<Planes, "width" | "height">): void {
  if (a.width !== b.width || a.height !== b.height) {
    throw new RangeError(
      `Two pictures must have one size, but got ${a.width} x ${a.height} and ${b.width} x ${b.height}; resize one.`,
    );
  }
}

/** Planes of a picture; what is transparent is shown against white, as `invariant-lpips compare` does. */
export function toPlanes(picture: Picture): Planes {
  const shrinking = new Shrinking(picture.width, picture.height, picture.width, picture.height);
  shrinking.add(picture.data);
  return shrinking.planes();
}

/**
 * Brings a picture to another size by averages over areas, from bands of rows, so that a large one never lies in memory
 * whole. The weights are those of `invariant_lpips.functional.resize_area`.
 */
export class Shrinking {
  private readonly sum: Float32Array<ArrayBuffer>;
  private readonly line: Float32Array;
  private row = 0;

  constructor(
    private readonly fromWidth: number,
    private readonly fromHeight: number,
    readonly width: number,
    readonly height: number,
  ) {
    this.sum = new Float32Array(3 * width * height);
    this.line = new Float32Array(3 * width);
  }

  /** Add rows, RGBA, below those that were added before. */
  add(rows: Uint8ClampedArray | Uint8Array): void {
    const stride = 4 * this.fromWidth;
    for (let offset = 0; offset < rows.length; offset += stride, this.row++) {
      this.shrinkLine(rows, offset);
      this.spreadLine();
    }
  }

  planes(): Planes {
    if (this.row !== this.fromHeight) {
      throw new RangeError(`A picture of ${this.fromHeight} rows was expected, but got ${this.row}.`);
    }
    return { planes: this.sum, width: this.width, height: this.height };
  }

  private shrinkLine(rows: Uint8ClampedArray | Uint8Array, offset: number): void {
    const { line, width, fromWidth } = this;
    const opacity = (at: number) => rows[at + 3] / 255;
    line.fill(0);
    if (width === fromWidth) {
      for (let x = 0, at = offset; x < width; x++, at += 4) {
        const a = opacity(at) / 255;
        const ground = 1 - 255 * a;
        line[x] = rows[at] * a + ground;
        line[width + x] = rows[at + 1] * a + ground;
        line[2 * width + x] = rows[at + 2] * a + ground;
      }
      return;
    }
    const scale = width / fromWidth;
    for (let x = 0, at = offset; x < fromWidth; x++, at += 4) {
      const a = opacity(at) / 255;
      const ground = 1 - 255 * a;
      forOverlaps(x, scale, fromWidth, width, (to, share) => {
        line[to] += share * (rows[at] * a + ground);
        line[width + to] += share * (rows[at + 1] * a + ground);
        line[2 * width + to] += share * (rows[at + 2] * a + ground);
      });
    }
  }

  private spreadLine(): void {
    const { line, sum, width, height } = this;
    const plane = width * height;
    forOverlaps(this.row, height / this.fromHeight, this.fromHeight, height, (to, share) => {
      for (let c = 0; c < 3; c++) {
        const from = c * width;
        const start = c * plane + to * width;
        for (let x = 0; x < width; x++) sum[start + x] += share * line[from + x];
      }
    });
  }
}

/** Calls `add(to, share)` for each cell of the new axis that cell `at` of the old one reaches. */
function forOverlaps(
  at: number,
  scale: number,
  from: number,
  to: number,
  add: (to: number, share: number) => void,
): void {
  // Ends in units of 1 / from of a new cell are whole numbers, so that no sliver comes of rounding.
  const begin = at * to;
  const end = begin + to;
  for (let cell = Math.floor(begin / from); cell * from < end; cell++) {
    const overlap = Math.min(end, (cell + 1) * from) - Math.max(begin, cell * from);
    add(cell, (overlap / to) * scale);
  }
}
